"""Search times beside the peers, on the same records and vectors in one run.

python benchmarks/latency.py --work /path/for/the/collection DIR [DIR ...] [--n 100000]

Each DIR is a BEIR folder with `minilm.corpus.npy` and `minilm.queries.npy`. Vectors are given, so
that only the search is measured. Methods take turns query by query: all see the same noise, so read
the ratios. Needs `pip install -r benchmarks/requirements.txt`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from _corpus import KINDS, SHARES, Corpus, load, where
from _results import README, RESULTS, setting, table, write_section
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid import HybridChroma

K = 10
README_RECORDS = 100_000
NAME = "bench"
Search = Callable[[str, dict[str, Any] | None], list[str]]


class Given(Embeddings):
    """Hands out the vectors of the corpus."""

    def __init__(self, corpus: Corpus) -> None:
        self._vectors = dict(zip(corpus.queries, corpus.query_vectors.tolist(), strict=True))

    def embed_query(self, text: str) -> list[float]:
        """The vector of a query of the corpus."""
        return self._vectors[text]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The same for several."""
        return [self._vectors[text] for text in texts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="kept; a second run reuses it")
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cold:
        cold_open(options.work)
        return
    corpus = load(options.folders, options.n, options.queries)
    folder = options.work / f"n{options.n}"
    chroma = fill(corpus, folder)
    hybrid = HybridChroma(NAME, Given(corpus), str(folder))
    start = time.perf_counter()
    added = hybrid.sync().added
    took = time.perf_counter() - start
    built = f"Lexical index of {added:,} records built in {took:.1f} s; " if added else ""
    plain, ours = methods(corpus, chroma, hybrid)
    free = unfiltered(corpus, {**plain, **ours})
    bound = filtered(corpus, plain["langchain-chroma"], ours)
    used = setting("chromadb", "langchain-chroma", "tantivy", "llama-index-core", "rank-bm25")
    text = f"""## Latency, {options.n:,} records

k = {K}, vectors given, {options.queries} queries in turns.

{table(["", "p50 ms", "p95 ms", "times langchain-chroma"], free)}

Filtered, beside langchain-chroma's own filtered search and as times faster than it. *First*:
nothing is known of the filter; *then*: the next {FEW} queries; *lasting*: {AGAIN} queries later.

{table(FILTERED, bound)}

{built}{opening(folder)}.

{used}
"""
    print(text)
    write_section(RESULTS, f"latency {options.n}", text)
    if options.n == README_RECORDS:
        write_section(README, "latency", f"{summary(free, bound)}\n\n{used}")


def summary(free: list[list[str]], bound: list[list[str]]) -> str:
    """Median milliseconds without a filter and with random ones, for the front page."""
    alone = {row[0]: row[1] for row in free}
    random = [row for row in bound if row[1] == "random"]
    head = ["p50 ms", "no filter", *(f"passes {row[0]}" for row in random)]
    columns = {"langchain-chroma": 2, "ours, vector": 4, "ours, hybrid": 6}
    return table(
        head,
        [
            [name, alone[name], *(row[columns[name]] if name in columns else "" for row in random)]
            for name in alone
            if name in columns or name.startswith(("Ensemble", "Llama"))
        ],
    )


def fill(corpus: Corpus, folder: Path) -> Chroma:
    """The collection, written once, with the vectors of the corpus."""
    chroma = Chroma(
        NAME,
        Given(corpus),
        str(folder),
        collection_configuration={"hnsw": {"space": "cosine"}},
    )
    collection = chroma._client.get_collection(NAME)  # noqa: SLF001  # to write without embedding
    for start in range(collection.count(), len(corpus.ids), 5000):
        cut = slice(start, start + 5000)
        collection.add(
            ids=corpus.ids[cut],
            embeddings=corpus.vectors[cut],
            documents=corpus.texts[cut],
            metadatas=corpus.metadatas[cut],  # type: ignore[arg-type]
        )
    return chroma


def methods(
    corpus: Corpus, chroma: Chroma, hybrid: HybridChroma
) -> tuple[dict[str, Search], dict[str, Search]]:
    """The peers and our modes, each as query, filter -> ids."""

    def ours(mode: str) -> Search:
        return lambda query, filter: [
            document.id or ""
            for document in hybrid.similarity_search(query, k=K, filter=filter, mode=mode)
        ]

    def chroma_search(query: str, filter: dict[str, Any] | None) -> list[str]:
        return [d.id or "" for d in chroma.similarity_search(query, k=K, filter=filter)]

    peers: dict[str, Search] = {"langchain-chroma": chroma_search}
    peers["EnsembleRetriever"] = ensemble(corpus, chroma)
    peers["LlamaIndex QueryFusion"] = query_fusion(corpus, chroma)
    modes = ("vector", "lexical", "hybrid", "two_step")
    return peers, {f"ours, {mode}": ours(mode) for mode in modes}


def ensemble(corpus: Corpus, chroma: Chroma) -> Search:
    """LangChain's own way: rank_bm25 in memory beside Chroma."""
    from langchain_classic.retrievers import EnsembleRetriever  # noqa: PLC0415
    from langchain_community.retrievers import BM25Retriever  # noqa: PLC0415

    metadatas = [{"id": id_} for id_ in corpus.ids]
    words = BM25Retriever.from_texts(corpus.texts, metadatas, ids=corpus.ids, k=K)
    near = chroma.as_retriever(search_kwargs={"k": K})
    both = EnsembleRetriever(retrievers=[words, near], weights=[0.5, 0.5])
    return lambda query, _: [document.id or "" for document in both.invoke(query)]


def query_fusion(corpus: Corpus, chroma: Chroma) -> Search:
    """LlamaIndex's own way: bm25s in memory beside Chroma."""
    from llama_index.core import VectorStoreIndex  # noqa: PLC0415
    from llama_index.core.base.embeddings.base import BaseEmbedding  # noqa: PLC0415
    from llama_index.core.llms import MockLLM  # noqa: PLC0415
    from llama_index.core.retrievers import QueryFusionRetriever  # noqa: PLC0415
    from llama_index.core.schema import TextNode  # noqa: PLC0415
    from llama_index.retrievers.bm25 import BM25Retriever  # noqa: PLC0415
    from llama_index.vector_stores.chroma import ChromaVectorStore  # noqa: PLC0415

    given = Given(corpus)

    class Lookup(BaseEmbedding):
        def _get_query_embedding(self, query: str) -> list[float]:
            return given.embed_query(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return given.embed_query(query)

        def _get_text_embedding(self, text: str) -> list[float]:
            return given.embed_query(text)

    collection = chroma._client.get_collection(NAME)  # noqa: SLF001
    store = ChromaVectorStore(chroma_collection=collection)
    near = VectorStoreIndex.from_vector_store(store, embed_model=Lookup()).as_retriever(
        similarity_top_k=K
    )
    nodes = [TextNode(id_=i, text=t) for i, t in zip(corpus.ids, corpus.texts, strict=True)]
    words = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=K)
    both = QueryFusionRetriever(
        [words, near],
        llm=MockLLM(),
        num_queries=1,
        similarity_top_k=K,
        mode="reciprocal_rerank",
        use_async=False,
    )
    return lambda query, _: [node.node.node_id for node in both.retrieve(query)]


def clock(
    searches: dict[str, Search], queries: list[str], filter: dict[str, Any] | None
) -> tuple[dict[str, list[float]], dict[str, list[list[str]]]]:
    """Milliseconds and ids by method, in turns, each query in another order.

    The order is random: who comes second finds what the first has read in the machine's caches.
    """
    times: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[list[str]]] = defaultdict(list)
    order = np.random.default_rng(3)
    for query in queries:
        for name in order.permutation(list(searches)):
            start = time.perf_counter()
            ids = searches[name](query, filter)
            times[name].append((time.perf_counter() - start) * 1e3)
            found[name].append(ids)
    return times, found


def unfiltered(corpus: Corpus, searches: dict[str, Search]) -> list[list[str]]:
    """By method p50, p95, and p50 as a multiple of langchain-chroma's."""
    clock(searches, corpus.queries[:1], None)
    times, _ = clock(searches, corpus.queries, None)
    base = np.median(times["langchain-chroma"])
    return [
        [name, f"{np.median(t):.1f}", f"{np.percentile(t, 95):.1f}", f"{np.median(t) / base:.2f}"]
        for name, t in times.items()
    ]


FILTERED = [
    "passes", "kind", "langchain-chroma ms", "ours vector ms, first", "then", "lasting",
    "ours hybrid ms, then", "lasting", "vector, then", "lasting", "hybrid, then", "lasting",
    "recall@10 Chroma", "ours, then", "lasting",
]  # fmt: skip
# So often a filter is asked for again before "lasting" is measured.
AGAIN = 200
FEW = 20


def filtered(corpus: Corpus, plain: Search, ours: dict[str, Search]) -> list[list[str]]:
    """Speed-up over langchain-chroma's own filtered search, and recall@10 of the vector leg."""
    rows = []
    searches = {"plain": plain, "vector": ours["ours, vector"], "hybrid": ours["ours, hybrid"]}
    for share in SHARES:
        for kind in KINDS:
            condition = where(kind, share)
            chosen = (
                corpus.focus if kind != "random" else list(range(min(FEW, len(corpus.queries))))
            )
            queries = [corpus.queries[i] for i in chosen]
            exact = exact_ids(corpus, condition, chosen)
            first, _ = clock({"vector": searches["vector"]}, queries[:1], condition)
            then, found = clock(searches, queries, condition)
            for n in range(AGAIN):
                searches["vector"](queries[n % len(queries)], condition)
            lasting, found_later = clock(searches, queries, condition)
            mid = {name: float(np.median(t)) for name, t in then.items()}
            late = {name: float(np.median(t)) for name, t in lasting.items()}
            rows.append([
                share, kind, f"{mid['plain']:.1f}", f"{first['vector'][0]:.1f}",
                *(f"{ms[name]:.1f}" for name in ("vector", "hybrid") for ms in (mid, late)),
                *(f"{ms['plain'] / ms[name]:.1f}x" for name in ("vector", "hybrid")
                  for ms in (mid, late)),
                f"{recall(found['plain'], exact):.3f}", f"{recall(found['vector'], exact):.3f}",
                f"{recall(found_later['vector'], exact):.3f}",
            ])  # fmt: skip
    return rows


def recall(found: list[list[str]], exact: list[list[str]]) -> float:
    """Mean share of the exact ids that were found."""
    pairs = zip(found, exact, strict=True)
    return float(np.mean([len(set(ids) & set(true)) / max(1, len(true)) for ids, true in pairs]))


def exact_ids(corpus: Corpus, condition: dict[str, Any], chosen: list[int]) -> list[list[str]]:
    key, value = next(iter(condition.items()))
    passing = np.array([i for i, m in enumerate(corpus.metadatas) if m[key] == value])
    scores = corpus.query_vectors[chosen] @ corpus.vectors[passing].T
    best = np.argsort(-scores, axis=1)[:, :K]
    return [[corpus.ids[passing[i]] for i in row] for row in best]


def opening(folder: Path) -> str:
    """What a new process pays, measured in one."""
    command = [sys.executable, __file__, "--cold", "--work", str(next(folder.glob("lexical/*")))]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def cold_open(folder: Path) -> None:
    from langchain_chroma_hybrid import TantivyIndex  # noqa: PLC0415

    process = psutil.Process()
    before = process.memory_info().rss
    start = time.perf_counter()
    index = TantivyIndex(folder)
    hits = index.search("kidney disease treatment", 10)
    took = (time.perf_counter() - start) * 1e3
    for word in ("printer", "toner", "cancer", "diabetes", "vitamin"):
        index.search(word, 100)
    grown = (process.memory_info().rss - before) / 2**20
    print(f"cold open to first lexical hit {took:.1f} ms ({len(hits)} hits), RSS +{grown:.0f} MB")


if __name__ == "__main__":
    main()
