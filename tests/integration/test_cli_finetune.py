"""`finetune` and `promote`, on a tiny model."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

pytest.importorskip("sentence_transformers", reason="the extra `local` is not installed")
pytest.importorskip("accelerate", reason="the extra `finetune` is not installed")
pytest.importorskip("datasets", reason="the extra `finetune` is not installed")
pytest.importorskip("ir_measures", reason="the extra `eval` is not installed")

from langchain_chroma_hybrid import HybridChroma, SentenceTransformerEmbeddings
from langchain_chroma_hybrid.cli.app import app
from tests.helpers import COSINE
from tests.tiny_models import save_sentence_transformer

ROWS = [(str(n), f"device {n} heats water {n * 3} times") for n in range(24)]


def run(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def place(tmp_path):
    """A collection under a tiny model, and clicks."""
    base = save_sentence_transformer(tmp_path / "base")
    with HybridChroma("docs", SentenceTransformerEmbeddings(base), collection_configuration=COSINE,
                      persist_directory=str(tmp_path / "db")) as store:  # fmt: skip
        store.add_texts([text for _, text in ROWS], ids=[id_ for id_, _ in ROWS])
    for name, query in (("clicks", "what is {n} device?"), ("test", "water that {n} has heated")):
        rows = ["query,id", *(f"{query.format(n=n)},{n}" for n in range(24))]
        (tmp_path / f"{name}.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_from_clicks_to_a_promoted_collection(place):
    clicks, test, to = place / "clicks.csv", place / "test.csv", place / "new"
    with test.open("a") as file:
        file.write("What is 7 device,7\n")
    where = ("--path", place / "db", "-c", "docs", "--json")
    made = run("finetune", clicks, *where, "--embeddings", place / "base", "--to", to,
               "--test", test, "--batch-size", 8, "--negatives", "random")  # fmt: skip
    assert made.exit_code in (0, 1), made.stderr
    assert "--test: 1 queries stand in DATA, and were not asked" in made.stderr
    found = json.loads(made.stdout)
    assert found["folder"] == str(to)
    assert "24 given, kept 24 labelled" in made.stderr
    assert (place / "new-experiment" / "report.md").exists()

    experiment = ("--experiment", place / "new-experiment")
    if made.exit_code:
        refused = run("promote", *where, "--embeddings", to, *experiment, "--yes")
        assert refused.exit_code == 2
        assert "force=True" in refused.stderr
    done = run("promote", *where, "--embeddings", to, "--force", "--yes", "--old", place / "base",
               "--dev", clicks)  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["promoted"]
    with HybridChroma("docs", SentenceTransformerEmbeddings(to),
                      persist_directory=str(place / "db")) as store:  # fmt: skip
        assert store.similarity_search("device 3", k=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lost.csv"], "DATA: expected a BEIR folder"),
        (["clicks.csv", "--negatives", "best"], "--negatives: expected one of auto, none, vector"),
        (["clicks.csv", "--dev", "1.5"], "dev: expected a finite number between 0 and 1"),
        (["wrong.csv"], "DATA: expected columns query and id, or query and text"),
        (["scored.csv"], "score: expected a number from 0 to 1"),
        (["short.csv"], "pairs[0]: expected 2 values"),
        (["no-score.csv"], "score: expected a number from 0 to 1"),
        (["empty.csv"], "DATA: expected columns query and id"),
        (["binary.csv"], "path: expected a table"),
        (["clicks.csv", "--test", "lost.csv"], "--test: expected a BEIR folder or a CSV file"),
        (["clicks.csv", "--test", "clicks.csv"], "--test: expected other queries than those of"),
        (["clicks.csv", "--negatives", "none", "--test", "test.csv", "--epochs", "0"], "epochs"),
    ],
)
def test_what_cannot_be_learnt_from(place, arguments, message):
    (place / "short.csv").write_text("query,text\na\n")
    (place / "no-score.csv").write_text("query,text,score\na,b\n")
    (place / "empty.csv").touch()
    (place / "binary.csv").write_bytes(b"\xff\xfe\x00query,id")
    (place / "wrong.csv").write_text("question,text\na,b\n")
    (place / "scored.csv").write_text("query,text,score\na,b,high\n")
    name, *more = [place / each if each.endswith(".csv") else each for each in arguments]
    result = run("finetune", name, *more, "--path", place / "db", "--embeddings",
                 place / "base", "--to", place / "new")  # fmt: skip
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (place / "new").exists()
    assert not (place / "new-experiment").exists(), "nothing that a second try has to agree with"


def test_a_table_that_excel_has_saved_and_no_table_at_all(place):
    rows = [f"what is {n} device?,device {n} heats" for n in range(8)]
    (place / "pairs.csv").write_text("\n".join([" Query,TEXT", *rows]), encoding="utf-8-sig")
    where = ("--path", place / "db", "-c", "docs", "--embeddings", place / "base", "--json",
             "--batch-size", 8)  # fmt: skip
    pairs = ("finetune", place / "pairs.csv", *where, "--to", place / "new")
    mined = run(*pairs)
    assert "dropped: no negative was found" in mined.stderr, "looked for, since somebody has asked"
    made = run(*pairs, "--negatives", "none")
    assert made.exit_code == 0, made.stderr
    assert "8 given, kept 8 labelled" in made.stderr
    refused = run("finetune", *where, "--to", place / "newer")
    assert refused.exit_code == 2
    assert "24 dropped: nothing to make a query of" in refused.stderr
    with HybridChroma("docs", SentenceTransformerEmbeddings(place / "base"),
                      persist_directory=str(place / "db")) as store:  # fmt: skip
        store.add_texts([text for _, text in ROWS], [{"title": f"device {n}"} for n in range(24)],
                        [id_ for id_, _ in ROWS])  # fmt: skip
    found = run("finetune", *where, "--to", place / "newer")
    assert found.exit_code == 0, found.stderr
    assert "24 given, kept 24 title" in found.stderr
    assert json.loads(found.stdout)["negatives"] == "none", "other records answer a title, too"
