"""Filters: what `parse` takes and refuses, how trees are joined, written and resolved."""

from __future__ import annotations

import enum
from collections import OrderedDict
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from langchain_chroma_hybrid.core.filters import (
    AllOf,
    Among,
    AnyOf,
    Compare,
    Filter,
    HasElement,
    Ids,
    TextMatch,
    all_of,
    evaluable,
    json_float,
    matches,
    meant_float,
    meant_int,
    parse,
    resolve,
    stored_metadata,
    to_chroma,
)
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import FilterError

A1, B2 = Compare("a", "$eq", 1), Compare("b", "$eq", 2)
HELLO, REGEX = TextMatch("$contains", "hello"), TextMatch("$regex", "h.llo")


class Color(enum.StrEnum):
    RED = "red"


class Level(enum.Enum):
    LOW = 1


class Name(str):
    __slots__ = ()


def nested(depth: int, *leaves: dict[str, Any]) -> dict[str, Any]:
    node, other = leaves or ({"a": 1}, {"b": 2})
    for level in range(depth):
        node = {("$or", "$and")[level % 2]: [node, other]}
    return node


TEXTS = {"$contains": "a"}, {"$contains": "b"}


def test_sixty_levels_are_read() -> None:
    assert parse(nested(60), nested(60, *TEXTS)) is not None


@pytest.mark.parametrize(
    ("where", "tree"),
    [
        ({"a": 1}, A1),
        ({"a": {"$eq": 1}}, A1),
        ({"a": {"$lte": 1.5}}, Compare("a", "$lte", 1.5)),
        ({"a": {"$in": ["x", "y", "x"]}}, Among("a", ("x", "y"))),
        ({"a": {"$nin": [1]}}, Among("a", (1,), negated=True)),
        ({"a": {"$contains": "x"}}, HasElement("a", "x")),
        ({"a": {"$not_contains": True}}, HasElement("a", True, negated=True)),
        ({"#document": {"$contains": "hello"}}, HELLO),
        ({"$or": [{"a": 1}, {"b": 2}]}, AnyOf((A1, B2))),
        ({"": ""}, Compare("", "$eq", "")),
    ],
)
def test_chromas_grammar(where: dict[str, Any], tree: Filter) -> None:
    assert parse(where) == tree


@pytest.mark.parametrize(
    ("where", "tree"),
    [
        ({"a": 1, "b": 2}, AllOf((A1, B2))),
        ({"a": {"$gt": 0, "$lt": 3}}, AllOf((Compare("a", "$gt", 0), Compare("a", "$lt", 3)))),
        ({"$and": [{"a": 1}]}, A1),
        ({"$or": ({"a": 1}, {"b": 2}), "a": 1}, AllOf((AnyOf((A1, B2)), A1))),
        (MappingProxyType({"a": OrderedDict({"$in": (1, 2)})}), Among("a", (1, 2))),
        ({"a": np.int64(1)}, A1),
        ({"a": np.bool_(True)}, Compare("a", "$eq", True)),
        ({"a": np.float32(0.5)}, Compare("a", "$eq", 0.5)),
        ({"a": {"$in": [np.str_("x"), Name("y")]}}, Among("a", ("x", "y"))),
        ({Name("a"): Color.RED}, Compare("a", "$eq", "red")),
        ({"a": Level.LOW}, A1),
    ],
)
def test_beyond_chromas_grammar(where: Any, tree: Filter) -> None:
    parsed = parse(where)
    assert parsed == tree
    assert parse(*to_chroma(parsed)) == tree


def test_values_in_the_tree_are_plain() -> None:
    assert type(parse({"a": Name("x")}).value) is str
    assert type(parse({"a": Color.RED}).value) is str
    assert type(parse({"a": np.float64(1)}).value) is float
    assert type(parse({Name("a"): 1}).key) is str


HUGE_LIST: list[Any] = []
for _ in range(100_000):
    HUGE_LIST = [HUGE_LIST]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ([], "where: expected a non-empty dict, got []"),
        ("a", "where: expected a non-empty dict, got 'a'"),
        ({1: 2}, "where: expected a str as key, got 1"),
        ({"$contains": "x"}, "where: expected a metadata key, $and or $or, got '$contains'"),
        ({"$adn": []}, "got '$adn' (did you mean $and?)"),
        ({"$and": []}, "where['$and']: expected a non-empty list of filters, got []"),
        ({"$or": {"a": 1}}, "where['$or']: expected a non-empty list of filters"),
        ({"$and": [{"a": 1}, {}]}, "where['$and'][1]: expected a non-empty dict, got {}"),
        ({"a": None}, "where['a']: expected a str, int, float or bool, got None"),
        ({"a": ["x"]}, "bool, not several: write {'$in': [...]}, got ['x']"),
        ({"a": b"x"}, "where['a']: expected a str, int, float or bool, got b'x'"),
        ({"a": {}}, "where['a']: expected a non-empty dict, got {}"),
        ({"a": {"$eq": ["x"]}}, "where['a']['$eq']: expected a str, int, float or bool"),
        ({"a": {"$greater": 1}}, "where['a']: expected one of $eq, $ne, $gt"),
        ({"a": {"$contain": 1}}, "got '$contain' (did you mean $contains?)"),
        ({"a": {"$gt": "1"}}, "where['a']['$gt']: expected an int or a float, got '1'"),
        ({"a": {"$lt": True}}, "where['a']['$lt']: expected an int or a float, got True"),
        ({"a": {"$in": []}}, "where['a']['$in']: expected a non-empty list"),
        ({"a": {"$in": "abc"}}, "where['a']['$in']: expected a non-empty list"),
        ({"a": {"$in": [1, "1"]}}, "where['a']['$in']: expected values of one type"),
        ({"a": {"$nin": [1, True]}}, "where['a']['$nin']: expected values of one type"),
        ({"a": {"$in": [1, None]}}, "where['a']['$in'][1]: expected a str, int"),
        ({"a": float("nan")}, "where['a']: expected a finite number, got nan"),
        ({"a": {"$lt": float("inf")}}, "where['a']['$lt']: expected a finite number, got inf"),
        ({"a": 2**63}, "where['a']: expected an int of at most 64 bits"),
        ({"a": 10**5000}, "where['a']: expected an int of at most 64 bits, got a huge int"),
        ({"a": "\ud800"}, "where['a']: expected text that UTF-8 can hold"),
        ({"\ud800": 1}, "expected text that UTF-8 can hold"),
        ({"#document": "x"}, "where['#document']: expected a non-empty dict, got 'x'"),
        ({"#document": {"$eq": "x"}}, "where['#document']: expected one of $contains"),
        ({"#document": {"$contains": ""}}, "where['#document']['$contains']: expected a non-empty"),
        (nested(61), "expected at most 60 levels of $and and $or"),
        (nested(10_000), "expected at most 60 levels of $and and $or"),
        ({"a": HUGE_LIST}, "bool, not several: write {'$in'"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_chroma_rejects_is_one_clear_error(where: Any, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(where)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("where_document", "message"),
    [
        ({"$contians": "x"}, "got '$contians' (did you mean $contains?)"),
        ({"a": "x"}, "where_document: expected one of $contains, $not_contains, $regex"),
        ({"$contains": ""}, "where_document['$contains']: expected a non-empty str, got ''"),
        ({"$regex": 1}, "where_document['$regex']: expected a non-empty str, got 1"),
        ({"$contains": "a\0"}, "where_document['$contains']: expected a str without NUL"),
        ({"$contains": "%" * 25_000}, "expected at most 49998 bytes"),
        ({"$or": [{"$contains": "a"}, None]}, "where_document['$or'][1]: expected a non-empty"),
        (nested(61, *TEXTS), "expected at most 60 levels of $and and $or"),
        (nested(10_000, *TEXTS), "expected at most 60 levels of $and and $or"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_a_bad_document_filter_is_one_clear_error(where_document: Any, message: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(None, where_document)
    assert message in str(caught.value)


def test_errors_name_the_callers_argument() -> None:
    with pytest.raises(FilterError, match=r"^filter\['a'\]: "):
        parse({"a": None}, names=("filter", "where_document"))


def test_no_filter_is_no_restriction() -> None:
    assert parse() is None
    assert to_chroma(None) == (None, None)
    assert matches(None, Record("x", None))


def test_both_arguments_are_joined() -> None:
    assert parse({"a": 1}, {"$contains": "hello"}) == AllOf((A1, HELLO))


def test_all_of_flattens_and_drops_duplicates() -> None:
    assert all_of() is None
    assert all_of(None, A1, None) is A1
    assert all_of(A1, AllOf((B2, A1))) == AllOf((A1, B2))
    assert all_of(AnyOf((A1, B2)), A1) == AllOf((AnyOf((A1, B2)), A1))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": True}),
        ({"a": {"$contains": 1}}, {"a": {"$contains": 1.0}}),
        ({"a": {"$in": [0]}}, {"a": {"$in": [False]}}),
    ],
)
def test_equal_in_python_is_not_equal_in_a_filter(one: Any, other: Any) -> None:
    assert parse(one) != parse(other)
    assert len(parse({"$or": [one, other]}).parts) == 2


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (A1, ({"a": {"$eq": 1}}, None)),
        (REGEX, (None, {"$regex": "h.llo"})),
        (
            AllOf((A1, HELLO, B2)),
            ({"$and": [{"a": {"$eq": 1}}, {"b": {"$eq": 2}}]}, {"$contains": "hello"}),
        ),
        (AnyOf((HELLO, REGEX)), (None, {"$or": [{"$contains": "hello"}, {"$regex": "h.llo"}]})),
        (
            AnyOf((A1, HELLO)),
            ({"$or": [{"a": {"$eq": 1}}, {"#document": {"$contains": "hello"}}]}, None),
        ),
    ],
)
def test_written_as_chroma_takes_it(tree: Filter, expected: Any) -> None:
    assert to_chroma(tree) == expected


@pytest.mark.parametrize(
    "tree", [Ids(frozenset("x")), AnyOf((A1, REGEX)), AllOf((A1, Ids(frozenset())))]
)
def test_what_has_no_form_in_chroma_cannot_be_written(tree: Filter) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        to_chroma(tree)


RECORD = Record("r", "say hello\0there", {"n": 1, "f": 1.5, "t": True, "s": "x", "l": [1, 2]})


@pytest.mark.parametrize(
    ("where", "passes"),
    [
        ({"n": 1.0}, True),
        ({"n": 1.5}, True),
        ({"n": {"$lt": 1.5}}, False),
        ({"f": {"$gt": 1}}, True),
        ({"n": True}, False),
        ({"t": 1}, False),
        ({"s": "X"}, False),
        ({"l": 1}, False),
        ({"l": {"$ne": 1}}, True),
        ({"l": {"$contains": 2}}, True),
        ({"l": {"$contains": 2.0}}, False),
        ({"n": {"$contains": 1}}, False),
        ({"missing": {"$ne": 1}}, True),
        ({"missing": {"$nin": [1]}}, True),
        ({"missing": {"$not_contains": 1}}, True),
        ({"missing": {"$lt": 1}}, False),
        ({"#document": {"$contains": "hello"}}, True),
        ({"#document": {"$contains": "there"}}, False),
    ],
)
def test_matches_as_chroma_does(where: Any, passes: bool) -> None:
    assert matches(parse(where), RECORD) is passes


def test_a_record_without_document_passes_only_the_negation() -> None:
    blank = Record("r", None)
    assert not matches(TextMatch("$contains", "a"), blank)
    assert matches(TextMatch("$not_contains", "a"), blank)


@pytest.mark.parametrize("leaf", [REGEX, Compare("chroma:document", "$ne", "x")])
def test_what_only_chroma_can_answer_is_not_guessed(leaf: Any) -> None:
    assert not evaluable(leaf)
    with pytest.raises(ValueError, match="resolve"):
        matches(leaf, RECORD)


class Oracle:
    """Answers one id to whatever Chroma's grammar can say; remembers what it was asked."""

    def __init__(self) -> None:
        self.questions: list[Filter] = []

    def __call__(self, question: Filter) -> list[str]:
        to_chroma(question)
        self.questions.append(question)
        return ["x"]


X = Ids(frozenset("x"))
NOT_X = Ids(frozenset("x"), negated=True)
NO_HELLO, NO_REGEX = (TextMatch(f"$not_{leaf.op[1:]}", leaf.pattern) for leaf in (HELLO, REGEX))


@pytest.mark.parametrize(
    ("tree", "resolved", "questions"),
    [
        (A1, A1, []),
        (HELLO, X, [HELLO]),
        (AllOf((A1, HELLO)), AllOf((A1, X)), [HELLO]),
        (AllOf((HELLO, A1, REGEX)), AllOf((A1, X)), [AllOf((HELLO, REGEX))]),
        (AnyOf((A1, HELLO, REGEX)), AnyOf((A1, X)), [AnyOf((HELLO, REGEX))]),
        (AllOf((AnyOf((A1, HELLO)), AnyOf((B2, HELLO)))), None, [HELLO]),
        (AllOf((A1, AnyOf((HELLO, REGEX)))), AllOf((A1, X)), [AnyOf((HELLO, REGEX))]),
        (AllOf((A1, X)), AllOf((A1, X)), []),
        # Nearly all records lack a text: those that have it are asked for.
        (NO_HELLO, NOT_X, [HELLO]),
        (AllOf((NO_HELLO, NO_REGEX)), NOT_X, [AnyOf((HELLO, REGEX))]),
        (AnyOf((NO_HELLO, NO_REGEX)), NOT_X, [AllOf((HELLO, REGEX))]),
        (AllOf((A1, NO_HELLO, REGEX)), AllOf((A1, X, NOT_X)), [HELLO, REGEX]),
        (AnyOf((A1, NO_HELLO)), AnyOf((A1, NOT_X)), [HELLO]),
    ],
)
def test_unsupported_parts_are_asked_for(
    tree: Filter, resolved: Filter | None, questions: list[Filter]
) -> None:
    oracle = Oracle()
    result = resolve(tree, lambda leaf: not isinstance(leaf, TextMatch), oracle)
    assert oracle.questions == questions
    assert resolved in (None, result)


def test_a_question_that_cannot_be_written_is_split() -> None:
    both = AllOf((B2, REGEX))
    oracle = Oracle()
    assert resolve(AnyOf((A1, HELLO, REGEX)), lambda _: False, oracle) == X
    assert oracle.questions == [AnyOf((HELLO, REGEX)), A1]
    oracle = Oracle()
    assert resolve(AnyOf((A1, both)), lambda _: False, oracle) == X
    assert oracle.questions == [A1, both]


def test_numbers_as_chroma_reads_them() -> None:
    assert [meant_int(1.9), meant_int(-1.9), meant_int(1e300)] == [1, -1, 2**63 - 1]
    assert meant_float(2**53 + 1) == float(2**53)
    assert json_float(0.1) == 0.1
    assert json_float(5e-324) == 5e-324
    assert json_float(-2.223418899119684e38) == -2.2234188991196837e38


def test_stored_metadata_keeps_what_chroma_keeps() -> None:
    written = {"a": float("nan"), "b": float("-inf"), "c": 2**63, "d": True, "e": [1, 2], "f": "x"}
    stored = stored_metadata(written)
    assert stored == {"c": float(2**63), "d": True, "e": [1, 2], "f": "x"}
    assert type(stored["c"]) is float
