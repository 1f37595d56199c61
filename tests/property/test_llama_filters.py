"""LlamaIndex' filters: flat ones against its own evaluation, nested ones against a reference."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("llama_index.core")
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from langchain_chroma_hybrid.core.filters import askable, matches
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
from langchain_chroma_hybrid.llama_index import ChromaHybridVectorStore
from langchain_chroma_hybrid.llama_index.filters import read

if TYPE_CHECKING:
    from collections.abc import Mapping

try:
    _none = MetadataFilters(
        filters=[MetadataFilter(key="a", value=1)], condition=FilterCondition.NOT
    )
    build_metadata_filter_fn(lambda _: {}, _none)("")
except ValueError:
    pytest.skip("this llama-index-core cannot say what NOT means", allow_module_level=True)

Op = FilterOperator
_numbers = itertools.count()
# fmt: off
STRINGS = ("", "a", "A", "ab", "Banana", "1", "x y", "é", "2024-01-01", "None")
NUMBERS = (0, 1, -1, 2, 3, 2**53 + 1, -2**60, 0.0, 0.5, -0.5, 1.0, 1.5, -1.5, 2.0, 1e300, 0.1)
# fmt: on
keys = st.sampled_from(["a", "b", "#c", "with space"])
scalars = st.sampled_from(STRINGS) | st.sampled_from(NUMBERS) | st.text("abAB ", max_size=3)
stored = scalars | st.booleans() | st.none()
metadata = st.dictionaries(keys, stored, max_size=4)
storable = st.dictionaries(keys.filter(lambda key: key != "#c"), stored, max_size=3)
lists = st.one_of(
    st.lists(st.sampled_from(STRINGS), max_size=3),
    st.lists(st.sampled_from([n for n in NUMBERS if isinstance(n, int)]), max_size=3),
    st.lists(st.sampled_from([n for n in NUMBERS if isinstance(n, float)]), max_size=3),
)


def _condition(key: str, op: FilterOperator, value: Any) -> MetadataFilter:
    return MetadataFilter(key=key, operator=op, value=value)


_any_value = st.none() | scalars | lists
conditions = st.one_of(
    st.builds(_condition, keys, st.sampled_from([Op.EQ, Op.NE, Op.CONTAINS]), _any_value),
    st.builds(_condition, keys, st.sampled_from([Op.GT, Op.GTE, Op.LT, Op.LTE]), scalars),
    st.builds(
        _condition,
        keys,
        st.sampled_from([Op.IN, Op.NIN, Op.ANY, Op.ALL]),
        lists | st.sampled_from(STRINGS),
    ),
    st.builds(
        _condition,
        keys,
        st.sampled_from([Op.TEXT_MATCH, Op.TEXT_MATCH_INSENSITIVE]),
        st.sampled_from(STRINGS),
    ),
    st.builds(_condition, keys, st.just(Op.IS_EMPTY), st.none()),
)
joins = st.sampled_from([*FilterCondition, None])
flat = st.builds(
    lambda parts, kind: MetadataFilters(filters=parts, condition=kind),
    st.lists(conditions, max_size=3),
    joins,
)
nested = st.recursive(
    flat,
    lambda inner: st.builds(
        lambda parts, kind: MetadataFilters(filters=parts, condition=kind),
        st.lists(inner | conditions, max_size=3),
        joins,
    ),
    max_leaves=6,
)


def one(condition: MetadataFilter, values: Mapping[str, Any]) -> bool:
    """LlamaIndex' own word on one condition; a value of another kind does not meet it."""
    try:
        return build_metadata_filter_fn(lambda _: values, MetadataFilters(filters=[condition]))("")
    except TypeError:
        # `not in` is the opposite of `in`, whatever is asked.
        return condition.operator is Op.NIN


def reference(group: MetadataFilters, values: Mapping[str, Any]) -> bool:
    if not group.filters:
        return True
    met = [
        reference(part, values) if isinstance(part, MetadataFilters) else one(part, values)
        for part in group.filters
    ]
    if group.condition is FilterCondition.OR:
        return any(met)
    if group.condition is FilterCondition.NOT:
        return not any(met)
    return all(met)


def records(drawn: list[dict[str, Any]]) -> list[Record]:
    """As a LlamaIndex store would write them: None is an empty string."""
    return [
        Record(f"r{i}", "words", {k: "" if v is None else v for k, v in values.items()})
        for i, values in enumerate(drawn)
    ]


@settings(max_examples=150, deadline=None)
@given(metadata, flat)
def test_flat_filters_mean_what_llama_index_says(
    values: dict[str, Any], filters: MetadataFilters
) -> None:
    (record,) = records([values])
    try:
        expected = build_metadata_filter_fn(lambda _: record.metadata, filters)("")
    except TypeError:
        return
    assert matches(read(filters), record) is expected


@settings(max_examples=150, deadline=None)
@given(st.lists(metadata, min_size=1, max_size=4), nested)
def test_nested_filters_mean_what_their_parts_mean(
    drawn: list[dict[str, Any]], filters: MetadataFilters
) -> None:
    tree, index = read(filters), RankBM25Index()
    index.apply(records(drawn))
    passing = {r.id for r in records(drawn) if reference(filters, r.metadata)}
    assert {r.id for r in records(drawn) if matches(tree, r)} == passing
    assert set(index.match(tree)) == passing


@pytest.fixture(scope="module")
def client() -> Any:
    return chromadb.EphemeralClient()


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(storable, min_size=1, max_size=6), st.lists(nested | flat, min_size=4, max_size=6)
)
def test_a_store_finds_reads_and_deletes_what_passes(
    client: Any, drawn: list[dict[str, Any]], several: list[MetadataFilters]
) -> None:
    name = f"llama-filters-{next(_numbers)}"
    store = ChromaHybridVectorStore(client.create_collection(name, embedding_function=None))
    nodes = [
        TextNode(id_=f"r{i}", text="some words", metadata=values, embedding=[1.0, float(i)])
        for i, values in enumerate(drawn)
    ]
    store.add(nodes)
    raw = store.client.get()
    known = dict(zip(raw["ids"], raw["metadatas"], strict=True))
    for filters in several:
        passing = {id_ for id_, values in known.items() if reference(filters, values)}
        tree = read(filters)
        if tree is not None and askable(tree):  # Chroma itself would agree
            assert store._handle.index().store.match(tree) == passing
        for mode in ("default", "text_search", "hybrid", "semantic_hybrid"):
            query = VectorStoreQuery(
                query_str="words",
                query_embedding=[1.0, 0.0],
                similarity_top_k=10,
                filters=filters,
                mode=VectorStoreQueryMode(mode),
            )
            assert set(store.query(query).ids or ()) == passing, (mode, filters)
        listed = store.query(VectorStoreQuery(similarity_top_k=10, filters=filters))
        assert set(listed.ids or ()) == passing
        assert {node.node_id for node in store.get_nodes(filters=filters)} == passing
    if read(several[0]) is not None:
        passing = {id_ for id_, values in known.items() if reference(several[0], values)}
        store.delete_nodes(filters=several[0])
        assert set(store.client.get()["ids"]) == set(known) - passing
    assert store.verify().ok
