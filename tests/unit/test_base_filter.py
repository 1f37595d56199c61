"""Nothing at run time widens `base_filter` and `base_where_document`: every way in is tried."""

from __future__ import annotations

import copy
import enum
import pickle
from types import MappingProxyType
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumpd
from langchain_core.runnables import ConfigurableField
from langchain_core.tools import create_retriever_tool
from pydantic import ValidationError

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.errors import FilterError, InvalidArgumentError
from tests.helpers import MODES, FailingEmbeddings, filled, make_store

QUERY = "red pump secret"
BASE = {"base_filter": {"tenant": "mine"}, "base_where_document": {"$not_contains": "draft"}}
MINE = {"mine-1", "mine-2"}
RECORDS = [
    Document("a red pump of mine", id="mine-1", metadata={"tenant": "mine", "level": 1}),
    Document("a red secret of mine", id="mine-2", metadata={"tenant": "mine", "level": 2}),
    Document("a red pump draft of mine", id="draft", metadata={"tenant": "mine", "level": 1}),
    Document("a red secret pump of theirs", id="theirs", metadata={"tenant": "theirs", "level": 1}),
    Document("a red secret pump of nobody", id="nobody"),
]


@pytest.fixture
def guarded():
    store = make_store()
    store.add_documents(RECORDS)
    return ChromaHybridRetriever(vectorstore=store, k=10, **BASE)


def found(retriever, query=QUERY, **options):
    return {document.id for document in retriever.invoke(query, **options)}


@pytest.mark.parametrize("mode", MODES)
def test_the_base_filters_hold_in_every_mode(guarded, mode):
    assert found(guarded, mode=mode) == MINE
    assert {hit.id for hit in guarded.search(QUERY, mode=mode).hits} == MINE


WIDE_FILTERS = [
    None,
    {"tenant": "theirs"},
    {"tenant": {"$ne": "mine"}},
    {"tenant": {"$in": ["mine", "theirs"]}},
    {"$or": [{"tenant": "mine"}, {"tenant": "theirs"}]},
    {"$or": [{"tenant": {"$ne": "x"}}, {"level": {"$gt": -1}}]},
    {"$or": [{"#document": {"$contains": "theirs"}}, {"tenant": "mine"}]},
    {"$and": [{"$or": [{"tenant": "theirs"}, {"level": 1}]}, {"no such key": {"$nin": ["x"]}}]},
    {"chroma:document": {"$ne": "x"}},
    {"level": 1, "$or": [{"tenant": "theirs"}, {"tenant": "mine"}]},
]
WIDE_DOCUMENTS = [
    None,
    {"$contains": "draft"},
    {"$regex": ".*"},
    {"$or": [{"$contains": "draft"}, {"$not_contains": "no such word"}]},
    {"$or": [{"$regex": "theirs|draft"}, {"$contains": "a"}]},
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("where_document", WIDE_DOCUMENTS)
def test_filters_of_the_call_only_narrow(guarded, mode, where_document):
    for where in WIDE_FILTERS:
        options = {"filter": where, "where_document": where_document, "mode": mode}
        assert found(guarded, **options) <= MINE


async def test_filters_of_the_call_only_narrow_through_every_method(guarded):
    options = {"filter": WIDE_FILTERS[4], "where_document": WIDE_DOCUMENTS[3]}
    assert {d.id for d in await guarded.ainvoke(QUERY, **options)} == MINE
    assert {d.id for d in guarded.batch([QUERY], **options)[0]} == MINE
    assert {d.id for d in (await guarded.abatch([QUERY], **options))[0]} == MINE
    assert {d.id for part in guarded.stream(QUERY, **options) for d in part} == MINE
    assert {d.id async for part in guarded.astream(QUERY, **options) for d in part} == MINE
    assert {hit.id for hit in guarded.search(QUERY, **options).hits} == MINE
    assert {d.id for d in guarded.bind(**options).invoke(QUERY)} == MINE
    assert {d.id for d in guarded.map().invoke([QUERY], **options)[0]} == MINE


FIXED = [
    {"base_filter": None},
    {"base_filter": {"tenant": "theirs"}},
    {"base_filter": {"tenant": "mine"}},
    {"base_where_document": None},
    {"base_where_document": {"$contains": "theirs"}},
    {"vectorstore": None},
]


@pytest.mark.parametrize("options", FIXED)
async def test_the_base_filters_are_no_arguments_of_a_call(guarded, options):
    (name,) = options
    calls = [
        lambda: guarded.invoke(QUERY, **options),
        lambda: guarded.batch([QUERY], **options),
        lambda: list(guarded.stream(QUERY, **options)),
        lambda: guarded.search(QUERY, **options),
        lambda: guarded.bind(**options).invoke(QUERY),
        lambda: guarded.model_copy(update=options),
        lambda: guarded.copy(update=options),
        lambda: guarded.configurable_fields(**{name: ConfigurableField(id="x")}),
        lambda: guarded.configurable_fields(k=ConfigurableField(id="k")).configurable_fields(
            **{name: ConfigurableField(id="x")}
        ),
    ]
    for call in calls:
        with pytest.raises(InvalidArgumentError, match=name):
            call()
    for name_of_method in ("ainvoke", "abatch"):
        given = [QUERY] if name_of_method == "abatch" else QUERY
        with pytest.raises(InvalidArgumentError, match=name):
            await getattr(guarded, name_of_method)(given, **options)


@pytest.mark.parametrize("options", FIXED)
def test_attributes_cannot_be_assigned_or_deleted(guarded, options):
    ((name, value),) = options.items()
    with pytest.raises(InvalidArgumentError, match=name):
        setattr(guarded, name, value)
    with pytest.raises((ValidationError, AttributeError)):
        delattr(guarded, name)
    assert found(guarded) == MINE


def test_configurable_values_do_not_reach_the_base(guarded):
    wide = {**FIXED[0], **FIXED[3], "filter": WIDE_FILTERS[4], "where_document": None}
    assert {d.id for d in guarded.with_config(configurable=wide).invoke(QUERY)} == MINE
    assert {d.id for d in guarded.invoke(QUERY, {"configurable": wide})} == MINE
    names = ("filter", "where_document", "mode", "k", "query_syntax", "weights", "dedupe_key")
    fields = guarded.configurable_fields(**{n: ConfigurableField(id=n) for n in names})
    for mode in MODES:
        for where in WIDE_FILTERS:
            changed = {"filter": where, "mode": mode, "where_document": {"$regex": "."}, "k": 20}
            config = {"configurable": {**wide, **changed}}
            assert {d.id for d in fields.invoke(QUERY, config)} <= MINE
            assert {d.id for d in fields.batch([QUERY], config)[0]} <= MINE


def test_alternatives_keep_the_base_filters(guarded):
    lexical = guarded.model_copy(update={"mode": "lexical"})
    either = guarded.configurable_alternatives(ConfigurableField(id="which"), lexical=lexical)
    for which in ("default", "lexical"):
        config = {"configurable": {"which": which, **FIXED[1], "filter": WIDE_FILTERS[4]}}
        assert {d.id for d in either.invoke(QUERY, config, filter=WIDE_FILTERS[5])} == MINE
    with pytest.raises(ValueError, match="everything"):
        either.invoke(QUERY, {"configurable": {"which": "everything"}})


def test_copies_keep_the_base_filters(guarded):
    for other in (
        guarded.model_copy(),
        guarded.model_copy(deep=True),
        guarded.model_copy(update={"k": 20, "filter": None}),
        guarded.copy(),
        guarded.copy(update={"k": 20, "filter": None}),
        copy.copy(guarded),
        guarded.with_retry(),
        guarded.with_config(tags=["x"]),
    ):
        assert found(other) == MINE


def changed_in_place(base_filter, base_where_document):
    """Everything that somebody with the dicts in hand could do to them."""
    for place, change, *arguments in (
        (base_filter["tenant"]["$in"], "append", "theirs"),
        (base_filter["tenant"], "update", {"$in": ["theirs"]}),
        (base_filter, "update", {"tenant": "theirs"}),
        (base_filter, "__setitem__", "tenant", "theirs"),
        (base_filter, "clear"),
        (base_where_document["$and"][0], "update", {"$not_contains": "no such word"}),
        (base_where_document["$and"], "clear"),
        (base_where_document, "clear"),
    ):
        if hasattr(place, change):
            getattr(place, change)(*arguments)
            yield


def test_changing_the_dicts_in_place_changes_nothing(guarded):
    def given():
        return {
            "base_filter": {"tenant": {"$in": ["mine"]}},
            "base_where_document": {"$and": [{"$not_contains": "draft"}]},
        }

    for passed_in in (True, False):
        base = given()
        retriever = ChromaHybridRetriever(vectorstore=guarded.vectorstore, k=10, **base)
        if not passed_in:
            base = {name: getattr(retriever, name) for name in base}
        dynamic = retriever.configurable_fields(k=ConfigurableField(id="k"))
        steps = 0
        for _ in changed_in_place(**base):
            steps += 1
            assert found(retriever) == MINE
            assert found(retriever.model_copy(update={"k": 9})) == MINE
            assert found(retriever.copy()) == MINE
            # These make the retriever anew, from what its fields hold.
            assert {d.id for d in dynamic.invoke(QUERY, {"configurable": {"k": 9}})} == MINE
        assert (steps > 0) is passed_in


def test_the_base_filters_can_be_read(guarded):
    assert guarded.base_filter == {"tenant": "mine"}
    assert guarded.base_where_document == {"$not_contains": "draft"}
    assert guarded.model_dump(include=set(BASE)) == BASE


@pytest.mark.parametrize("syntax", ["plain", "simple"])
@pytest.mark.parametrize(
    "query",
    [
        "tenant:theirs",
        "+tenant:theirs secret",
        "metadata.tenant:theirs OR *",
        "* OR (secret)",
        '"secret pump of theirs"',
        "theirs* +theirs -mine",
        "id:theirs",
        "theirs~2",
        '") OR tenant:theirs OR ("',
        "tenant:[* TO *] IN [theirs]",
        '{"$or": [{"tenant": "theirs"}]}',
        "secret\0theirs",
        "theirs",
    ],
)
def test_no_query_text_gets_past(guarded, syntax, query):
    for mode in MODES:
        assert found(guarded, query, query_syntax=syntax, mode=mode) <= MINE


def test_no_tool_argument_gets_past(guarded):
    tool = create_retriever_tool(guarded, "search", "Search.")
    for given in (QUERY, {"query": QUERY, "filter": None, "base_filter": None}):
        text = tool.invoke(given)
        assert "of mine" in text
        assert "theirs" not in text
        assert "nobody" not in text
        assert "draft" not in text


def test_other_options_do_not_widen(guarded):
    for options in (
        {"fetch_k": 1_000, "k": 1_000},
        {"score_threshold": 0.0},
        {"dedupe_key": "tenant", "k": 5},
        {"weights": (0, 1)},
        {"weights": (1, 0)},
        {"fusion": "rrf", "c": 0},
        {"on_leg_error": "degrade"},
        {"explain": True},
    ):
        assert found(guarded, **options) <= MINE
        assert found(guarded, **options)


def test_a_failing_leg_does_not_widen():
    store = make_store(embedding_function=FailingEmbeddings())
    store.add_documents(RECORDS)
    retriever = ChromaHybridRetriever(vectorstore=store, on_leg_error="degrade", **BASE)
    assert found(retriever) == MINE


def test_records_of_others_that_come_later_stay_hidden(guarded):
    assert not hasattr(guarded, "add_documents")
    guarded.vectorstore.add_documents(
        [Document("a red secret pump", id="late", metadata={"tenant": "theirs"})]
    )
    assert found(guarded) == MINE


@pytest.mark.parametrize("mode", MODES)
def test_what_chroma_says_now_counts(guarded, mode):
    """Behind our back a record changes hands; the lexical index still has its old tenant."""
    assert found(guarded, mode=mode) == MINE
    store = guarded.vectorstore
    collection = store._client.get_collection(store._collection.name)
    collection.update(ids=["mine-1"], metadatas=[{"tenant": "theirs"}])
    assert found(guarded, mode=mode) == {"mine-2"}
    draft = {"documents": ["a red secret draft of mine"], "embeddings": [[0.5] * 64]}
    collection.update(ids=["mine-2"], **draft)
    assert found(guarded, mode=mode) == set()


def test_it_is_not_serialised(guarded):
    assert dumpd(guarded)["type"] == "not_implemented"
    with pytest.raises(TypeError):
        pickle.dumps(guarded)


class Tenant(enum.Enum):
    MINE = "mine"


@pytest.mark.parametrize(
    "base_filter",
    [
        MappingProxyType({"tenant": "mine"}),
        {"tenant": Tenant.MINE},
        {"tenant": {"$in": ("mine",)}},
        {"$and": [{"tenant": "mine"}, {"level": {"$gte": 0}}]},
    ],
)
def test_base_filters_of_every_kind(guarded, base_filter):
    retriever = ChromaHybridRetriever(vectorstore=guarded.vectorstore, base_filter=base_filter)
    assert found(retriever) == MINE | {"draft"}
    again = retriever.configurable_fields(k=ConfigurableField(id="k"))
    assert {d.id for d in again.invoke(QUERY, {"configurable": {"k": 5}})} == MINE | {"draft"}


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"base_filter": {}}, "base_filter"),
        ({"base_filter": {"$or": []}}, "base_filter"),
        ({"base_filter": {"tenant": {"$like": "mine"}}}, "base_filter"),
        ({"base_where_document": {}}, "base_where_document"),
        ({"base_where_document": {"tenant": "mine"}}, "base_where_document"),
    ],
)
def test_a_base_filter_that_says_nothing_is_refused(options, name):
    with pytest.raises(FilterError, match=f"^{name}"):
        ChromaHybridRetriever(vectorstore=filled(), **options)


class Forgetful(ChromaHybridRetriever):
    """A subclass whose author did not know of the parent's `model_post_init`."""

    note: str = ""

    def model_post_init(self, context: Any, /) -> None:
        self.__dict__["note"] = "made"


class Defaulted(ChromaHybridRetriever):
    """A subclass that says in its fields whose documents these are."""

    base_filter: Any = {"tenant": "a"}  # noqa: RUF012  # a field's default


class Late(ChromaHybridRetriever):
    def __init__(self, **data: Any) -> None:
        super().__init__(**data)
        self.__pydantic_private__ = None


@pytest.mark.parametrize("kind", [Forgetful, Late, ChromaHybridRetriever])
@pytest.mark.parametrize("mode", MODES)
def test_a_subclass_cannot_lose_the_base_filter(chroma, kind, mode):
    retriever = kind(vectorstore=chroma, base_filter={"tenant": "a"}, k=8, mode=mode)
    hidden = kind(
        vectorstore=chroma, base_where_document={"$not_contains": "pump"}, k=8, mode=mode
    )
    for query in ("Error R123-78 pump", "water in the river"):
        assert {d.metadata["tenant"] for d in retriever.invoke(query)} <= {"a"}
        assert {d.metadata["tenant"] for d in retriever.model_copy().invoke(query)} <= {"a"}
        assert not [d for d in hidden.invoke(query) if "pump" in d.page_content]
        found = retriever.search(query, filter={"tenant": "b"})
        assert not found.hits


def test_a_base_filter_of_the_class_counts(chroma):
    found = Defaulted(vectorstore=chroma, k=8).invoke("pump valve water")
    assert {document.metadata["tenant"] for document in found} == {"a"}


def test_a_retriever_that_skips_validation_keeps_it(chroma):
    made = ChromaHybridRetriever.model_construct(
        vectorstore=chroma, base_filter={"tenant": "a"}, k=8
    )
    assert {document.metadata["tenant"] for document in made.invoke("pump valve water")} == {"a"}


@pytest.mark.parametrize("empty", [{}, {"$and": []}])
def test_an_empty_base_filter_is_an_error_in_a_subclass_too(chroma, empty):
    for kind in (Forgetful, ChromaHybridRetriever):
        with pytest.raises(FilterError, match="base_filter"):
            kind(vectorstore=chroma, base_filter=empty)
