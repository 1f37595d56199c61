"""Filters of every engine against the oracle, and through a real Chroma collection."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid.core.filters import matches, parse, stored_metadata
from langchain_chroma_hybrid.core.values import Record
from tests.engines import ENGINES, empty_index
from tests.property.strategies import FLOATS, INTS, LONG, STRINGS, metadata_where, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chromadb.api.models.Collection import Collection

wheres = st.lists(metadata_where, min_size=1, max_size=8)


def as_read(record: Record) -> Record:
    return Record(record.id, record.text, stored_metadata(record.metadata))


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=60, deadline=None)
@given(first=records(), second=records(), data=st.data(), conditions=wheres)
def test_match_is_the_oracle(
    engine: str,
    first: list[Record],
    second: list[Record],
    data: st.DataObject,
    conditions: list[dict[str, Any]],
) -> None:
    deleted = data.draw(st.sets(st.sampled_from([record.id for record in first])))
    expected = {record.id: as_read(record) for record in first}
    with empty_index(engine) as index:
        index.apply(list(expected.values()))
        index.apply([as_read(record) for record in second], deleted)
        for record_id in deleted:
            del expected[record_id]
        expected |= {record.id: as_read(record) for record in second}
        assert set(index.ids()) == set(expected)
        for where in conditions:
            tree = parse(where)
            passing = sorted(key for key, record in expected.items() if matches(tree, record))
            assert sorted(index.match(tree)) == passing, where
            assert index.match_count(tree) == len(passing)
            planned = index.plan(tree, len(passing))
            assert (planned.passing, planned.total) == (len(passing), len(expected))
            assert sorted(planned.ids or ()) == passing


VALUES: list[Any] = [*STRINGS, *INTS, *FLOATS, True, False, "x" * LONG, "x" * (LONG + 1)]


def every_condition() -> Iterator[dict[str, Any]]:
    for value in VALUES:
        for op in ("$eq", "$ne", "$contains", "$not_contains"):
            yield {"a": {op: value}}
        for op in ("$in", "$nin"):
            yield {"a": {op: [value]}}
        if type(value) in (int, float):
            for op in ("$gt", "$gte", "$lt", "$lte"):
                yield {"a": {op: value}}


@pytest.mark.parametrize("engine", ENGINES)
def test_every_operator_on_every_pair_of_values(engine: str) -> None:
    records = [Record(f"scalar{n}", None, {"a": value}) for n, value in enumerate(VALUES)]
    records += [Record(f"list{n}", None, {"a": [value]}) for n, value in enumerate(VALUES)]
    records = [as_read(record) for record in [*records, Record("bare", None)]]
    with empty_index(engine) as index:
        index.apply(records)
        for where in every_condition():
            tree = parse(where)
            expected = {record.id for record in records if matches(tree, record)}
            assert set(index.match(tree)) == expected, where


@pytest.fixture(scope="module")
def client() -> Any:
    return chromadb.EphemeralClient()


def read_back(collection: Collection) -> list[Record]:
    got = collection.get(include=["documents", "metadatas"])
    rows = zip(got["ids"], got["documents"] or [], got["metadatas"] or [], strict=True)
    return [Record(record_id, text, metadata or {}) for record_id, text, metadata in rows]


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25, deadline=None)
@given(drawn=records(), conditions=wheres)
def test_match_is_what_chroma_returns(
    client: Any, engine: str, drawn: list[Record], conditions: list[dict[str, Any]]
) -> None:
    collection = client.create_collection(f"c{uuid.uuid4().hex}", embedding_function=None)
    for record in drawn:
        collection.add(
            ids=[record.id],
            embeddings=[[1.0, 2.0]],
            documents=None if record.text is None else [record.text],
            metadatas=[dict(record.metadata)] if record.metadata else None,
        )
    with empty_index(engine) as index:
        index.apply(read_back(collection))
        for where in conditions:
            expected = sorted(collection.get(where=where, include=[])["ids"])
            assert sorted(index.match(parse(where))) == expected, where
    client.delete_collection(collection.name)
