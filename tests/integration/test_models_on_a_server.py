"""Which model has filled a server's collection is known to this host, or to all that are told."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import chromadb
import pytest

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.errors import ChromaHybridWarning, ModelChangedError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import fresh_name

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["A red pump", "A green valve", "Seals for pumps"]


def named(name: str, *, turned: bool = False) -> FunctionEmbeddings:
    words = WordEmbeddings()
    step = -1 if turned else 1
    return FunctionEmbeddings(
        lambda texts: [vector[::step] for vector in words.embed_documents(texts)], fingerprint=name
    )


def opened(port: int, name: str, model: Any, **options: Any) -> HybridChroma:
    return HybridChroma(name, model, host="127.0.0.1", port=port, **options)


def host(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """From now on this is another host: it has a cache folder of its own."""
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(folder))


def names(port: int) -> set[str]:
    return {each.name for each in chromadb.HttpClient("127.0.0.1", port).list_collections()}


@pytest.mark.parametrize("told", ["writers", "adopt"])
def test_every_host_knows_what_it_is_told(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    options: dict[str, Any] = {"writers": "ours"} if told == "writers" else {}
    name = fresh_name()
    host(monkeypatch, tmp_path / "one")
    store = opened(port, name, named("first-model"), **options)
    store.add_texts(TEXTS)
    if told == "adopt":
        store.adopt()

    host(monkeypatch, tmp_path / "two")
    other = opened(port, name, named("other-model", turned=True), **options)
    with pytest.raises(ModelChangedError, match="first-model"):
        other.similarity_search("pump")
    same = opened(port, name, named("first-model"), **options)
    assert same.similarity_search("red pump")[0].page_content == "A red pump"
    uuid = str(store._collection.id)
    store.delete_collection()
    assert not {each for each in names(port) if uuid in each}


def test_else_another_host_compares_records(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = fresh_name()
    host(monkeypatch, tmp_path / "one")
    opened(port, name, named("first-model")).add_texts(TEXTS)
    with pytest.raises(ModelChangedError, match="first-model"):
        opened(port, name, named("other-model", turned=True)).similarity_search("pump")

    host(monkeypatch, tmp_path / "two")
    with pytest.warns(ChromaHybridWarning, match="other-model"):
        opened(port, name, named("other-model", turned=True)).similarity_search("pump")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(port, name, named("first-model")).similarity_search("pump")
    uuid = str(chromadb.HttpClient("127.0.0.1", port).get_collection(name).id)
    assert not {each for each in names(port) if uuid in each}
