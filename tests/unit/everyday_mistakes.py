"""Everyday mistakes, and the words that the message must hold."""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
from chromadb.utils.embedding_functions import DefaultEmbeddingFunction
from langchain_core.documents import Document
from langchain_core.runnables import ConfigurableField

from langchain_chroma_hybrid import (
    ChromaHybridRetriever,
    HybridChroma,
    RankBM25Index,
    TantivyIndex,
    minilm,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import fresh_name

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY = "red pump"
PASSWORD = "correct-horse"  # noqa: S105  # in an address
SECRET = "nobody but us may read this"  # noqa: S105  # a document


def made(**options: Any) -> HybridChroma:
    return HybridChroma(**{"collection_name": fresh_name(), "embedding_function": WordEmbeddings(),
                           **options})  # fmt: skip


class Promised:
    """What a call that was not awaited gives, without a warning."""

    def __await__(self) -> Any:
        yield


def over(store: HybridChroma, **options: Any) -> ChromaHybridRetriever:
    return ChromaHybridRetriever.from_vectorstore(store, **options)


# What somebody does, and the words that the message must hold.
MISTAKES: dict[str, tuple[Callable[[HybridChroma], Any], list[str]]] = {
    # Names of other libraries
    "alpha, made": (lambda s: made(alpha=0.5), ["alpha", "weights=(1 - alpha, alpha)", "mode"]),
    "alpha, search": (lambda s: s.similarity_search(QUERY, alpha=0.5), ["(1 - alpha, alpha)"]),
    "alpha, retriever": (lambda s: over(s, alpha=0.5), ["weights=(1 - alpha, alpha)", "analyzer"]),
    "alpha, call": (lambda s: over(s).invoke(QUERY, alpha=0.5), ["weights=(1 - alpha, alpha)"]),
    "top_k": (lambda s: s.similarity_search(QUERY, top_k=3), ["top_k (write k=)"]),
    "top_k, retriever": (lambda s: over(s, top_k=3), ["top_k (write k=)", "reranker"]),
    "n_results": (lambda s: s.similarity_search(QUERY, n_results=3), ["n_results (write k=)"]),
    "limit": (lambda s: s.as_retriever(search_kwargs={"limit": 3}), ["limit (write k=)"]),
    "where": (lambda s: s.similarity_search(QUERY, where={"a": 1}), ["where (write filter=)"]),
    "where, call": (lambda s: over(s).invoke(QUERY, where={"a": 1}), ["where (write filter=)"]),
    "filters": (lambda s: s.as_retriever(filters={"a": 1}), ["filters (write filter=)"]),
    "filter, delete": (lambda s: s.delete(filter={"a": 1}), ["filter (write where=)"]),
    "filter, get": (lambda s: s.get(filter={"a": 1}), ["filter (write where=)", "include"]),
    "threshold": (lambda s: over(s, threshold=0.5), ["threshold (write score_threshold=)"]),
    "rrf_k": (lambda s: made(rrf_k=60), ["rrf_k (write c=)"]),
    "bm25_weight": (lambda s: made(bm25_weight=0.3), ["weights=(lexical, vector)"]),
    "search_type, search": (
        lambda s: s.similarity_search(QUERY, search_type="hybrid"),
        ["search_type", "the default"],
    ),
    "search_type hybrid": (
        lambda s: s.as_retriever(search_type="hybrid"),
        ["search_type", "similarity, similarity_score_threshold, mmr", "by default", "'hybrid'"],
    ),
    "search by hybrid": (lambda s: s.search(QUERY, "hybrid"), ["search_type", "mmr", "default"]),
    "hybrid=True": (lambda s: made(hybrid=True), ["hybrid is the default"]),
    "language": (lambda s: made(language="german"), ["language (write analyzer=)"]),
    "k1": (lambda s: made(k1=1.2), ["RankBM25Index(k1=..., b=...)"]),
    "embeddings": (lambda s: made(embeddings=WordEmbeddings()), ["write embedding_function="]),
    "embedding_function, texts": (
        lambda s: HybridChroma.from_texts(["a"], embedding_function=WordEmbeddings()),
        ["embedding_function (write embedding=)"],
    ),
    "path": (lambda s: made(path="./db"), ["path (write persist_directory=)"]),
    "name": (lambda s: made(name="docs"), ["name (write collection_name=)"]),
    "rerank": (lambda s: over(s, rerank=True), ["rerank (write reranker=)"]),
    "a typo": (lambda s: made(fusoin="rrf"), ["fusoin (write fusion=)"]),
    "search_kwargs": (lambda s: over(s, search_kwargs={"k": 2}), ["k=, filter="]),
    "add_texts": (lambda s: s.add_texts(["a"], metadata=[{}]), ["metadata (write metadatas=)"]),
    # At the wrong door
    "k, made": (lambda s: made(k=5), ["k (it belongs in a search, or in as_retriever)"]),
    "k, texts": (lambda s: HybridChroma.from_texts(["a"], k=5), ["from_texts", "it belongs in"]),
    "filter, made": (lambda s: made(filter={"a": 1}), ["filter (it belongs in a search"]),
    "base_filter, made": (lambda s: made(base_filter={"a": SECRET}), ["it belongs in as_retr"]),
    "base_filter, search": (
        lambda s: s.similarity_search(QUERY, base_filter={"a": SECRET}),
        ["base_filter (it belongs in as_retriever"],
    ),
    "reranker, search": (
        lambda s: s.similarity_search(QUERY, reranker=len), ["reranker (it belongs in as_retriever"]
    ),
    "analyzer, search": (
        lambda s: s.similarity_search(QUERY, analyzer="german"), ["where the store is made"]
    ),
    "analyzer, retriever": (
        lambda s: ChromaHybridRetriever(vectorstore=s, analyzer="german"),
        ["analyzer (it belongs where the store is made, or from_vectorstore is called)"],
    ),
    "search_kwargs, invoke": (
        lambda s: over(s).invoke(QUERY, search_kwargs={"k": 1}), ["k=, filter= and the others"]
    ),
    "a typo, texts": (
        lambda s: HybridChroma.from_texts(["a"], colection_name="x"),
        ["from_texts", "colection_name (write collection_name=)", "embedding,"],
    ),
    "a typo, documents": (
        lambda s: HybridChroma.from_documents([], persist_dir="x"),
        ["from_documents", "persist_dir (write persist_directory=)"],
    ),
    "a typo, from_vectorstore": (lambda s: over(s, analyser="german"), ["(write analyzer=)"]),
    "a typo, as_retriever": (lambda s: s.as_retriever(search_typ="mmr"), ["(write search_type=)"]),
    "a typo, kept": (
        lambda s: s.as_retriever(search_kwargs={"filtre": {}}), ["filtre (write filter=)"]
    ),
    "a typo, invoke": (lambda s: over(s).invoke(QUERY, mod="lexical"), ["mod (write mode=)"]),
    "a typo, delete": (lambda s: s.delete(id=["a"]), ["id (write ids=)"]),
    # Values
    "k=0": (lambda s: s.similarity_search(QUERY, k=0), ["k:", ">= 1", "0"]),
    "k as text": (lambda s: over(s, k="4"), ["k:", "'4'"]),
    "mode bm25": (lambda s: made(mode="bm25"), ["mode:", "two_step", "did you mean lexical?"]),
    "mode dense": (lambda s: over(s, mode="dense"), ["mode:", "vector", "'dense'"]),
    "mode per call": (lambda s: s.explain(QUERY, mode="Hybrid"), ["did you mean hybrid?"]),
    "fusion RRF": (lambda s: made(fusion="RRF"), ["fusion:", "did you mean rrf?"]),
    "weights of one": (lambda s: made(weights=[0.5]), ["weights:", "2 numbers (lexical, vector)"]),
    "weights a number": (lambda s: made(weights=0.5), ["weights:", "mapping", "0.5"]),
    "weights by bm25": (lambda s: made(weights={"bm25": 1}), ["bm25", "did you mean lexical?"]),
    "threshold 50": (lambda s: over(s, score_threshold=50), ["score_threshold:", "1", "50"]),
    "no threshold": (
        lambda s: s.as_retriever(search_type="similarity_score_threshold"),
        ["score_threshold", "between 0 and 1", "None"],
    ),
    "analyzer": (lambda s: made(analyzer="klingon"), ["klingon", "english"]),
    "reranker": (lambda s: over(s, reranker="cohere"), ["reranker:", "BaseDocumentCompressor"]),
    "score_key": (lambda s: over(s, score_key="score"), ["score_key", "chroma_hybrid_score"]),
    "relevance_score_fn": (lambda s: made(relevance_score_fn="cosine"), ["relevance_score_fn:"]),
    "weights of three": (lambda s: over(s, weights=[1, 1, 1]), ["weights:", "2 numbers"]),
    "weights of a call": (lambda s: s.similarity_search(QUERY, weights=[1]), ["2 numbers"]),
    "weights of invoke": (lambda s: over(s).invoke(QUERY, weights=[1]), ["2 numbers"]),
    "weights as texts": (lambda s: made(weights=["0.5", "0.5"]), ["weights:", "finite", "'0.5'"]),
    "weights of nothing": (lambda s: made(weights=[0, 0]), ["weights:", "above 0", "[0, 0]"]),
    "weights kept": (
        lambda s: s.as_retriever(search_kwargs={"weights": [1]}),
        ["weights:", "2 numbers (lexical, vector)", "[1]"],
    ),
    **{
        f"k={k!r}, {way}": (partial(call, k=k), ["k:", repr(k)])
        for k in (-1, "3", True, 2.0, None)
        for way, call in {
            "search": lambda s, k: s.similarity_search(QUERY, k=k),
            "scores": lambda s, k: s.similarity_search_with_relevance_scores(QUERY, k=k),
            "mmr": lambda s, k: s.max_marginal_relevance_search(QUERY, k=k),
            "vector": lambda s, k: s.similarity_search_by_vector([0.5] * 64, k=k),
            "retriever": lambda s, k: over(s, k=k),
            "invoke": lambda s, k: over(s).invoke(QUERY, k=k),
            "kept": lambda s, k: s.as_retriever(search_kwargs={"k": k}),
        }.items()
    },
    "fetch_k": (lambda s: s.max_marginal_relevance_search(QUERY, fetch_k=0), ["fetch_k:", "0"]),
    "lambda_mult": (lambda s: over(s, lambda_mult=50), ["lambda_mult:", "between 0 and 1", "50"]),
    "threshold as text": (
        lambda s: s.as_retriever(search_kwargs={"score_threshold": "0.5"}),
        ["score_threshold:", "'0.5'"],
    ),
    "mode kept": (
        lambda s: s.as_retriever(search_kwargs={"mode": "bm25"}),
        ["mode:", "did you mean lexical?"],
    ),
    "search_kwargs as text": (lambda s: s.as_retriever(search_kwargs="k=3"), ["a dict", "'k=3'"]),
    "a function as reranker": (lambda s: over(s, reranker=len), ["reranker:", "CrossEncoder"]),
    "retrievers in a list": (
        lambda s: over(s, extra_retrievers=[over(s, base_filter={"a": SECRET})]),
        ["extra_retrievers:", "dictionary", "a ChromaHybridRetriever"],
    ),
    "by position": (
        ChromaHybridRetriever,
        ["by name", "vectorstore=", "from_vectorstore"],
    ),
    "a configurable typo": (
        lambda s: over(s, base_filter={"a": SECRET}).configurable_fields(
            filtre=ConfigurableField(id="filter")
        ),
        ["filtre (write filter=)"],
    ),
    # Filters, by the name that was written
    "$like": (
        lambda s: s.similarity_search(QUERY, filter={"tenant": {"$like": "a"}}),
        ["filter['tenant']", "$contains", "$like"],
    ),
    "$gt of a text": (
        lambda s: over(s).invoke(QUERY, filter={"year": {"$gt": "2020"}}),
        ["filter['year']['$gt']", "an int or a float", "'2020'"],
    ),
    "a date": (
        lambda s: s.get(where={"day": np.datetime64("2020-01-01")}),
        ["where['day']", "a str, int, float or bool"],
    ),
    "filter None": (lambda s: s.explain(QUERY, filter={"a": None}), ["filter['a']", "None"]),
    "a text as filter": (
        lambda s: s.similarity_search(QUERY, filter="tenant = a"),
        ["filter:", "dict", "'tenant = a'"],
    ),
    "a function as filter": (
        lambda s: s.similarity_search(QUERY, filter=lambda d: True),  # type: ignore[arg-type]
        ["filter:", "dict", "the function <lambda>"],
    ),
    "a kept text as filter": (
        lambda s: s.as_retriever(search_kwargs={"filter": "a"}),
        ["filter:", "dict", "'a'"],
    ),
    "a list as value": (
        lambda s: s.similarity_search(QUERY, filter={"tenant": ["a", "b"]}),
        ["filter['tenant']", "{'$in': [...]}", "['a', 'b']"],
    ),
    "or": (
        lambda s: s.similarity_search(QUERY, filter={"or": [{"a": 1}, {"a": 2}]}),
        ["filter['or']", "write $or"],
    ),
    "gt": (lambda s: s.explain(QUERY, filter={"a": {"gt": 1}}), ["did you mean $gt?"]),
    "$regex of metadata": (
        lambda s: s.similarity_search(QUERY, filter={"tenant": {"$regex": "a.*"}}),
        ["filter['tenant']", "write it in where_document"],
    ),
    "$in of a text": (
        lambda s: s.get(where={"tenant": {"$in": "a"}}), ["where['tenant']['$in']", "list", "'a'"]
    ),
    "$in of two kinds": (
        lambda s: s.explain(QUERY, filter={"a": {"$in": [1, "x"]}}), ["values of one type"]
    ),
    "a text as where_document": (
        lambda s: s.similarity_search(QUERY, where_document="pump"), ["where_document:", "dict"]
    ),
    "$contians": (
        lambda s: s.similarity_search(QUERY, where_document={"$contians": "x"}),
        ["where_document", "did you mean $contains?"],
    ),
    "base_filter {}": (lambda s: over(s, base_filter={}), ["base_filter", "non-empty dict"]),
    "a base filter later": (
        lambda s: over(s, base_filter={"a": SECRET}).invoke(QUERY, base_filter={"a": SECRET}),
        ["base_filter", "when the retriever was made"],
    ),
    "a wrong base filter": (
        lambda s: over(s, base_filter={"a": {"$in": SECRET}}),
        ["base_filter['a']['$in']", "list", "a str of length"],
    ),
    "a base filter of another type": (lambda s: over(s, base_filter=SECRET), ["base_filter"]),
    "a base pattern": (
        lambda s: over(s, base_where_document={"$regex": f"{SECRET}(["}).invoke(QUERY),
        ["$regex", "unclosed"],
    ),
    # What is searched for and written
    "query None": (lambda s: over(s).search(None), ["query:", "a string", "None"]),  # type: ignore[arg-type]
    "query a dict": (
        lambda s: over(s).search({"question": QUERY}),  # type: ignore[arg-type]
        ["query:", "a string", "question"],
    ),
    "one text": (lambda s: s.add_texts(SECRET), ["texts:", "several strings"]),
    "one document": (lambda s: s.add_documents(Document(SECRET)), ["documents:", "several"]),  # type: ignore[arg-type]
    "texts for documents": (lambda s: s.add_documents([SECRET]), ["documents[0]:", "add_texts"]),  # type: ignore[list-item]
    "documents for texts": (
        lambda s: s.add_texts([Document(SECRET)]),  # type: ignore[list-item]
        ["texts[0]:", "a string", "add_documents"],
    ),
    "a document as query": (
        lambda s: s.similarity_search(Document(SECRET)),  # type: ignore[arg-type]
        ["query:", "a string", "a Document"],
    ),
    "a query as vector": (
        lambda s: s.similarity_search_by_vector(QUERY),  # type: ignore[arg-type]
        ["embedding:", "numbers"],
    ),
    "no vector": (lambda s: s.similarity_search_by_vector(None), ["embedding:", "embed_query"]),  # type: ignore[arg-type]
    "a text as ids": (lambda s: s.add_texts([SECRET], ids="x"), ["ids:", "several", "length 1"]),  # type: ignore[arg-type]
    "numbers as ids": (lambda s: s.add_texts([SECRET], ids=[1]), ["ids[0]:", "string", "1"]),  # type: ignore[list-item]
    "a dict as metadatas": (
        lambda s: s.add_texts([SECRET], {"a": 1}),  # type: ignore[arg-type]
        ["metadatas:", "one for each text", "a dict"],
    ),
    "an object as metadata": (
        lambda s: s.add_texts([SECRET], [{"a": object()}]),
        ["metadatas[0]['a']", "an object"],
    ),
    "a text as document": (
        lambda s: s.update_document("pump", SECRET),  # type: ignore[arg-type]
        ["documents[0]:", "a Document"],
    ),
    "limit of get": (lambda s: s.get(limit=-1), ["limit:", ">= 0", "-1"]),
    "offset of get": (lambda s: s.get(offset="1"), ["offset:", ">= 0", "'1'"]),  # type: ignore[arg-type]
    "one id": (lambda s: s.get_by_ids("pump"), ["ids:", "several", "length 4"]),
    "metadata": (
        lambda s: s.add_texts([SECRET], [{"author": {"name": "x"}}]),
        ["metadatas[0]['author']", "filter_complex_metadata"],
    ),
    "ids twice": (lambda s: s.add_texts([SECRET, "b"], ids=["x", "x"]), ["ids:", "every id once"]),
    "too few ids": (lambda s: s.add_texts([SECRET, "b"], ids=["x"]), ["ids:", "one per text"]),
    "delete nothing": (HybridChroma.delete, ["ids:", "`where`"]),
    "delete all": (lambda s: s.delete(where={}), ["ids:", "`where`"]),
    "get the same twice": (lambda s: s.get(ids=["pump", "pump"]), ["get:", "pump", "unique"]),
    "include": (lambda s: s.get(include=["vectors"]), ["get:", "vectors", "embeddings"]),
    # Opening
    "embeddings first": (
        lambda s: HybridChroma(WordEmbeddings()),  # type: ignore[arg-type]
        ["collection_name:", "embedding_function=", "WordEmbeddings"],
    ),
    "a model's name": (
        lambda s: made(embedding_function="all-MiniLM-L6-v2"),
        ["embedding_function:", "SentenceTransformerEmbeddings('all-MiniLM-L6-v2')"],
    ),
    "a helper that was not called": (
        lambda s: made(embedding_function=minilm),
        ["embedding_function:", "minilm(), which has to be called"],
    ),
    "a class of embeddings": (
        lambda s: made(embedding_function=WordEmbeddings),
        ["embedding_function:", "an object, WordEmbeddings(...)", "the class WordEmbeddings"],
    ),
    "a class for texts": (
        lambda s: HybridChroma.from_texts([SECRET], WordEmbeddings),  # type: ignore[arg-type]
        ["embedding:", "an object, WordEmbeddings(...)"],
    ),
    "texts in place of embeddings": (
        lambda s: HybridChroma.from_texts(WordEmbeddings(), [SECRET]),  # type: ignore[arg-type]
        ["embedding:", "LangChain Embeddings"],
    ),
    "chromadb's function": (
        lambda s: made(embedding_function=DefaultEmbeddingFunction()),
        ["embedding_function:", "from_chroma(function)", "a DefaultEmbeddingFunction"],
    ),
    "a function": (
        lambda s: made(embedding_function=lambda text: [1.0]),
        ["FunctionEmbeddings(function)", "the function <lambda>"],
    ),
    "lexical": (lambda s: made(lexical="tantivy"), ["lexical:", "TantivyIndex()", "'tantivy'"]),
    "a class as lexical": (lambda s: made(lexical=TantivyIndex), ["lexical:", "TantivyIndex()"]),
    "fields": (lambda s: made(lexical_fields=["title"]), ["lexical_fields:", "{'page_content':"]),
    "b": (lambda s: RankBM25Index(b=75), ["b:", "between 0 and 1", "75"]),
    "a bad name": (lambda s: made(collection_name="x"), ["collection_name:", "3-512", "'x'"]),
    "a missing collection": (
        lambda s: made(collection_name="nobody", create_collection_if_not_exists=False),
        ["collection_name", "[nobody] does not exist", "there are", "create_collection_if"],
    ),
    "no server": (lambda s: made(host="127.0.0.1", port=9), ["host:", "127.0.0.1:9", "chroma run"]),
    "a space": (
        lambda s: made(collection_configuration={"hnsw": {"space": "cos"}}),
        ["collection_configuration", "'cos'", "'cosine'"],
    ),
    "a folder and a host": (
        lambda s: made(persist_directory="./db", host="localhost"),
        ["persist_directory", "host", "Only one"],
    ),
    "a dict as folder": (lambda s: made(persist_directory={"path": "./db"}), ["a path", "./db"]),
    "a client and a folder": (
        lambda s: made(client=s._client, persist_directory="./db"),
        ["persist_directory", "beside client=", "'./db'"],
    ),
    "a client and a host": (lambda s: made(client=s._client, host="db"), ["host", "client="]),
    "a client and a key": (
        lambda s: made(client=s._client, chroma_cloud_api_key=SECRET),
        ["chroma_cloud_api_key", "beside client="],
    ),
    "a port alone": (lambda s: made(port=8000), ["port:", "host="]),
    "headers alone": (lambda s: made(headers={"token": SECRET}), ["headers:", "host="]),
    "a port in words": (lambda s: made(host="localhost", port="http"), ["port:", "8000", "http"]),
    "a password": (lambda s: made(host=f"http://me:{PASSWORD}@127.0.0.1", port=9), ["127.0.0.1"]),
    "an address as client": (lambda s: made(client="localhost:8000"), ["client:", "localhost"]),
    "a class as client": (
        lambda s: made(client=chromadb.PersistentClient),
        ["client:", "the function PersistentClient"],
    ),
    "metadata of a collection": (
        lambda s: made(collection_metadata={"a": {"b": 1}}),
        ["collection_metadata:", "str, int, float or bool"],
    ),
    "a text as metadata": (lambda s: made(collection_metadata="x"), ["collection_metadata: expec"]),
    "a space in its place": (
        lambda s: made(collection_configuration={"space": "cosine"}),
        ["collection_configuration", "{'hnsw': {'space': ...}}"],
    ),
    "a text as configuration": (
        lambda s: made(collection_configuration="cosine"),
        ["collection_configuration:", "{'hnsw': {'space': 'cosine'}}"],
    ),
    "a dict as settings": (lambda s: made(client_settings={}), ["client_settings:", "Settings"]),
    "a number as folder": (lambda s: made(persist_directory=3), ["persist_directory:", "a path"]),
    "a file as folder": (lambda s: made(persist_directory=__file__), ["persist_directory:"]),
    "a store's name": (lambda s: over("docs"), ["vectorstore:", "a HybridChroma", "a str"]),  # type: ignore[arg-type]
    "no store": (lambda s: ChromaHybridRetriever(k=1), ["vectorstore:", "a HybridChroma", "None"]),
    "settings twice": (lambda s: over(s, analyzer="german"), ["where the HybridChroma is made"]),
    "two analyzers": (
        lambda s: (s.similarity_search(QUERY), made(
            collection_name=s._collection_name, analyzer="german").similarity_search(QUERY)),
        ["english stemmer", "german stemmer", "one configuration"],
    ),
    "another dimension": (
        lambda s: s.similarity_search_by_vector([0.5] * 3),
        ["embedding", "64", "3"],
    ),
    "pickle": (pickle.dumps, ["HybridChroma(", "persist_directory", "process"]),
    "pickle a retriever": (lambda s: pickle.dumps(over(s)), ["from_vectorstore(HybridChroma("]),
    "pickle LangChain's": (lambda s: pickle.dumps(s.as_retriever()), [").as_retriever("]),
    # Names of LlamaIndex, and what belongs elsewhere under another name
    **{
        f"similarity_top_k, {way}": (call, ["similarity_top_k (write k=)"])
        for way, call in {
            "search": lambda s: s.similarity_search(QUERY, similarity_top_k=3),
            "retriever": lambda s: over(s, similarity_top_k=3),
            "invoke": lambda s: over(s).invoke(QUERY, similarity_top_k=3),
            "kept": lambda s: s.as_retriever(search_kwargs={"similarity_top_k": 3}),
        }.items()
    },
    "query_mode": (lambda s: over(s, vector_store_query_mode="hybrid"), ["(write mode=)"]),
    "namespace": (lambda s: made(namespace="a"), ["namespace (write collection_name=)"]),
    **{
        f"{name}, made": (partial(lambda s, name: made(**{name: 5}), name=name), [words])
        for name, words in {
            "top_k": "top_k (k= belongs in a search, or in as_retriever)",
            "similarity_top_k": "similarity_top_k (k= belongs in a search",
            "where": "where (filter= belongs in a search",
            "rerank": "rerank (reranker= belongs in as_retriever",
            "texts": "texts (it belongs in add_texts, or in from_texts)",
            "documents": "documents (it belongs in add_documents, or in from_documents)",
        }.items()
    },
    "ids, search": (lambda s: s.similarity_search(QUERY, ids=["a"]), ["ids (it belongs in get)"]),
    "mmr, over": (lambda s: over(s, search_type="mmr"), ["search_type", "lambda_mult makes mmr"]),
    **{
        f"search_type {kind}": (
            partial(lambda s, kind: s.as_retriever(search_type=kind), kind=kind),
            ["search_type", f"mode={mode!r}", repr(kind)],
        )
        for kind, mode in {"bm25": "lexical", "keyword": "lexical", "dense": "vector"}.items()
    },
    **{
        f"operator {op}": (
            partial(lambda s, op: s.get(where={"year": {op: 1}}), op=op),
            ["where['year']", f"did you mean {meant}?"],
        )
        for op, meant in {"==": "$eq", "!=": "$ne", ">": "$gt", "<=": "$lte", "not_in": "$nin",
                          "$ge": "$gte", "in": "$in"}.items()
    },
    # Objects in place of others
    **{
        f"{kind} as vectorstore, {way}": (call, ["vectorstore:", "a Chroma or a Hybrid", got])
        for kind, (thing, got) in {
            "a class": (lambda s: HybridChroma, "got the class HybridChroma"),
            "Chroma's class": (lambda s: HybridChroma.__mro__[3], "got the class "),
            "a retriever": (over, "got a ChromaHybridRetriever"),
            "a promise": (lambda s: Promised(), "got a Promised that has to be awaited first"),
        }.items()
        for way, call in {
            "from": partial(lambda s, of: over(of(s)), of=thing),
            "made": partial(lambda s, of: ChromaHybridRetriever(vectorstore=of(s)), of=thing),
        }.items()
    },
    **{
        f"{kind} as embeddings": (
            partial(lambda s, of: made(embedding_function=of(s)), of=thing),
            ["embedding_function:", "LangChain Embeddings", words],
        )
        for kind, (thing, words) in {
            "a store": (lambda s: s, "those that it was made with itself, got a HybridChroma"),
            "a retriever": (over, "those that it was made with itself, got a ChromaHybrid"),
            "a promise": (lambda s: Promised(), "a Promised that has to be awaited first"),
        }.items()
    },
    "a promise as query": (lambda s: s.similarity_search(Promised()), ["query:", "awaited first"]),  # type: ignore[arg-type]
    # Texts where none is expected, which no message shows
    **{
        f"{kind} as metadata": (
            partial(lambda s, given: s.add_texts(["a"], [given]), given=given),
            ["metadatas[0]", got],
        )
        for kind, given, got in [
            ("a text", SECRET, "a mapping, got a str of length"),
            ("a list", [SECRET], "a mapping, got a list"),
            ("a mixture", {"a": [SECRET, 1]}, "got a list"),
            ("a dict of texts", {"a": {"b": SECRET}}, "got a dict"),
            ("a set", {"a": {SECRET}}, "got a set"),
            ("a tuple", {"a": (SECRET,)}, "got a tuple"),
        ]
    },
    **{
        f"{name} changed": (
            partial(
                lambda s, name, value: setattr(over(s, base_filter={"a": SECRET}), name, value),
                name=name, value=value,
            ),
            words,
        )
        for name, value, words in [
            ("base_filter", {"a": SECRET}, ["base_filter:", "nothing changes later", "got a dict"]),
            ("base_where_document", {"$contains": SECRET}, ["base_where_document:"]),
            ("filter", {"a": SECRET}, ["filter:", "model_copy(update={'filter': ...})"]),
            ("k", 3, ["k:", "model_copy"]),
            ("top_k", 3, ["top_k (write k=)"]),
        ]
    },
    # Places that are none
    **{
        f"folder {folder!r}": (
            partial(lambda s, folder: made(persist_directory=folder), folder=folder),
            # Of a long one the beginning.
            ["persist_directory:", "a folder that Chroma can open or make", repr(folder)[:60]],
        )
        for folder in (f"{__file__}/db", "/dev/null/db", "a\0b")
    },
    **{
        f"host {host!r}": (
            partial(lambda s, host: made(host=host), host=host),
            ["host:", "'localhost'", repr(host)],
        )
        for host in (5, "", ["db"])
    },
    **{
        f"headers, {kind}": (
            partial(lambda s, given: made(host="localhost", port=9, headers=given), given=given),
            ["headers:", "names to strings"],
        )
        for kind, given in {"a text": SECRET, "a number": {SECRET: 5}, "a list": [SECRET]}.items()
    },
    "a space in metadata": (
        lambda s: made(collection_metadata={"hnsw:space": "cos"}),
        ["collection_metadata:", "'cosine'", "'cos'"],
    ),
    "a number as hnsw": (
        lambda s: made(collection_configuration={"hnsw": 5}), ["collection_configuration:", "5"]
    ),
    "an id that is none": (lambda s: s.get(5), ["ids:", "str", "5"]),  # type: ignore[arg-type]
    "include as text": (lambda s: s.get(include="documents"), ["include:", "a list"]),  # type: ignore[arg-type]
}  # fmt: skip
