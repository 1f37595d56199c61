"""Whoever in LangChain takes a vector store or a retriever gets what plain Chroma gives.

All that matters is the same from plain Chroma and from HybridChroma, in the same order by vector
alone; in hybrid mode it is ordered otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_chroma import Chroma
from langchain_classic.chains import (
    ConversationalRetrievalChain,
    RetrievalQA,
    RetrievalQAWithSourcesChain,
    create_history_aware_retriever,
    create_retrieval_chain,
)
from langchain_classic.chains.router.embedding_router import EmbeddingRouterChain
from langchain_classic.indexes import VectorstoreIndexCreator
from langchain_classic.memory import (
    ConversationVectorStoreTokenBufferMemory,
    VectorStoreRetrieverMemory,
)
from langchain_classic.retrievers import (
    ContextualCompressionRetriever,
    EnsembleRetriever,
    MergerRetriever,
    MultiQueryRetriever,
    MultiVectorRetriever,
    ParentDocumentRetriever,
    RePhraseQueryRetriever,
    SelfQueryRetriever,
    TimeWeightedVectorStoreRetriever,
)
from langchain_classic.retrievers.document_compressors import (
    CrossEncoderReranker,
    DocumentCompressorPipeline,
    EmbeddingsFilter,
)
from langchain_classic.retrievers.document_compressors.cross_encoder import BaseCrossEncoder
from langchain_community.query_constructors.chroma import ChromaTranslator
from langchain_community.vectorstores.utils import filter_complex_metadata
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.example_selectors import (
    MaxMarginalRelevanceExampleSelector,
    SemanticSimilarityExampleSelector,
)
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.stores import InMemoryStore
from langchain_core.structured_query import Comparator, Comparison, StructuredQuery
from langchain_core.tools import create_retriever_tool
from langchain_text_splitters import CharacterTextSplitter

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CORPUS, COSINE, documents, fresh_name

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY = "the red pump"
ALL = {"k": len(CORPUS)}
SOME = {"k": 20, "filter": {"tenant": "a"}}


def contents(found: Any) -> list[str]:
    return [document.page_content for document in found]


class Answering(FakeListChatModel):
    def get_num_tokens_from_messages(self, messages: Any, tools: Any = None) -> int:
        return len(messages)


def model(*answers: str) -> FakeListChatModel:
    return Answering(responses=list(answers) or ["an answer"])


class Lengths(BaseCrossEncoder):
    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        return [float(len(text)) for _, text in text_pairs]


class Caller(GenericFakeChatModel):
    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self


def similarity(store: Chroma) -> Any:
    return contents(store.as_retriever(search_kwargs=SOME).invoke(QUERY))


def mmr(store: Chroma) -> Any:
    retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 8, "fetch_k": 8})
    return sorted(contents(retriever.invoke(QUERY)))


def threshold(store: Chroma) -> Any:
    kwargs = {"score_threshold": 0.0, **SOME}
    retriever = store.as_retriever(
        search_type="similarity_score_threshold", search_kwargs=kwargs
    )
    return contents(retriever.invoke(QUERY))


def parent_document(store: Chroma) -> Any:
    retriever = ParentDocumentRetriever(
        vectorstore=store,
        docstore=InMemoryStore(),
        child_splitter=CharacterTextSplitter(separator=" ", chunk_size=20, chunk_overlap=0),
        search_kwargs={"k": 40, "filter": {"book": "new"}},
    )
    several = [Document("a grey whale in the cold sea", metadata={"book": "new"})]
    several.append(Document("a small fish in the warm sea", metadata={"book": "new"}))
    retriever.add_documents(several, ids=["whale", "fish"])
    return contents(retriever.invoke("whale"))


def multi_vector(store: Chroma) -> Any:
    docs = InMemoryStore()
    docs.mset([("one", Document("all on whales")), ("two", Document("all on fish"))])
    parts = [("whales sing", "one"), ("whales swim", "one"), ("fish swim", "two")]
    store.add_documents([Document(text, metadata={"of": of}) for text, of in parts])
    kwargs = {"k": 20, "filter": {"of": {"$in": ["one", "two"]}}}
    retriever = MultiVectorRetriever(
        vectorstore=store, docstore=docs, id_key="of", search_kwargs=kwargs
    )
    return contents(retriever.invoke("whales"))


def self_query(store: Chroma) -> Any:
    where = Comparison(comparator=Comparator.GTE, attribute="year", value=2023)
    structured = StructuredQuery(query=" ", filter=where)
    retriever = SelfQueryRetriever(
        vectorstore=store,
        query_constructor=RunnableLambda(lambda _: structured),
        structured_query_translator=ChromaTranslator(),
        search_kwargs={"k": 20},
    )
    return sorted(contents(retriever.invoke("new ones")))


def compression(store: Chroma) -> Any:
    filters = [EmbeddingsFilter(embeddings=WordEmbeddings(), similarity_threshold=0.0, k=20)]
    retriever = ContextualCompressionRetriever(
        base_compressor=DocumentCompressorPipeline(transformers=filters),
        base_retriever=store.as_retriever(search_kwargs=SOME),
    )
    return contents(retriever.invoke(QUERY))


def cross_encoder(store: Chroma) -> Any:
    retriever = ContextualCompressionRetriever(
        base_compressor=CrossEncoderReranker(model=Lengths(), top_n=3),
        base_retriever=store.as_retriever(search_kwargs=ALL),
    )
    return contents(retriever.invoke(QUERY))


def multi_query(store: Chroma) -> Any:
    retriever = MultiQueryRetriever.from_llm(
        store.as_retriever(search_kwargs=SOME), model("red pumps\nblue valves")
    )
    return contents(retriever.invoke(QUERY))


def merger(store: Chroma) -> Any:
    several = [store.as_retriever(search_kwargs={**SOME, "filter": {"tenant": t}}) for t in "ab"]
    return contents(MergerRetriever(retrievers=several).invoke(QUERY))


def ensemble(store: Chroma) -> Any:
    several = [store.as_retriever(search_kwargs={**SOME, "filter": {"tenant": t}}) for t in "ab"]
    return contents(EnsembleRetriever(retrievers=several, weights=[0.5, 0.5]).invoke(QUERY))


def rephrased(store: Chroma) -> Any:
    retriever = RePhraseQueryRetriever.from_llm(
        store.as_retriever(search_kwargs=SOME), model("red pump")
    )
    return contents(retriever.invoke(QUERY))


def history_aware(store: Chroma) -> Any:
    parts = [("placeholder", "{chat_history}"), ("human", "{input}")]
    prompt = ChatPromptTemplate.from_messages(parts)
    chain = create_history_aware_retriever(
        model("the red pump"), store.as_retriever(search_kwargs=SOME), prompt
    )
    history = [HumanMessage("is there a pump?"), AIMessage("yes")]
    return contents(chain.invoke({"input": "is it red?", "chat_history": history}))


def retrieval_chain(store: Chroma) -> Any:
    combine = RunnableLambda(lambda given: contents(given["context"]))
    chain = create_retrieval_chain(store.as_retriever(search_kwargs=SOME), combine)
    return chain.invoke({"input": QUERY})["answer"]


def retrieval_qa(store: Chroma) -> Any:
    chain = RetrievalQA.from_chain_type(
        model(), retriever=store.as_retriever(search_kwargs=SOME), return_source_documents=True
    )
    return contents(chain.invoke(QUERY)["source_documents"])


def qa_with_sources(store: Chroma) -> Any:
    store.add_documents([Document("a whale", metadata={"source": "sea.md", "tenant": "s"})])
    chain = RetrievalQAWithSourcesChain.from_chain_type(
        model("It is.\nSOURCES: sea.md"),
        retriever=store.as_retriever(search_kwargs={"k": 3, "filter": {"tenant": "s"}}),
        return_source_documents=True,
    )
    answer = chain.invoke({"question": QUERY})
    return [answer["sources"].strip(), *contents(answer["source_documents"])]


def conversation(store: Chroma) -> Any:
    chain = ConversationalRetrievalChain.from_llm(
        model("red pump", "an answer"),
        store.as_retriever(search_kwargs=SOME),
        return_source_documents=True,
    )
    asked = {"question": QUERY, "chat_history": [("is there a pump?", "yes")]}
    return contents(chain.invoke(asked)["source_documents"])


def indexing(store: Chroma) -> Any:
    manager = InMemoryRecordManager("test")
    manager.create_schema()
    options = {"cleanup": "full", "source_id_key": "source", "key_encoder": "sha256"}
    first = [Document(text, metadata={"source": "x"}) for text in ("a whale", "a fish")]
    counts = [index(first, manager, store, **options), index(first[:1], manager, store, **options)]
    kept = store.similarity_search("fish", k=20, filter={"source": "x"})
    return [*map(str, counts), *contents(kept)]


def example_selector(store: Chroma) -> Any:
    examples = [{"question": "sea", "answer": "whale"}, {"question": "lake", "answer": "fish"}]
    where = {"question": {"$in": ["sea", "lake"]}}
    selector = SemanticSimilarityExampleSelector(
        vectorstore=store, k=5, vectorstore_kwargs={"filter": where}
    )
    for example in examples:
        selector.add_example(example)
    return [example["answer"] for example in selector.select_examples({"question": "sea"})]


def mmr_example_selector(store: Chroma) -> Any:
    selector = MaxMarginalRelevanceExampleSelector.from_examples(
        [{"question": "sea"}, {"question": "lake"}, {"question": "river"}],
        WordEmbeddings(),
        type(store),
        k=3,
        fetch_k=3,
        collection_name=fresh_name(),
    )
    return sorted(example["question"] for example in selector.select_examples({"question": "sea"}))


def memory(store: Chroma) -> Any:
    kwargs = {"k": 1, "where_document": {"$contains": "whale"}}
    kept = VectorStoreRetrieverMemory(retriever=store.as_retriever(search_kwargs=kwargs))
    kept.save_context({"input": "I like the grey whale"}, {"output": "so do I"})
    return [kept.load_memory_variables({"input": "whale"})["history"]]


def buffered_memory(store: Chroma) -> Any:
    kept = ConversationVectorStoreTokenBufferMemory(
        retriever=store.as_retriever(search_kwargs={"k": 1}),
        llm=model(),
        max_token_limit=1_000,
        return_messages=True,
    )
    kept.save_context({"input": "I like the whale"}, {"output": "so do I"})
    return [m.content for m in kept.load_memory_variables({"input": "whale"})["history"][-2:]]


def tool(store: Chroma) -> Any:
    made = create_retriever_tool(store.as_retriever(search_kwargs=SOME), "find", "Finds texts.")
    return made.invoke({"query": QUERY}).split("\n\n")


def agent(store: Chroma) -> Any:
    made = create_retriever_tool(store.as_retriever(search_kwargs=SOME), "find", "Finds texts.")
    call = AIMessage("", tool_calls=[{"name": "find", "args": {"query": QUERY}, "id": "1"}])
    run = create_agent(Caller(messages=iter([call, AIMessage("done")])), [made])
    messages = run.invoke({"messages": [HumanMessage(QUERY)]})["messages"]
    return next(m.content for m in messages if m.type == "tool").split("\n\n")


def router(store: Chroma) -> Any:
    chain = EmbeddingRouterChain.from_names_and_descriptions(
        [("sea", ["a grey whale"]), ("garden", ["a red rose"])],
        type(store),
        WordEmbeddings(),
        routing_keys=["input"],
    )
    found = [chain.invoke({"input": text})["destination"] for text in ("grey whale", "red rose")]
    chain.vectorstore.delete_collection()
    return found


def index_creator(store: Chroma) -> Any:
    made = VectorstoreIndexCreator(
        vectorstore_cls=type(store),
        embedding=WordEmbeddings(),
        vectorstore_kwargs={"collection_name": fresh_name()},
    ).from_documents(documents())
    return sorted(contents(made.vectorstore.as_retriever(search_kwargs=SOME).invoke(QUERY)))


def time_weighted(store: Chroma) -> Any:
    """Its dates are no metadata that Chroma stores."""
    retriever = TimeWeightedVectorStoreRetriever(vectorstore=store)
    with pytest.raises(ValueError, match=r"filter_complex_metadata|[Mm]etadata"):
        retriever.add_documents([Document("a whale")])
    return []


def complex_metadata(store: Chroma) -> Any:
    (made,) = filter_complex_metadata([Document("a whale", metadata={"a": {"b": 1}, "sea": True})])
    store.add_documents([made])
    return contents(store.similarity_search("whale", filter={"sea": True}))


CONSUMERS: list[Callable[[Chroma], Any]] = [
    similarity, mmr, threshold, parent_document, multi_vector, self_query, compression,
    cross_encoder, multi_query, merger, ensemble, rephrased, history_aware, retrieval_chain,
    retrieval_qa, qa_with_sources, conversation, indexing, example_selector, mmr_example_selector,
    memory, buffered_memory, tool, agent, router, index_creator, time_weighted, complex_metadata,
]  # fmt: skip


def made(cls: type[Chroma], **options: Any) -> Chroma:
    settings = {"collection_configuration": COSINE, **options}
    store = cls(fresh_name(), WordEmbeddings(), **settings)
    store.add_documents(documents())
    return store


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.__name__)
def test_it_gets_what_plain_chroma_gives(consumer):
    expected = consumer(made(Chroma))
    assert consumer(made(HybridChroma, mode="vector")) == expected
    assert sorted(consumer(made(HybridChroma))) == sorted(expected)
    assert expected or consumer is time_weighted


def test_what_is_given_are_langchains_own_types():
    store = made(HybridChroma)
    assert isinstance(store.embeddings, Embeddings)
    prompt = PromptTemplate.from_template("{context}")
    assert (store.as_retriever() | RunnableLambda(contents) | RunnableLambda(
        lambda texts: prompt.format(context=texts[0]))).invoke(QUERY)  # fmt: skip
