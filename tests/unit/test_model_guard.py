"""The model at hand is the one that has filled the collection, or somebody is told."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.errors import (
    ChromaHybridWarning,
    EmbeddingError,
    InvalidArgumentError,
    ModelChangedError,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import fresh_name

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["A red pump", "A green valve", "Seals for pumps", "An invoice"]
QUERY = "red pump"


class Counted:
    """Vectors of words by one of several models: another seed, other directions."""

    def __init__(self, seed: int = 0, noise: float = 0.0) -> None:
        self.calls: list[list[str]] = []
        self._turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(64, 64)))[0]
        self._noise = noise

    def __call__(self, texts: list[str]) -> Any:
        self.calls.append(texts)
        vectors = np.array(WordEmbeddings().embed_documents(texts)) @ self._turn
        return vectors + self._noise * np.random.default_rng(1).normal(size=vectors.shape) / 8


def model(name: str | None, seed: int = 0, **options: Any) -> FunctionEmbeddings:
    return FunctionEmbeddings(Counted(seed, **options), fingerprint=name)


def opened(name: str, embeddings: Any, folder: Path | None = None, **options: Any) -> HybridChroma:
    directory = None if folder is None else str(folder)
    return HybridChroma(name, embeddings, directory, **options)


def foreign(name: str, embeddings: Any, folder: Path | None = None) -> Chroma:
    """What another program has filled."""
    store = Chroma(name, embeddings, None if folder is None else str(folder))
    store.add_texts(TEXTS, ids=[f"R{i}" for i in range(len(TEXTS))])
    return store


# A collection that was filled here


def test_another_model_is_refused_with_both_names(tmp_path: Path) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        store.add_texts(TEXTS)

    with opened(name, model("other-model", 1), tmp_path) as store:
        for act in (
            lambda: store.similarity_search(QUERY),
            lambda: store.add_texts(["more"]),
            lambda: store.update_documents(["R1"], [Document("more")]),
            lambda: store.as_retriever().invoke(QUERY),
            lambda: store.similarity_search(QUERY, mode="two_step"),
        ):
            with pytest.raises(ModelChangedError) as refused:
                act()
            said = str(refused.value)
            assert all(part in said for part in (name, "first-model", "other-model", "migrate("))
        assert store.similarity_search(QUERY, mode="lexical")[0].page_content == "A red pump"
        assert len(store.get()["ids"]) == len(TEXTS)


async def test_so_it_is_for_asynchronous_calls(tmp_path: Path) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        await store.aadd_texts(TEXTS)
    with opened(name, model("other-model", 1), tmp_path) as store:
        with pytest.raises(ModelChangedError, match="first-model"):
            await store.asimilarity_search(QUERY)
        with pytest.raises(ModelChangedError, match="first-model"):
            await store.aadd_texts(["more"])


def test_the_same_model_costs_no_call(tmp_path: Path) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        store.add_texts(TEXTS)
    again = Counted()
    with opened(name, FunctionEmbeddings(again, fingerprint="first-model"), tmp_path) as store:
        store.similarity_search(QUERY)
    assert again.calls == [[QUERY]]


def test_an_empty_collection_is_anybodys(tmp_path: Path) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        ids = store.add_texts(TEXTS)
        store.delete(ids)
    with opened(name, model("other-model", 1), tmp_path) as store:
        assert store.similarity_search(QUERY) == []
        store.add_texts(TEXTS)
    with (
        opened(name, model("first-model"), tmp_path) as store,
        pytest.raises(ModelChangedError, match="other-model"),
    ):
        store.similarity_search(QUERY)


@pytest.mark.parametrize("on_model_change", ["warn", "ignore"])
def test_it_is_served_where_somebody_wants_that(tmp_path: Path, on_model_change: Any) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        store.add_texts(TEXTS)
    with opened(name, model("other", 1), tmp_path, on_model_change=on_model_change) as store:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            store.similarity_search(QUERY)
            store.similarity_search(QUERY)
            store.add_texts(["more"])
        assert [w.category for w in caught] == (
            [ChromaHybridWarning] if on_model_change == "warn" else []
        )


def test_a_collection_that_was_deleted_leaves_no_note(tmp_path: Path) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        store.add_texts(TEXTS)
        assert list((tmp_path / "models").glob("*.json"))
        store.delete_collection()
    assert not list((tmp_path / "models").iterdir())


def test_other_ways_to_degrade_stay(tmp_path: Path) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        store.add_texts(TEXTS)
    with opened(name, model("other-model", 1), tmp_path, on_leg_error="degrade") as store:
        result = store.explain(QUERY)
    assert result.hits[0].record.text == "A red pump"
    assert "first-model" in str(result)


# A collection of somebody else


def test_a_foreign_one_is_looked_at_once(tmp_path: Path) -> None:
    name = fresh_name()
    foreign(name, model(None), tmp_path)
    first, again = Counted(), Counted()

    for counted, calls in ((first, 2), (again, 1)):
        embeddings = FunctionEmbeddings(counted, fingerprint="its-model")
        store = Chroma(name, embeddings, str(tmp_path))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            retriever = ChromaHybridRetriever.from_vectorstore(store)
            assert retriever.invoke(QUERY)[0].page_content == "A red pump"
        assert len(counted.calls) == calls
        retriever.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_model_over_a_foreign_one_warns_once_in_a_process(
    tmp_path: Path, seed: int
) -> None:
    name = fresh_name()
    foreign(name, model(None), tmp_path)
    for calls in (2, 1):
        counted = Counted(seed)
        embeddings = FunctionEmbeddings(counted, fingerprint="other-model")
        retriever = ChromaHybridRetriever.from_vectorstore(Chroma(name, embeddings, str(tmp_path)))
        with pytest.warns(ChromaHybridWarning, match=r"other-model.*cosine of -?0\.\d\d"):
            retriever.invoke(QUERY)
        retriever.invoke(QUERY)
        assert len([c for c in counted.calls if c != [QUERY]]) == calls - 1
        retriever.close()


def test_it_raises_where_somebody_wants_that() -> None:
    name = fresh_name()
    store = foreign(name, model(None))
    store._embedding_function = model("other-model", 1)
    retriever = ChromaHybridRetriever.from_vectorstore(store, on_model_change="raise")
    with pytest.raises(ModelChangedError, match="other-model"):
        retriever.invoke(QUERY)


def test_nearly_the_same_vectors_are_the_same_model() -> None:
    name = fresh_name()
    store = foreign(name, model(None))
    store._embedding_function = model("in-int8", noise=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ChromaHybridRetriever.from_vectorstore(store).invoke(QUERY)


def test_a_callable_without_a_name_is_not_looked_at() -> None:
    name = fresh_name()
    store = foreign(name, model(None))
    counted = Counted(1)
    store._embedding_function = FunctionEmbeddings(counted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ChromaHybridRetriever.from_vectorstore(store).invoke(QUERY)
    assert counted.calls == [[QUERY]]


def test_adopted_it_is_ours(tmp_path: Path) -> None:
    name = fresh_name()
    foreign(name, model(None), tmp_path)
    with opened(name, model("its-model"), tmp_path) as store:
        store.adopt()
        assert store.similarity_search(QUERY)[0].page_content == "A red pump"
    with (
        opened(name, model("other-model", 1), tmp_path) as store,
        pytest.raises(ModelChangedError, match="its-model"),
    ):
        store.similarity_search(QUERY)


def test_pictures_and_nodes_of_llama_index_tell_nothing() -> None:
    client = chromadb.EphemeralClient()
    collection = client.create_collection(fresh_name(), embedding_function=None)
    vectors = np.random.default_rng(0).normal(size=(2, 64)).tolist()
    collection.add(
        ["a", "b"], vectors, [None, {"_node_content": "{}"}], ["a pump", "a valve"],  # type: ignore[list-item]
        uris=["a.png", None],  # type: ignore[list-item]
    )  # fmt: skip
    store = Chroma(collection.name, model("clip"), client=client)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ChromaHybridRetriever.from_vectorstore(store).invoke(QUERY)


# Dimensions


@pytest.mark.parametrize("fingerprint", [None, "other-model"])
def test_another_dimension_names_collection_and_model(
    tmp_path: Path, fingerprint: str | None
) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        store.add_texts(TEXTS)
    small = FunctionEmbeddings(WordEmbeddings(8).embed_documents, fingerprint=fingerprint)
    with opened(name, small, tmp_path, on_model_change="ignore") as store:
        for act in (lambda: store.similarity_search(QUERY), lambda: store.add_texts(["more"])):
            with pytest.raises(EmbeddingError) as refused:
                act()
            said = str(refused.value)
            assert all(part in said for part in (name, "64", "got 8", "first-model")), said


def test_another_dimension_over_a_foreign_one() -> None:
    name = fresh_name()
    store = foreign(name, model(None))
    store._embedding_function = FunctionEmbeddings(
        WordEmbeddings(8).embed_documents, fingerprint="small"
    )
    with pytest.raises(EmbeddingError, match=rf"64 numbers, as collection '{name}' has, got 8"):
        ChromaHybridRetriever.from_vectorstore(store).invoke(QUERY)


# Bad input


def test_a_wrong_choice_lists_the_right_ones() -> None:
    with pytest.raises(InvalidArgumentError, match=r"on_model_change: .*raise, warn, ignore"):
        opened(fresh_name(), model("a"), on_model_change="never")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"format": 1, "models": 3}', "7" * 9])
def test_a_damaged_note_is_as_none(tmp_path: Path, content: str) -> None:
    name = fresh_name()
    with opened(name, model("first-model"), tmp_path) as store:
        store.add_texts(TEXTS)
    (note,) = (tmp_path / "models").glob("*.json")
    note.write_text(content)
    with opened(name, model("first-model"), tmp_path) as store:
        assert store.similarity_search(QUERY)[0].page_content == "A red pump"
