"""Search times beside the peers, on the same records and vectors in one run.

python benchmarks/latency.py --work /path/for/the/collection DIR [DIR ...] [--n 100000] [--server]

Each DIR is a BEIR folder with `minilm.corpus.npy` and `minilm.queries.npy`. Vectors are given, so
that only the search is measured. Methods take turns query by query: all see the same noise, so read
the ratios. With `--server` over `chroma run`, beside langchain-chroma alone; 20,000 records or so.
Needs `pip install -r benchmarks/requirements.txt`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import _llama
import numpy as np
import psutil
from _corpus import KINDS, SHARES, Corpus, load, where
from _latency_server import over_server
from _methods import (
    NAME,
    Given,
    K,
    Search,
    clock,
    ensemble,
    exact_ids,
    fill,
    ours,
    plain,
    recall,
    unfiltered,
)
from _results import README, RESULTS, setting, table, write_section

from langchain_chroma_hybrid import HybridChroma

if TYPE_CHECKING:
    from langchain_chroma import Chroma

README_RECORDS = 100_000
MODES = ("vector", "lexical", "hybrid", "two_step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="kept; a second run reuses it")
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--server", action="store_true", help="over `chroma run`")
    parser.add_argument("--llama", action="store_true", help="through LlamaIndex alone")
    parser.add_argument("--cold", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.cold:
        cold_open(options.work)
        return
    if options.server:
        over_server(options.folders, options.work, options.n, options.queries)
        return
    corpus = load(options.folders, options.n, options.queries)
    folder = options.work / f"n{options.n}"
    chroma = fill(corpus, persist_directory=str(folder))
    if options.llama:
        through_llama(corpus, chroma, options.n)
        return
    hybrid = HybridChroma(NAME, Given(corpus), str(folder))
    start = time.perf_counter()
    added = hybrid.sync().added
    took = time.perf_counter() - start
    built = f"Lexical index of {added:,} records built in {took:.1f} s; " if added else ""
    searches = {
        "langchain-chroma": plain(chroma),
        "EnsembleRetriever": ensemble(corpus, chroma),
        **{f"ours, {mode}": ours(hybrid, mode) for mode in MODES},
    }
    # A collection object of its own: what a user of LlamaIndex has in hand.
    collection = chroma._client.get_collection(NAME)  # noqa: SLF001
    searches |= _llama.searches(collection, Given(corpus), K)
    near = searches["LlamaIndex ChromaVectorStore"]
    if fusion := _llama.query_fusion(corpus.ids, corpus.texts, near, K):
        searches["LlamaIndex QueryFusion"] = fusion
    free = unfiltered(corpus, searches)
    bound = filtered(corpus, searches)
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


def through_llama(corpus: Corpus, chroma: Chroma, n: int) -> None:
    """LlamaIndex' stores, and what each of them adds to what it is over."""
    collection, given = chroma._client.get_collection(NAME), Given(corpus)  # noqa: SLF001
    searches = _llama.searches(collection, given, K) | _llama.engine(collection, given, K)
    near = searches["LlamaIndex ChromaVectorStore"]
    if fusion := _llama.query_fusion(corpus.ids, corpus.texts, near, K):
        searches["LlamaIndex QueryFusion"] = fusion
    clock(searches, corpus.queries[:3], None)
    times, _ = clock(searches, corpus.queries, None)
    rows = [
        [name, *(f"{np.percentile(t, part):.1f}" for part in (50, 95))] for name, t in times.items()
    ]
    used = setting("chromadb", "llama-index-core", "llama-index-vector-stores-chroma", "tantivy")
    text = f"""## Latency through LlamaIndex, {n:,} records

k = {K}, vectors given, {len(corpus.queries)} queries in turns; words with relevance.

{table(["", "p50 ms", "p95 ms"], sorted(rows))}

{_llama.overheads(times)}

{used}
"""
    print(text)
    write_section(RESULTS, f"latency llama {n}", text)


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


FILTERED = [
    "passes", "kind", "langchain-chroma ms", "ours vector ms, first", "then", "lasting",
    "ours hybrid ms, then", "lasting", "vector, then", "lasting", "hybrid, then", "lasting",
    "recall@10 Chroma", "ours, then", "lasting",
]  # fmt: skip
# So often a filter is asked for again before "lasting" is measured.
AGAIN = 200
FEW = 20


def filtered(corpus: Corpus, known: dict[str, Search]) -> list[list[str]]:
    """Speed-up over langchain-chroma's own filtered search, and recall@10 of the vector leg."""
    rows = []
    searches = {"plain": known["langchain-chroma"]}
    searches |= {mode: known[f"ours, {mode}"] for mode in ("vector", "hybrid")}
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
