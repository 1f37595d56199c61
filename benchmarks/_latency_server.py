"""Search times over `chroma run`, and what comparing contents costs the server."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
from _corpus import Corpus, load, where
from _methods import NAME, Given, K, Search, clock, exact_ids, fill, ours, plain, recall, unfiltered
from _results import RESULTS, setting, table, write_section
from _server import chroma_run

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.engine.sync.reconcile import outdated

if TYPE_CHECKING:
    from pathlib import Path

    import psutil
    from chromadb.api import ClientAPI

MODES = ("vector", "lexical", "hybrid")
FILTERS = ("1 %", "14 %")
# What the background check reads at a time, how many records a second, and of how many pages here.
PAGE, RATE, PAGES = 250, 500, 80
CHECKED = (20_000, 100_000)


def over_server(folders: list[Path], work: Path, n: int, queries: int) -> None:
    """Write the section; the collections are kept, a second run reuses them."""
    work = work.resolve()
    os.environ["XDG_CACHE_HOME"] = str(work / "cache")
    corpus = load(folders, n, queries)
    with chroma_run(work / "server") as (port, _):
        client = chromadb.HttpClient("127.0.0.1", port)
        searches = _searches(corpus, client)
        free = unfiltered(corpus, searches)
        bound = [_filtered(corpus, searches, share) for share in FILTERS]
    big = load(folders, max(CHECKED), 1)
    with chroma_run(work / "checked") as (port, server):
        client = chromadb.HttpClient("127.0.0.1", port)
        checks = [_check(big, client, server, count) for count in CHECKED]
    head = ["", "p50 ms", "p95 ms", "times langchain-chroma"]
    for share in FILTERS:
        head += [f"passes {share}, p50 ms", "times", "recall@10"]
    alone = {row[0]: row for row in free}
    rows = [[*alone[name], *(cell for one in bound for cell in one[name])] for name in searches]
    text = f"""## Latency over `chroma run`, {n:,} records

k = {K}, vectors given, {queries} queries in turns; filters are random ones. *any* and *ours* are
the settings of `writers=`; the check of contents that belongs to *any* runs meanwhile. *Times*:
multiples of langchain-chroma's p50 with the same filter: read these, others may use the cores too.

{table(head, rows)}

The check of contents: one page of {PAGE} records with texts and 12 metadata values, read by ids and
compared, mean of {PAGES} pages.

{table(CHECK, [row for row, _ in checks])}

At the default `check_rate` of {RATE} records a second that is {RATE // PAGE} pages a second,
however large the collection: by the last row {_share(checks[-1][1])}, for each process that asks
queries. A pass over a million records takes {1_000_000 // RATE:,} s.

{setting("chromadb", "langchain-chroma", "tantivy")}"""
    print(text)
    write_section(RESULTS, f"latency server {n}", text)


CHECK = ["records", "server, CPU ms a page", "request and comparison, ms", "client, CPU ms"]


def _share(ms: float) -> str:
    busy = ms * RATE / PAGE
    return f"{busy:.0f} ms of the server's CPU in each second ({busy / 10:.1f} % of a core)"


def _searches(corpus: Corpus, client: ClientAPI) -> dict[str, Search]:
    """Each setting has a collection of its own: one process has one setting for a collection."""
    searches = {"langchain-chroma": plain(fill(corpus, client=client))}
    for writers, name in (("any", NAME), ("ours", f"{NAME}-ours")):
        fill(corpus, name, client=client)
        hybrid = HybridChroma(name, Given(corpus), client=client, writers=writers)  # type: ignore[arg-type]
        hybrid.sync()
        searches |= {f"{writers}, {mode}": ours(hybrid, mode) for mode in MODES}
    return searches


def _filtered(corpus: Corpus, searches: dict[str, Search], share: str) -> dict[str, list[str]]:
    """By method p50 with a filter, as a multiple of langchain-chroma's, and recall@10."""
    condition = where("random", share)
    chosen = {name: search for name, search in searches.items() if "lexical" not in name}
    exact = exact_ids(corpus, condition, list(range(len(corpus.queries))))
    clock(chosen, corpus.queries[:1], condition)
    times, found = clock(chosen, corpus.queries, condition)
    middle = {name: float(np.median(t)) for name, t in times.items()}
    rows = {name: ["", "", ""] for name in searches}
    for name, ms in middle.items():
        vectors = "hybrid" not in name
        rows[name] = [
            f"{ms:.1f}",
            f"{ms / middle['langchain-chroma']:.2f}",
            f"{recall(found[name], exact):.3f}" if vectors else "",
        ]
    return rows


def _check(
    corpus: Corpus, client: ClientAPI, server: psutil.Process, count: int
) -> tuple[list[str], float]:
    """One row, and the server's CPU milliseconds a page."""
    name = f"check-{count}"
    _fill_thin(corpus, client.get_or_create_collection(name, embedding_function=None), count)
    store = HybridChroma(name, Given(corpus), client=client, check_rate=0)
    store.sync()
    index = store._index  # noqa: SLF001  # what the check calls, without its pauses
    ids = list(index.lexical.ids())
    starts = np.linspace(0, count - PAGE, PAGES + 1).astype(int).tolist()
    outdated(ids[starts[0] : starts[0] + PAGE], index.store, index.lexical)
    before, cpu, wall = _busy(server), time.process_time(), time.perf_counter()
    for start in starts[1:]:
        if outdated(ids[start : start + PAGE], index.store, index.lexical):
            raise SystemExit("records differ")
    took = (_busy(server) - before, time.perf_counter() - wall, time.process_time() - cpu)
    pages = [seconds * 1e3 / PAGES for seconds in took]
    return [f"{count:,}", *(f"{ms:.1f}" for ms in pages)], pages[0]


def _busy(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system)


def _fill_thin(corpus: Corpus, collection: Any, count: int) -> None:
    """Texts and metadata are what is read: vectors of two dimensions will do."""
    vectors = np.random.default_rng(1).normal(size=(5_000, 2)).tolist()
    for start in range(collection.count(), count, 5_000):
        cut = slice(start, min(start + 5_000, count))
        ids = corpus.ids[cut]
        collection.add(
            ids=ids,
            embeddings=vectors[: len(ids)],
            documents=corpus.texts[cut],
            metadatas=corpus.metadatas[cut],
        )
