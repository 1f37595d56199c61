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
    clicks = "\n".join(["query,id", *(f"what is {n} device?,{n}" for n in range(24))])
    (tmp_path / "clicks.csv").write_text(clicks + "\n")
    return tmp_path


def test_from_clicks_to_a_promoted_collection(place):
    clicks, to = place / "clicks.csv", place / "new"
    where = ("--path", place / "db", "-c", "docs", "--json")
    made = run("finetune", clicks, *where, "--embeddings", place / "base", "--to", to,
               "--test", clicks, "--batch-size", 8, "--negatives", "random")  # fmt: skip
    assert made.exit_code in (0, 1), made.stderr
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
        (["clicks.csv", "--negatives", "best"], "--negatives: expected one of none, vector"),
        (["clicks.csv", "--dev", "1.5"], "dev: expected a finite number between 0 and 1"),
        (["wrong.csv"], "DATA: expected columns query and id, or query and text"),
        (["scored.csv"], "score: expected a number from 0 to 1"),
    ],
)
def test_what_cannot_be_learnt_from(place, arguments, message):
    (place / "wrong.csv").write_text("question,text\na,b\n")
    (place / "scored.csv").write_text("query,text,score\na,b,high\n")
    name, *more = arguments
    result = run("finetune", place / name, *more, "--path", place / "db", "--embeddings",
                 place / "base", "--to", place / "new")  # fmt: skip
    assert result.exit_code == 2
    assert message in result.stderr
