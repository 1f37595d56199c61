"""Torn folders in which a collection was embedded anew by another model."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma, rescue
from langchain_chroma_hybrid.errors import EmbeddingError
from langchain_chroma_hybrid.migration import migrate, rollback
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.torn import EMBEDDINGS, HNSW, everything, tear, text

if TYPE_CHECKING:
    from pathlib import Path

N = 270
NEW = WordEmbeddings(48)
TARGET = "documents-new"


def model(words: WordEmbeddings, name: str) -> FunctionEmbeddings:
    return FunctionEmbeddings(words.embed_documents, fingerprint=name)


OLD_MODEL, NEW_MODEL = model(EMBEDDINGS, "old"), model(NEW, "new")


def opened(folder: Path, embeddings: Any) -> HybridChroma:
    return HybridChroma("documents", embeddings, str(folder),
                        collection_configuration={"hnsw": HNSW})  # fmt: skip


def closed(store: HybridChroma) -> None:
    store.close()
    store._client.close()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One in which the switch is done, and one in which it was under way."""
    made = {name: tmp_path_factory.mktemp(name) / "db" for name in ("switched", "under way")}
    store = opened(made["switched"], OLD_MODEL)
    for start in range(0, N, 50):
        some = range(start, min(start + 50, N))
        store.add_texts([text(n) for n in some], ids=[f"id{n}" for n in some])
    store.similarity_search("number")
    closed(store)
    shutil.copytree(made["switched"], made["under way"])
    store = opened(made["switched"], OLD_MODEL)
    migrate(store, NEW_MODEL, batch_size=50)
    closed(store)

    calls: list[int] = []

    def embed(texts: list[str]) -> Any:
        calls.append(len(texts))
        if calls.count(50) > 4:
            raise ConnectionError
        return NEW.embed_documents(texts)

    store = opened(made["under way"], OLD_MODEL)
    with pytest.raises(ConnectionError):
        migrate(store, FunctionEmbeddings(embed, fingerprint="new"), batch_size=50)
    closed(store)
    return made


@pytest.fixture
def old(folders: dict[str, Path], tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    state = getattr(request, "param", "switched")
    return shutil.copytree(folders[state], tmp_path / "old")


def vectors(folder: Path, name: str) -> Any:
    return [row[3] for _, row in sorted(everything(folder, name).items())]


def expected(words: WordEmbeddings, count: int = N) -> Any:
    ids = sorted(f"id{n}" for n in range(count))
    return words.embed_documents([text(int(id_[2:])) for id_ in ids])


@pytest.mark.long
def test_the_new_one_is_made_whole_and_keeps_its_place(old: Path, tmp_path: Path) -> None:
    tear(old, TARGET)
    with pytest.raises(EmbeddingError, match=rf"'{TARGET}'.*has filled it, .*\(new\), got"):
        rescue(old, tmp_path / "new", embeddings=model(NEW, "retrained"))
    assert not (tmp_path / "new").exists()
    rescue(old, tmp_path / "new", embeddings=NEW_MODEL)
    assert vectors(tmp_path / "new", TARGET) == expected(NEW)
    store = opened(tmp_path / "new", NEW_MODEL)
    for mode in ("hybrid", "vector", "lexical"):
        assert store.similarity_search(text(7), mode=mode)[0].id == "id7"
    assert rollback(store, OLD_MODEL) == 0
    assert store.similarity_search(text(7))[0].id == "id7"
    assert store.verify().ok
    closed(store)


@pytest.mark.long
def test_both_are_torn_each_with_its_own_model(old: Path, tmp_path: Path) -> None:
    tear(old, TARGET)
    tear(old, "documents")
    with pytest.raises(EmbeddingError, match="'documents'"):
        rescue(old, tmp_path / "new", embeddings=NEW_MODEL)
    models = {"documents": OLD_MODEL, TARGET: NEW_MODEL}
    assert len(rescue(old, tmp_path / "new", embeddings=models).torn) == 2
    assert vectors(tmp_path / "new", "documents") == expected(EMBEDDINGS)
    assert vectors(tmp_path / "new", TARGET) == expected(NEW)


@pytest.mark.long
@pytest.mark.parametrize("old", ["under way"], indirect=True)
def test_a_migration_that_was_under_way_goes_on(old: Path, tmp_path: Path) -> None:
    tear(old, TARGET)
    rescue(old, tmp_path / "new", embeddings=NEW_MODEL)
    store = opened(tmp_path / "new", OLD_MODEL)
    asked: list[str] = []

    def embed(texts: list[str]) -> Any:
        asked.extend(texts)
        return NEW.embed_documents(texts)

    migrate(store, FunctionEmbeddings(embed, fingerprint="new"))
    assert len(asked) < 100
    assert store.similarity_search(text(7))[0].id == "id7"
    closed(store)
    assert vectors(tmp_path / "new", TARGET) == expected(NEW)
