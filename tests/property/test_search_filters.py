"""A filtered search returns what its legs can reach and Chroma passes, nothing else."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.property import strategies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chromadb.api import ClientAPI

    from langchain_chroma_hybrid.core.values import Record

# Words of the strategies' texts, so that the lexical leg has something to find.
QUERY = "a ab abc or 日本 é xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
EMBEDDINGS = WordEmbeddings(8)

_numbers = itertools.count()


def modest(max_examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=max_examples, deadline=None, suppress_health_check=slow)


@pytest.fixture(
    scope="module", params=[pytest.param("memory", marks=pytest.mark.long), "disk"]
)
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClientAPI]:
    if request.param == "memory":
        yield chromadb.EphemeralClient()
    else:
        yield chromadb.PersistentClient(str(tmp_path_factory.mktemp("filters")))


class Filled:
    """A collection that others filled, and the store over it.

    It is not deleted: chromadb 1.5.9 forgets to delete lists in metadata with a collection, and
    shows them in whatever record gets the same row next.
    """

    def __init__(self, client: ClientAPI, records: list[Record]) -> None:
        name = f"search-filters-{next(_numbers)}"
        self.collection = client.create_collection(name, embedding_function=None)
        self.k = len(records)
        for with_text in (True, False):
            self._add([record for record in records if (record.text is not None) is with_text])
        self.store = HybridChroma(name, EMBEDDINGS, client=client)
        reachable = self.store.similarity_search(QUERY, k=self.k, mode="lexical")
        self.reach = {document.id for document in reachable}

    def _add(self, records: list[Record]) -> None:
        if records:
            self.collection.add(
                ids=[record.id for record in records],
                embeddings=[EMBEDDINGS.embed_query(record.text or "none") for record in records],
                documents=None if records[0].text is None else [r.text for r in records],
                metadatas=[dict(record.metadata) or None for record in records],
            )

    def passing(self, where: Any, where_document: Any) -> set[str]:
        got = self.collection.get(where=where, where_document=where_document, include=[])
        return set(got["ids"])

    def own_filters(self, records: list[Record]) -> list[Any]:
        """Filters that these records pass as they are now."""
        got = self.collection.get(ids=[record.id for record in records])["metadatas"] or []
        return [
            {key: {"$contains": value[0]} if isinstance(value, list) else value}
            for metadata in got
            for key, value in (metadata or {}).items()
            if value is not None
        ]

    def found(self, mode: str, where: Any, where_document: Any) -> list[str | None]:
        options = {"filter": where, "where_document": where_document, "mode": mode}
        return [d.id for d in self.store.similarity_search(QUERY, k=self.k, **options)]

    def found_by_chroma(self, mode: Any, where: Any, where_document: Any) -> list[str]:
        request = SearchRequest(
            QUERY, k=self.k, mode=mode, where=where, where_document=where_document
        )
        result = self.store._index.search(request, route="chroma")
        assert {leg.filtered_by for leg in result.legs} <= {"none", "chroma", "lexical"}
        return [hit.id for hit in result.hits]


filters = st.tuples(
    st.none() | strategies.where | strategies.where,
    st.none() | st.none() | strategies.where_document,
)


@modest(12)
@given(
    records=strategies.records(8),
    drawn=st.lists(filters, min_size=4, max_size=6),
)
def test_searches_return_exactly_what_chroma_passes(
    client: ClientAPI, records: list[Record], drawn: list[tuple[Any, Any]]
) -> None:
    filled = Filled(client, records)
    for where, where_document in drawn:
        passing = filled.passing(where, where_document)
        event("some pass" if 0 < len(passing) < len(records) else "all or none pass")
        for mode in ("hybrid", "vector"):
            assert set(filled.found(mode, where, where_document)) == passing
        for mode in ("lexical", "two_step"):
            assert set(filled.found(mode, where, where_document)) == passing & filled.reach


@modest(10)
@given(records=strategies.records(8), drawn=st.lists(filters, min_size=4, max_size=6))
def test_both_routes_give_the_same_ids(
    client: ClientAPI, records: list[Record], drawn: list[tuple[Any, Any]]
) -> None:
    filled = Filled(client, records)
    for where, where_document in drawn:
        lexical = filled.found("lexical", where, where_document)
        assert filled.found_by_chroma("lexical", where, where_document) == lexical
        vector = filled.found("vector", where, where_document)
        assert set(filled.found_by_chroma("vector", where, where_document)) == set(vector)


@modest(10)
@given(
    records=strategies.records(6),
    drawn=st.lists(filters, min_size=3, max_size=5),
    data=st.data(),
)
def test_what_was_changed_behind_our_back_is_never_let_through(
    client: ClientAPI, records: list[Record], drawn: list[tuple[Any, Any]], data: st.DataObject
) -> None:
    """The index may be behind and lose a result; it must not return what Chroma would not."""
    filled = Filled(client, records)
    changed = data.draw(st.lists(st.sampled_from(records), min_size=1, unique_by=id))
    drawn = [*drawn, *((where, None) for where in filled.own_filters(changed)[:6])]
    before = {str(where): filled.passing(where, None) for where, _ in drawn}
    metadata = st.dictionaries(strategies.keys, strategies.scalars, min_size=1, max_size=4)
    for record in changed:
        removed = dict.fromkeys(record.metadata)
        metadatas: Any = [{**removed, **data.draw(metadata)}]
        filled.collection.update(ids=[record.id], metadatas=metadatas)
    for where, where_document in drawn:
        passing = filled.passing(where, where_document)
        event("some no longer pass" if before[str(where)] - passing else "all that passed still do")
        for mode in ("hybrid", "vector", "lexical", "two_step"):
            assert set(filled.found(mode, where, where_document)) <= passing
    filled.store.sync(deep=True)
    for where, where_document in drawn:
        passing = filled.passing(where, where_document)
        assert set(filled.found("hybrid", where, where_document)) == passing
