"""Each request sees its own records: in chains, asynchronously, with misspelt keys."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.runnables import RunnableLambda, RunnablePassthrough

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.errors import ChromaHybridError, InvalidArgumentError
from tests.helpers import make_store


@pytest.fixture(scope="module")
def store():
    store = make_store()
    for tenant in "ab":
        metadata = [{"tenant": tenant, "year": year} for year in (1, 2)]
        texts = [f"pump of {tenant} in {year}" for year in (1, 2)]
        store.add_texts(texts, metadata, [f"{tenant}{year}" for year in (1, 2)])
    yield store
    store.delete_collection()


def retriever_over(store, **options):
    own = ChromaHybridRetriever(vectorstore=store, **options.pop("own", {}))
    return own.configurable({"tenant": "tenant_id"}, **options)


def asked(tenant, **more):
    return {"configurable": {"tenant_id": tenant, **more}}


def ids(documents):
    return {document.id for document in documents}


@pytest.mark.parametrize("tenant", ["a", "b"])
def test_in_a_chain(store, tenant):
    chain = (
        {"context": retriever_over(store), "question": RunnablePassthrough()}
        | RunnableLambda(lambda found: " ".join(sorted(ids(found["context"]))))
        | StrOutputParser()
    )
    assert chain.invoke("pump", asked(tenant)) == f"{tenant}1 {tenant}2"
    assert asyncio.run(chain.ainvoke("pump", asked(tenant))) == f"{tenant}1 {tenant}2"
    assert chain.batch(["pump"] * 2, asked(tenant)) == [f"{tenant}1 {tenant}2"] * 2


@pytest.mark.parametrize(
    "config",
    [
        None,
        {},
        {"configurable": {}},
        {"configurable": {"thread_id": "1"}},
        {"configurable": {"tenantid": "a"}},
        {"configurable": {"Tenant_id": "a"}},
        {"configurable": {"tenant_id": None}},
        {"configurable": {"tenant_id": ""}},
        {"configurable": {"tenant_id": {"$ne": "a"}}},
        {"configurable": {"tenant_id": ["a", "b"]}},
        {"configurable": {"tenant_id": "a", "tenant_ids": "b"}},
    ],
)
def test_no_tenant_is_no_search(store, config):
    retriever = retriever_over(store)
    with pytest.raises(InvalidArgumentError, match="tenant"):
        retriever.invoke("pump", config)
    with pytest.raises(InvalidArgumentError, match="tenant"):
        asyncio.run(retriever.ainvoke("pump", config))


def test_what_a_call_says_narrows_only(store):
    retriever = retriever_over(store)
    both = {"$or": [{"tenant": "a"}, {"tenant": "b"}]}
    assert ids(retriever.invoke("pump", asked("a"), filter=both)) == {"a1", "a2"}
    assert ids(retriever.invoke("pump", asked("a"), filter={"year": 2})) == {"a2"}
    assert ids(retriever.invoke("pump", asked("a"), k=1)) < {"a1", "a2"}


@pytest.mark.parametrize("way", ["filter", "base_filter"])
def test_filters_of_the_retriever_hold_as_well(store, way):
    retriever = retriever_over(store, own={way: {"year": 1}})
    assert ids(retriever.invoke("pump", asked("b"))) == {"b1"}


def test_options_by_name(store):
    retriever = retriever_over(store, options=("k",))
    assert len(retriever.invoke("pump", asked("a", k=1))) == 1
    assert len(retriever_over(store).invoke("pump", asked("a", k=1))) == 2
    with pytest.raises(InvalidArgumentError, match="k"):
        retriever.invoke("pump", asked("a", k=0))


def test_a_number_is_one_of_its_type(store):
    own = ChromaHybridRetriever(vectorstore=store)
    retriever = own.configurable({"year": "year"})
    assert ids(retriever.invoke("pump", {"configurable": {"year": 2}})) == {"a2", "b2"}
    assert not retriever.invoke("pump", {"configurable": {"year": "2"}})


@pytest.mark.parametrize("option", ["kk", "base_filter", "vectorstore"])
def test_options_that_nobody_may_set(store, option):
    with pytest.raises(ChromaHybridError, match=option):
        ChromaHybridRetriever(vectorstore=store).configurable({"tenant": "t"}, [option])


def test_a_stores_own_retriever(store):
    retriever = store.as_retriever(k=1).configurable({"tenant": "tenant_id"}, ["k"])
    assert len(retriever.invoke("pump", asked("a"))) == 1
    assert ids(retriever.invoke("pump", asked("a", k=4))) == {"a1", "a2"}


def test_what_tracing_shows(store):
    retriever = ChromaHybridRetriever(vectorstore=store)
    params = retriever._get_ls_params()
    assert params["ls_vector_store_provider"] == "HybridChroma"
    assert params["ls_embedding_provider"] == "WordEmbeddings"


@pytest.mark.parametrize(
    ("required", "options", "named"),
    [
        ({}, [], "required"),
        (None, [], "required"),
        ("tenant", [], "required"),
        (["tenant"], [], "required"),
        ({"tenant": ""}, [], "required"),
        ({"": "tenant_id"}, [], "required"),
        ({"tenant": 5}, [], "required"),
        ({5: "tenant_id"}, [], "required"),
        ({"tenant": "tenant_id"}, "k", "options"),
        ({"tenant": "tenant_id"}, None, "options"),
        ({"tenant": "tenant_id"}, [5], "options"),
    ],
)
def test_what_would_show_everybodys_records_is_not_made(store, required, options, named):
    with pytest.raises(InvalidArgumentError, match=named):
        ChromaHybridRetriever(vectorstore=store).configurable(required, options)
