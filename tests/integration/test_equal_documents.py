"""Retrievers that put several answers together find each document of ours once."""

from __future__ import annotations

import pytest
from langchain_classic.retrievers import (
    ContextualCompressionRetriever,
    EnsembleRetriever,
    MergerRetriever,
    MultiQueryRetriever,
)
from langchain_core.documents.compressor import BaseDocumentCompressor
from langchain_core.load import dumps
from langchain_core.runnables import RunnableLambda

from langchain_chroma_hybrid import ChromaHybridRetriever
from tests.helpers import MODES, filled, ids_of, plain_chroma

QUESTIONS = ["red pump R123-78", "the pump is blocked", "error of a valve"]
CHOICES = {
    "none": {},
    "rrf": {"fusion": "rrf"},
    "diverse": {"lambda_mult": 0.5},
    "grouped": {"group_by": "tenant", "group_limit": 2},
    "deduped": {"dedupe_key": "year"},
    "filtered": {"filter": {"year": {"$gte": 2022}}},
}


@pytest.fixture(scope="module", params=[filled, plain_chroma], ids=["hybrid", "plain"])
def store(request):
    return request.param()


@pytest.fixture(params=[(mode, choice) for mode in MODES for choice in CHOICES], ids="-".join)
def retriever(store, request):
    mode, choice = request.param
    return ChromaHybridRetriever(vectorstore=store, k=5, mode=mode, **CHOICES[choice])


def distinct(found):
    return len(set(ids_of(found))) == len(found) > 0


async def test_many_questions(retriever):
    expected = {id_ for question in QUESTIONS for id_ in ids_of(retriever.invoke(question))}
    chain = RunnableLambda(lambda _: QUESTIONS)
    many = MultiQueryRetriever(retriever=retriever, llm_chain=chain)
    found = many.invoke("anything")
    assert distinct(found)
    assert set(ids_of(found)) == expected
    assert await many.ainvoke("anything") == found


async def test_an_ensemble_of_ours_and_of_plain_chroma(store, retriever):
    others = [retriever, retriever.model_copy(update={"mode": "vector"}), store.as_retriever()]
    ensemble = EnsembleRetriever(retrievers=others, weights=[0.4, 0.3, 0.3])
    found = ensemble.invoke(QUESTIONS[0])
    assert distinct(found)
    assert await ensemble.ainvoke(QUESTIONS[0]) == found
    assert all(document in store.get_by_ids(ids_of(found)) for document in found)


async def test_merged_answers_are_equal_documents(retriever):
    merger = MergerRetriever(retrievers=[retriever, retriever.model_copy(update={"k": 8})])
    found = merger.invoke(QUESTIONS[0])
    unique = {document.id: document for document in found}
    assert all(document == unique[document.id] for document in found)
    # As whoever makes a set of them does it.
    assert len({dumps(document) for document in found}) == len(unique) < len(found)
    assert await merger.ainvoke(QUESTIONS[0]) == found


class Noting(BaseDocumentCompressor):
    """Notes a score, as Cohere's and FlashRank's compressors do."""

    def compress_documents(self, documents, query, callbacks=None):
        copies = [document.model_copy(deep=True) for document in documents]
        for document in copies:
            document.metadata["relevance_score"] = 1 / len(document.page_content)
        return copies


async def test_a_compressor_has_relevance_score_for_itself(retriever):
    compressed = ContextualCompressionRetriever(
        base_compressor=Noting(), base_retriever=retriever
    )
    found = compressed.invoke(QUESTIONS[0])
    for document in found:
        assert document.metadata["relevance_score"] == 1 / len(document.page_content)
        assert not any(key.startswith("chroma_hybrid_") for key in document.metadata)
    assert ids_of(found) == ids_of(retriever.invoke(QUESTIONS[0]))
    assert ids_of(await compressed.ainvoke(QUESTIONS[0])) == ids_of(found)
