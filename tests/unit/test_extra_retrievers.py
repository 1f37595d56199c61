"""Further legs: fused by their order, held to the same filters, never trusted."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.errors import InvalidArgumentError, SearchError
from tests.helpers import filled, ids_of


class Fixed(BaseRetriever):
    """Returns what it was made with, whatever is asked."""

    ids: list[str | None]
    broken: bool = False

    def _get_relevant_documents(self, query, *, run_manager):
        if self.broken:
            raise RuntimeError("out of order")
        return [Document("forged text", id=id_, metadata={"tenant": "a"}) for id_ in self.ids]


@pytest.fixture(scope="module")
def store():
    return filled()


def with_leg(store, *ids, **options):
    return ChromaHybridRetriever(
        vectorstore=store, k=8, extra_retrievers={"sparse": Fixed(ids=list(ids))}, **options
    )


def test_its_order_counts(store):
    query = "error R123-78 pump"
    without = ids_of(ChromaHybridRetriever(vectorstore=store, k=8).invoke(query))
    assert without[0] == "pump"
    weights = {"lexical": 1, "vector": 1, "sparse": 5}
    assert ids_of(with_leg(store, "river", "bank", weights=weights).invoke(query))[:1] == ["river"]
    alone = with_leg(store, "river", "bank", weights=[0, 0, 1]).invoke(query)
    assert ids_of(alone) == ["river", "bank"]
    scored = with_leg(store, "river", "bank", weights=[0, 0, 1]).search(query).hits
    assert [(hit.id, hit.score) for hit in scored] == [("river", 1.0), ("bank", 0.5)]


async def test_the_same_without_blocking(store):
    retriever = with_leg(store, "river", "bank")
    assert ids_of(await retriever.ainvoke("water")) == ids_of(retriever.invoke("water"))


def test_explained_like_the_others(store):
    (first, *_) = with_leg(store, "river").search("river water").hits
    views = {leg.name: leg for leg in first.legs}
    assert set(views) == {"lexical", "vector", "sparse"}
    assert sum(leg.weight for leg in first.legs) == pytest.approx(1)
    assert views["sparse"].rank == 1


def test_nothing_but_what_the_collection_holds_comes_back(store):
    retriever = with_leg(store, "unknown", None, "river", weights=[0, 0, 1])
    (document,) = retriever.invoke("anything")
    assert document.id == "river"
    assert document.page_content == "Water runs down the river in spring"


@pytest.mark.parametrize(
    "options",
    [
        {"base_filter": {"tenant": "a"}},
        {"filter": {"tenant": "a"}},
        {"base_where_document": {"$not_contains": "river"}},
        {"where_document": {"$regex": "^The maple"}},
    ],
)
async def test_its_hits_pass_the_same_filters(store, options):
    retriever = with_leg(store, "river", "bank", "leaves", weights=[0, 0, 1], **options)
    assert ids_of(retriever.invoke("river")) == ["leaves"]
    assert ids_of(await retriever.ainvoke("river")) == ["leaves"]


@pytest.mark.parametrize("mode", ["vector", "lexical", "two_step"])
def test_it_runs_in_hybrid_mode_only(store, mode):
    retriever = with_leg(store, "river", mode=mode)
    retriever.extra_retrievers["sparse"].broken = True
    assert "pump" in ids_of(retriever.invoke("pump R123-78"))


async def test_its_failure_is_like_any_legs(store):
    legs = {"sparse": Fixed(ids=[], broken=True)}
    strict = ChromaHybridRetriever(vectorstore=store, extra_retrievers=legs)
    with pytest.raises(RuntimeError, match="out of order"):
        strict.invoke("pump")
    with pytest.raises(RuntimeError, match="out of order"):
        await strict.ainvoke("pump")
    assert strict.invoke("pump", on_leg_error="degrade")
    assert await strict.ainvoke("pump", on_leg_error="degrade")
    with pytest.raises(SearchError, match="out of order"):
        strict.invoke("pump", on_leg_error="degrade", weights=[0, 0, 1])


def test_names_of_the_own_legs_are_taken(store):
    with pytest.raises(InvalidArgumentError, match="extra_retrievers"):
        ChromaHybridRetriever(vectorstore=store, extra_retrievers={"vector": Fixed(ids=[])})
    with pytest.raises(InvalidArgumentError, match="weights"):
        with_leg(store, "river", weights=[1, 1])
