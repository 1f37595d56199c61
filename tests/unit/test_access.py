"""What a filter hides stays hidden, whatever changes while a query is under way."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.errors import FilterError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import filled, ids_of, make_store


class Meanwhile(WordEmbeddings):
    """Does something the first time that a query is embedded."""

    def __init__(self) -> None:
        super().__init__()
        self.action = None

    def embed_query(self, text):
        if self.action is not None:
            action, self.action = self.action, None
            action()
        return super().embed_query(text)


@pytest.mark.parametrize(
    "base",
    [
        {"base_where_document": {"$not_contains": "SECRET"}},
        {"base_where_document": {"$not_regex": "SECR[E]T"}},
        {"base_where_document": {"$contains": "open"}},
        {"base_where_document": {"$regex": "op[e]n"}},
        {"base_filter": {"level": "open"}},
        {"base_filter": {"#document": {"$not_contains": "SECRET"}}},
    ],
)
@pytest.mark.parametrize("mode", ["hybrid", "vector", "two_step"])
async def test_a_record_that_is_closed_while_the_query_is_embedded(base, mode):
    embeddings = Meanwhile()
    store = make_store(embedding_function=embeddings)
    retriever = ChromaHybridRetriever(vectorstore=store, mode=mode, **base)

    def close():
        plain = store._client.get_collection(store._collection.name)
        text = "pump plan SECRET"
        plain.update(
            ids=["x"],
            embeddings=WordEmbeddings().embed_documents([text]),
            documents=[text],
            metadatas=[{"level": "closed"}],
        )

    for ask in (retriever.invoke, retriever.ainvoke):
        store.add_texts(["pump plan open"], [{"level": "open"}], ids=["x"])
        assert ids_of(retriever.invoke("pump plan")) == ["x"]
        embeddings.action = close
        found = ask("pump plan")
        assert (found if isinstance(found, list) else await found) == []
        assert embeddings.action is None


def test_a_further_leg_tells_nothing_of_what_is_hidden():
    from langchain_core.callbacks import BaseCallbackHandler

    from tests.unit.test_extra_retrievers import Fixed

    outputs = []

    class Spy(BaseCallbackHandler):
        def on_chain_end(self, result, **_):
            outputs.append(result)

    store = filled()
    retriever = ChromaHybridRetriever(
        vectorstore=store,
        base_filter={"tenant": "c"},
        extra_retrievers={"other": Fixed(ids=["pump", "nobody", "bank", "cat", "river"])},
    )
    retriever.invoke("river", config={"callbacks": [Spy()]})
    assert {hit["id"] for output in outputs for hit in output["hits"]} == {"bank", "river"}
    result = retriever.search("river")
    assert {leg.name: leg.hits for leg in result.legs}["other"] == 2
    ranks = {hit.id: leg.rank for hit in result.hits for leg in hit.legs if leg.name == "other"}
    assert ranks == {"bank": 1, "river": 2}


@pytest.mark.parametrize("pattern", ["(", "(dimension", "[a-"])
def test_a_pattern_that_is_none(pattern):
    store = filled()
    with pytest.raises(FilterError, match="where_document"):
        store.similarity_search("pump", where_document={"$regex": pattern})


def test_a_depth_beyond_all_numbers():
    store = filled()
    assert len(store.similarity_search("pump", k=3, fetch_k=2**40)) == 3
