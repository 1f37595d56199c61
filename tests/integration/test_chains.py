"""The usual RAG chain, and what can be changed in it at run time."""

from __future__ import annotations

import pytest
from langchain_core.language_models.chat_models import SimpleChatModel
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import (
    ConfigurableField,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
)

from langchain_chroma_hybrid import ChromaHybridRetriever, TantivyIndex
from langchain_chroma_hybrid.engine import registry
from langchain_chroma_hybrid.errors import InvalidArgumentError
from tests.helpers import CORPUS, filled, plain_chroma

QUESTION = "Which error blocks the pump?"


class Echo(SimpleChatModel):
    """A chat model that says what it was told."""

    def _call(self, messages, stop=None, run_manager=None, **kwargs):
        return messages[-1].content

    @property
    def _llm_type(self):
        return "echo"


def joined(documents):
    return "\n".join(f"[{document.id}] {document.page_content}" for document in documents)


def chain_over(retriever):
    prompt = ChatPromptTemplate.from_template("Context:\n{context}\nQuestion: {question}")
    inputs = RunnableParallel(context=retriever | joined, question=RunnablePassthrough())
    return inputs | prompt | Echo() | StrOutputParser()


def ids_in(answer):
    lines = answer.removeprefix("Human: ").splitlines()
    return [line[1 : line.index("]")] for line in lines if line.startswith("[")]


@pytest.fixture
def retriever():
    return ChromaHybridRetriever(vectorstore=filled(), k=2)


FIELDS = {
    name: ConfigurableField(id=name)
    for name in ("k", "filter", "where_document", "mode", "weights", "fusion", "score_threshold")
}


async def test_the_chain_answers_from_what_was_found(retriever):
    chain = chain_over(retriever)
    answer = chain.invoke(QUESTION)
    assert ids_in(answer)[0] == "pump"
    assert answer.endswith(f"Question: {QUESTION}")
    assert await chain.ainvoke(QUESTION) == answer
    assert chain.batch([QUESTION] * 2) == [answer] * 2
    assert "".join(chain.stream(QUESTION)) == answer


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"k": 1}, ["pump"]),
        ({"k": 9, "filter": {"tenant": "b"}}, ["valve", "water"]),
        ({"filter": {"$and": [{"tenant": "a"}, {"year": 2024}]}}, ["manual"]),
        ({"k": 1, "where_document": {"$contains": "steep"}}, ["bank"]),
        ({"mode": "lexical", "filter": {"year": 2022}, "k": 1}, ["pump"]),
        ({"score_threshold": 1.0, "fusion": "rrf", "mode": "vector"}, []),
        ({"weights": [1.0, 0.0], "filter": {"year": 2022}, "k": 1}, ["pump"]),
    ],
)
async def test_configurable_fields_reach_the_retriever(retriever, changes, expected):
    chain = chain_over(retriever.configurable_fields(**FIELDS))
    before = ids_in(chain.invoke(QUESTION))
    config = {"configurable": changes}
    answer = chain.invoke(QUESTION, config)
    assert sorted(ids_in(answer)) == expected
    assert await chain.ainvoke(QUESTION, config) == answer
    assert chain.batch([QUESTION], config) == [answer]
    assert chain.with_config(configurable=changes).invoke(QUESTION) == answer
    assert ids_in(chain.invoke(QUESTION)) == before
    assert len(before) == 2


def test_keyword_arguments_do_not_reach_it(retriever):
    """LangChain drops them in `RunnableParallel`: what is meant for a chain goes by config."""
    chain = chain_over(retriever)
    plain = ids_in(chain.invoke(QUESTION))
    assert ids_in(chain.invoke(QUESTION, k=1)) == plain
    assert len(plain) == 2
    assert ids_in(chain_over(retriever.bind(k=1)).invoke(QUESTION)) == plain[:1]


def test_bad_values_are_told_in_the_chain_too(retriever):
    chain = chain_over(retriever.configurable_fields(**FIELDS))
    for changes, name in (
        ({"k": 0}, "k"),
        ({"k": "3"}, "k"),
        ({"mode": "fuzzy"}, "mode"),
        ({"filter": {"tenant": {"$like": "a"}}}, "filter"),
        ({"weights": [0.0, 0.0]}, "weights"),
    ):
        with pytest.raises(InvalidArgumentError, match=f"^{name}"):
            chain.invoke(QUESTION, {"configurable": changes})


@pytest.mark.parametrize("make", [filled, plain_chroma])
async def test_configurable_calls_open_and_index_nothing_anew(make, monkeypatch):
    opened, indexed = [], []
    build, apply = registry._build, TantivyIndex.apply
    monkeypatch.setattr(registry, "_build", lambda *a, **o: opened.append(1) or build(*a, **o))

    def counted(self, upserts, deletes=()):
        indexed.extend(upserts)
        return apply(self, upserts, deletes)

    monkeypatch.setattr(TantivyIndex, "apply", counted)
    retriever = ChromaHybridRetriever(vectorstore=make())
    chain = chain_over(retriever.configurable_fields(**FIELDS))
    for k in range(1, 6):
        config = {"configurable": {"k": k, "filter": {"year": {"$gt": 2000 + k}}}}
        assert len(ids_in(chain.invoke(QUESTION, config))) == k
        assert len(ids_in(await chain.ainvoke(QUESTION, config))) == k
    assert len(opened) == 1
    assert len(indexed) == len(CORPUS)


def test_a_tenant_per_call_with_a_base_filter():
    """The application fixes what nobody may see; the call chooses within it."""
    base = {"tenant": {"$in": ["a", "b"]}}
    retriever = ChromaHybridRetriever(vectorstore=filled(), k=8, base_filter=base)
    chain = chain_over(retriever.configurable_fields(**FIELDS))
    for tenant, expected in (("a", {"leaves", "pump", "cat", "manual"}), ("c", set())):
        config = {"configurable": {"filter": {"tenant": tenant}}}
        assert set(ids_in(chain.invoke(QUESTION, config))) == expected


def test_scores_and_sources_for_the_prompt(retriever):
    def cited(documents):
        return [(d.id, round(d.metadata["chroma_hybrid_score"], 6)) for d in documents]

    scored = retriever.model_copy(update={"score_key": "chroma_hybrid_score"})
    found = (scored | RunnableLambda(cited)).invoke(QUESTION)
    hits = retriever.search(QUESTION).hits
    assert found == [(hit.id, round(hit.relevance, 6)) for hit in hits]
