"""SelfQueryRetriever over HybridChroma: the filters that a model writes mean what Chroma means."""

from __future__ import annotations

import pytest
from langchain_chroma import Chroma
from langchain_classic.retrievers import SelfQueryRetriever
from langchain_community.query_constructors.chroma import ChromaTranslator
from langchain_core.runnables import RunnableLambda
from langchain_core.structured_query import (
    Comparator,
    Comparison,
    Operation,
    Operator,
    StructuredQuery,
)

from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import COSINE, MODES, filled, ids_of

BLANK = ["", " ", "\n\t", "\u3000"]

def mode_of(store):
    return store._defaults.mode


def compared(comparator, attribute, value):
    return Comparison(comparator=comparator, attribute=attribute, value=value)


def both(operator, *arguments):
    return Operation(operator=operator, arguments=list(arguments))


A = compared(Comparator.EQ, "tenant", "a")
NEW = compared(Comparator.GTE, "year", 2022)
FILTERS = {
    "none": None,
    "eq": A,
    "ne": compared(Comparator.NE, "tenant", "a"),
    "ne of a key that nobody has": compared(Comparator.NE, "colour", "red"),
    "lt": compared(Comparator.LT, "year", 2022),
    "lte": compared(Comparator.LTE, "year", 2022),
    "gt": compared(Comparator.GT, "year", 2022.5),
    "nobody": compared(Comparator.EQ, "tenant", "z"),
    "and of two keys": both(Operator.AND, A, NEW),
    "or of two keys": both(Operator.OR, A, compared(Comparator.EQ, "year", 2024)),
    "a range": both(Operator.AND, NEW, compared(Comparator.LT, "year", 2024)),
    "nested": both(
        Operator.OR,
        both(Operator.AND, A, NEW, compared(Comparator.NE, "year", 2024)),
        both(Operator.AND, compared(Comparator.EQ, "tenant", "c"), NEW),
    ),
}


@pytest.fixture(scope="module", params=MODES)
def store(request):
    return filled(mode=request.param)


@pytest.fixture(scope="module")
def plain(store):
    name = store._collection_name
    return Chroma(name, WordEmbeddings(), collection_configuration=COSINE)


def asking(store, structured, **options):
    return SelfQueryRetriever(
        vectorstore=store,
        query_constructor=RunnableLambda(lambda _: structured),
        structured_query_translator=ChromaTranslator(),
        **options,
    )


@pytest.mark.parametrize("where", FILTERS)
@pytest.mark.parametrize("text", BLANK)
async def test_a_filter_without_words_finds_what_chroma_finds(store, plain, text, where):
    structured = StructuredQuery(query=text, filter=FILTERS[where])
    ours = asking(store, structured, search_kwargs={"k": 20})
    expected = asking(plain, structured, search_kwargs={"k": 20}).invoke("all of them")
    found = ours.invoke("all of them")
    assert sorted(found, key=lambda d: d.id) == sorted(expected, key=lambda d: d.id)
    assert await ours.ainvoke("all of them") == found


@pytest.mark.parametrize("where", FILTERS)
async def test_with_words_only_the_order_differs(store, plain, where):
    structured = StructuredQuery(query="red pump R123-78", filter=FILTERS[where])
    ours = asking(store, structured, search_kwargs={"k": 20})
    passing = asking(plain, structured, search_kwargs={"k": 20}).invoke("x")
    found = ours.invoke("x")
    assert all(document in passing for document in found)
    if mode_of(store) in ("hybrid", "vector"):  # the others want a word of the query
        assert len(found) == len(passing)
    assert await ours.ainvoke("x") == found


@pytest.mark.parametrize("text", [*BLANK, "pump"])
@pytest.mark.parametrize("search_type", ["similarity", "mmr", "similarity_score_threshold"])
async def test_a_limit_and_every_type_of_search(store, text, search_type):
    structured = StructuredQuery(query=text, filter=A, limit=2)
    kwargs = {"score_threshold": 0.0} if "threshold" in search_type else {}
    retriever = asking(store, structured, search_type=search_type, search_kwargs=kwargs)
    found = retriever.invoke("two of them")
    assert len(found) == 2
    assert {document.metadata["tenant"] for document in found} == {"a"}
    assert ids_of(await retriever.ainvoke("two of them")) == ids_of(found)


@pytest.mark.parametrize(
    "refused",
    [
        both(Operator.NOT, A),
        compared(Comparator.IN, "tenant", ["a"]),
        compared(Comparator.NIN, "tenant", ["a"]),
        compared(Comparator.LIKE, "tenant", "a"),
    ],
    ids=["not", "in", "nin", "like"],
)
def test_what_the_translator_refuses_is_refused_as_for_chroma(store, plain, refused):
    for each in (store, plain):
        with pytest.raises(ValueError, match="disallowed"):
            asking(each, StructuredQuery(query=" ", filter=refused)).invoke("x")
