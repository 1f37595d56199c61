"""A record passes here exactly when Chroma returns it."""

from __future__ import annotations

import itertools
import random
import re
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from langchain_chroma_hybrid.core.filters import (
    AllOf,
    AnyOf,
    Filter,
    Ids,
    Leaf,
    TextMatch,
    evaluable,
    json_float,
    leaves,
    matches,
    parse,
    resolve,
    stored_metadata,
    to_chroma,
)
from langchain_chroma_hybrid.core.values import Record
from tests.property import strategies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chromadb.api import ClientAPI

_numbers = itertools.count()


def modest(max_examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=max_examples, deadline=None, suppress_health_check=slow)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> ClientAPI:
    return chromadb.PersistentClient(str(tmp_path_factory.mktemp("filters")))


class Truth:
    """A Chroma collection that holds `records`, and the records as it gives them back."""

    def __init__(self, client: ClientAPI, records: list[Record]) -> None:
        name = f"filters-{next(_numbers)}"
        self._collection = client.create_collection(name, embedding_function=None)
        for with_text in (True, False):
            self._add([record for record in records if (record.text is not None) is with_text])
        got = self._collection.get()
        self.records = [
            Record(id_, text, metadata or {})
            for id_, text, metadata in zip(
                got["ids"], got["documents"], got["metadatas"], strict=True
            )
        ]

    def _add(self, records: list[Record]) -> None:
        if records:
            self._collection.add(
                ids=[record.id for record in records],
                embeddings=[[0.0]] * len(records),
                documents=None if records[0].text is None else [r.text for r in records],
                metadatas=[dict(record.metadata) or None for record in records],
            )

    def get(self, where: Any = None, where_document: Any = None) -> set[str]:
        got = self._collection.get(where=where, where_document=where_document, include=[])
        return set(got["ids"])

    def ask(self, node: Filter) -> set[str]:
        return self.get(*to_chroma(node))

    def passing(self, node: Filter | None) -> set[str]:
        return {record.id for record in self.records if matches(node, record)}


def _filters(*parts: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    return st.lists(st.tuples(*parts), min_size=8, max_size=16)


@modest(25)
@given(
    records=strategies.records(),
    filters=_filters(strategies.where, st.none() | strategies.substring_where_document),
)
def test_the_oracle_and_the_way_back_agree_with_chroma(
    client: ClientAPI, records: list[Record], filters: list[tuple[Any, Any]]
) -> None:
    truth = Truth(client, records)
    for where, where_document in filters:
        expected = truth.get(where, where_document)
        event("some pass" if 0 < len(expected) < len(records) else "all or none pass")
        tree = parse(where, where_document)
        assert truth.passing(tree) == expected
        assert truth.ask(tree) == expected


@modest(25)
@given(
    records=strategies.records(),
    filters=_filters(st.none() | strategies.where, strategies.where_document),
)
def test_regular_expressions_are_resolved_through_chroma(
    client: ClientAPI, records: list[Record], filters: list[tuple[Any, Any]]
) -> None:
    truth = Truth(client, records)
    for where, where_document in filters:
        expected = truth.get(where, where_document)
        tree = parse(where, where_document)
        assert truth.ask(tree) == expected
        assert truth.passing(resolve(tree, evaluable, truth.ask)) == expected


NEIGHBOURS = [*strategies.INTS, *strategies.FLOATS]


def test_every_pair_of_delicate_numbers_compares_as_in_chroma(client: ClientAPI) -> None:
    records = [Record(f"n{i}", "", {"n": number}) for i, number in enumerate(NEIGHBOURS)]
    records += [Record(f"l{i}", "", {"n": [number]}) for i, number in enumerate(NEIGHBOURS)]
    truth = Truth(client, records)
    for literal in NEIGHBOURS:
        for op in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains", "$not_contains"):
            where = {"n": {op: literal}}
            assert truth.passing(parse(where)) == truth.get(where), where


def test_every_fragment_is_found_as_in_chroma(client: ClientAPI) -> None:
    texts = [*strategies.FRAGMENTS, "", "a\0bc", "aXc", None, "x" * strategies.LONG + "END"]
    truth = Truth(client, [Record(f"t{i}", text) for i, text in enumerate(texts)])
    for fragment in (*strategies.FRAGMENTS, "END", "bc", "x" * 49_998, "%_" * 12_499):
        for op in ("$contains", "$not_contains"):
            expected = truth.get(None, {op: fragment})
            assert truth.passing(parse(None, {op: fragment})) == expected, (op, fragment[:80])
            assert truth.get({"#document": {op: fragment}}) == expected


def test_reserved_keys_are_answered_by_chroma(client: ClientAPI) -> None:
    truth = Truth(client, [Record("a", "one"), Record("b", "two"), Record("c", None)])
    for where in (
        {"chroma:document": "one"},
        {"chroma:document": {"$ne": "one"}},
        {"$or": [{"chroma:document": "two"}, {"#document": {"$contains": "one"}}]},
    ):
        resolved = resolve(parse(where), evaluable, truth.ask)
        assert truth.passing(resolved) == truth.get(where)


@modest(25)
@given(records=strategies.records())
def test_stored_metadata_foretells_what_chroma_gives_back(
    client: ClientAPI, records: list[Record]
) -> None:
    back = {record.id: record.metadata for record in Truth(client, records).records}
    for record in records:
        kept = {key: value for key, value in back[record.id].items() if value is not None}
        assert stored_metadata(record.metadata) == kept


@pytest.mark.parametrize("each", [40, pytest.param(150, marks=pytest.mark.long)])
def test_floats_are_read_by_chroma_as_json_float_says(client: ClientAPI, each: int) -> None:
    draw = random.Random(4)  # noqa: S311 -- reproducible numbers, no secrets
    numbers = [draw.random() for _ in range(each)]
    numbers += [draw.uniform(-1e18, 1e18) for _ in range(each)]
    numbers += [draw.choice([-1, 1]) * 10.0 ** draw.uniform(-323, 308) for _ in range(each)]
    truth = Truth(client, [Record(str(i), "", {"n": n}) for i, n in enumerate(numbers)])
    stored = {record.id: record.metadata["n"] for record in truth.records}
    assert stored == {str(i): json_float(number) for i, number in enumerate(numbers)}
    assert list(stored.values()) != numbers
    for number in stored.values():
        for op in ("$eq", "$gt"):
            where = {"n": {op: number}}
            assert truth.passing(parse(where)) == truth.get(where)


def _evaluate(node: Filter, record: Record) -> bool:
    """The oracle, with Python's `re` where `matches` refuses: any fixed meaning will do here."""
    if isinstance(node, AllOf | AnyOf):
        results = [_evaluate(part, record) for part in node.parts]
        return all(results) if isinstance(node, AllOf) else any(results)
    if isinstance(node, TextMatch) and node.op.endswith("regex"):
        pattern = re.escape(node.pattern[:1])
        found = re.search(pattern, record.text or "") is not None
        return found is (node.op == "$regex")
    return matches(node, record)


def _unsupported(node: Filter, supported: dict[Leaf, bool]) -> Iterator[Leaf]:
    return (leaf for leaf in leaves(node) if not isinstance(leaf, Ids) and not supported[leaf])


def _forms(leaf: Leaf) -> list[Leaf]:
    """What may have been asked: the leaf, or for a text that is absent where it is present."""
    if isinstance(leaf, TextMatch) and not leaf.op.startswith("$not_"):
        return [leaf, TextMatch(f"$not_{leaf.op[1:]}", leaf.pattern)]
    return [leaf]


@modest(120)
@given(
    records=strategies.records(),
    where=strategies.where,
    where_document=st.none() | strategies.where_document,
    mixed=st.booleans(),
    data=st.data(),
)
def test_resolving_any_part_keeps_the_meaning(
    records: list[Record], where: Any, where_document: Any, mixed: bool, data: st.DataObject
) -> None:
    tree = parse(where, where_document)
    if mixed and where_document is not None:
        tree = AnyOf((parse(where), tree))
    supported = {leaf: data.draw(st.booleans()) for leaf in leaves(tree)}
    questions: list[Filter] = []

    def ask(question: Filter) -> list[str]:
        questions.append(question)
        read_back = parse(*to_chroma(question))
        return [record.id for record in records if _evaluate(read_back, record)]

    resolved = resolve(tree, supported.__getitem__, ask)

    assert not list(_unsupported(resolved, supported))
    assert len(set(questions)) == len(questions)
    for leaf in (leaf for question in questions for leaf in leaves(question)):
        assert not all(supported[form] for form in _forms(leaf) if form in supported)
    for record in records:
        assert _evaluate(resolved, record) is _evaluate(tree, record)
