"""Filters over a server that searches itself: exactly what our own evaluation says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid import HybridChroma, create_hybrid_collection
from langchain_chroma_hybrid.core.filters import evaluable, leaves, matches, parse, writable
from langchain_chroma_hybrid.errors import FilterError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.cloud import Cloud, client_of, cloud_before
from tests.helpers import fresh_name
from tests.property import strategies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chromadb.api import ClientAPI

    from langchain_chroma_hybrid.core.values import Record

Server: TypeAlias = "tuple[Cloud, ClientAPI]"
QUERY = "a ab abc or 日本 é"
EMBEDDINGS = WordEmbeddings(8)


@pytest.fixture(scope="module")
def server(port: int) -> Iterator[Server]:
    with cloud_before(port) as cloud:
        yield cloud, client_of(cloud)


def modest(max_examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=max_examples, deadline=None, suppress_health_check=slow)


def sendable(value: Any) -> bool:
    """Whether JSON can say it, and Chroma's integers."""
    several = value if isinstance(value, list) else [value]
    return all(
        not isinstance(one, int | float) or (math.isfinite(one) and -(2**63) <= one < 2**63)
        for one in several
    )


def filled(client: ClientAPI, records: list[Record]) -> tuple[HybridChroma, list[Record]]:
    """A store over those records, written by plain chromadb, and the records as they came back."""
    name = fresh_name()
    create_hybrid_collection(client, name)
    collection = client.get_collection(name, embedding_function=None)
    for with_text in (True, False):
        some = [record for record in records if (record.text is not None) is with_text]
        if some:
            kept = [{k: v for k, v in r.metadata.items() if sendable(v)} for r in some]
            collection.add(
                ids=[record.id for record in some],
                embeddings=[EMBEDDINGS.embed_query(record.text or "none") for record in some],
                documents=[str(record.text) for record in some] if with_text else None,
                metadatas=[metadata or None for metadata in kept],  # type: ignore[misc]
            )
    store = HybridChroma(name, EMBEDDINGS, client=client, lexical="chroma:")
    return store, list(store._index.store.fetch([record.id for record in records]).values())


def check(server: Server, records: list[Record], drawn: list[tuple[Any, Any]]) -> None:
    """Each mode finds what passes, and nothing else."""
    cloud, client = server
    store, stored = filled(client, records)
    k = len(records)

    def found(mode: str, where: Any = None, where_document: Any = None) -> set[str | None]:
        options = {"filter": where, "where_document": where_document, "mode": mode}
        return {d.id for d in store.similarity_search(QUERY, k=k, **options)}

    reach = found("lexical")
    for where, where_document in drawn:
        tree = parse(where, where_document)
        if tree is not None and not writable(tree):
            with pytest.raises(FilterError):
                found("hybrid", where, where_document)
            continue
        if tree is None or all(map(evaluable, leaves(tree))):
            passing = {record.id for record in stored if matches(tree, record)}
        else:  # regular expressions are Chroma's own
            passing = {*store.get(where=where, where_document=where_document)["ids"]}
        event("some pass" if 0 < len(passing) < k else "all or none pass")
        cloud.forget()
        assert found("hybrid", where, where_document) == passing
        assert [bool(sent["rank"]) for sent in cloud.searches] == [True]
        assert found("vector", where, where_document) == passing
        assert found("lexical", where, where_document) == passing & reach


filters = st.tuples(
    st.none() | strategies.where | strategies.where,
    st.none() | st.none() | strategies.where_document,
)


@modest(2)
@given(records=strategies.records(6), drawn=st.lists(filters, min_size=4, max_size=4))
def test_searches_find_exactly_what_passes(
    server: Server, records: list[Record], drawn: list[tuple[Any, Any]]
) -> None:
    check(server, records, drawn)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@modest(200)
@given(records=strategies.records(8), drawn=st.lists(filters, min_size=4, max_size=6))
def test_many_searches_find_exactly_what_passes(
    server: Server, records: list[Record], drawn: list[tuple[Any, Any]]
) -> None:
    check(server, records, drawn)
