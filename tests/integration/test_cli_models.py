"""The commands about the model that has filled a collection."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.testing import WordEmbeddings

if TYPE_CHECKING:
    from click.testing import Result

OLD, NEW = f"{__name__}:old", f"{__name__}:new"
N = 30


def old() -> FunctionEmbeddings:
    return FunctionEmbeddings(WordEmbeddings(16).embed_documents, fingerprint="old-model")


def new() -> FunctionEmbeddings:
    return FunctionEmbeddings(WordEmbeddings(8).embed_documents, fingerprint="new-model")


@pytest.fixture(autouse=True)
def place(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMA_HYBRID_PATH", str(tmp_path))
    with HybridChroma("docs", old(), str(tmp_path)) as store:
        store.add_texts([f"A pump {i}" for i in range(N)], ids=[f"R{i}" for i in range(N)])


def called(*arguments: str, said: str = "") -> Result:
    return CliRunner().invoke(app, arguments, input=said)


def test_migrate_asks_switches_and_goes_back() -> None:
    plan = called("migrate", "--embeddings", NEW, "--dry-run", "--format", "json", "--price", "1")
    assert plan.exit_code == 0, plan.stderr
    told = json.loads(plan.stdout)
    told = told[0] if isinstance(told, list) else told
    assert (told["records"], told["done"], told["after"][:9]) == (N, False, "FunctionE")
    assert told["cost"] > 0

    no = called("migrate", "--embeddings", NEW, said="n\n")
    assert no.exit_code == 1
    assert "old-model" in no.stderr
    assert "nothing was changed" in no.stderr

    assert called("migrate", "--embeddings", NEW, "--yes").exit_code == 0
    found = called("search", "pump 7", "--embeddings", NEW, "-c", "docs", "--json")
    assert json.loads(found.stdout.splitlines()[0])["id"] == "R7"
    assert "new-model" in called("info", "-c", "docs", "--json").stdout
    wrong = called("search", "pump 7", "--embeddings", OLD, "-c", "docs")
    assert wrong.exit_code == 2
    assert "new-model" in wrong.stderr

    listed = json.loads(called("list", "--format", "json").stdout)
    assert [row["collection"] for row in listed] == ["docs", "docs-new-mode"]
    assert "old-model" in called("rollback", "-c", "docs", "--embeddings", NEW, "--yes").stderr

    back = called("rollback", "-c", "docs", "--embeddings", OLD, "--yes")
    assert back.exit_code == 0, back.stderr
    assert called("search", "pump 7", "--embeddings", OLD, "-c", "docs").exit_code == 0


def test_drop_previous_and_names() -> None:
    swapped = called("migrate", "--embeddings", NEW, "--yes", "--swap-names")
    assert swapped.exit_code == 0, swapped.stderr
    assert "stop all programs" in swapped.stderr
    gone = called("drop-previous", "-c", "docs", "--yes")
    assert gone.exit_code == 0, gone.stderr
    assert "docs" in gone.stdout
    listed = called("list", "--format", "json").stdout
    assert [row["collection"] for row in json.loads(listed)] == ["docs"]
    assert called("drop-previous", "-c", "docs", "--yes").exit_code != 0


def test_adopt() -> None:
    assert called("adopt", "--embeddings", NEW).exit_code == 0
    assert "new-model" in called("info", "--json").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["migrate"], "--embeddings"),
        (["adopt"], "--embeddings"),
        (["migrate", "--embeddings", OLD, "--yes"], "another model"),
        (["migrate", "--embeddings", NEW, "--batch-size", "0"], "batch_size"),
        (["adopt", "--embeddings", f"{__name__}:WordEmbeddings"], "fingerprint"),
        (["rollback", "--yes"], "no collection is kept"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], said: str) -> None:
    result = called(*arguments)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
