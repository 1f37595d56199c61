"""What "open + one search" costs where there are many collections, beside plain Chroma.

python benchmarks/openings.py --work /path/for/collections

One client object for all openings of a process, as an application has. Every collection has an
index already, so that an opening is what a new worker does: each process opens what others have
filled. All requests of all its threads are counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import statistics
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
from _results import RESULTS, setting, table, write_section
from _server import Asked, chroma_run
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid import HybridChroma

if TYPE_CHECKING:
    from collections.abc import Callable

    from chromadb.api import ClientAPI

COUNTS = {"any": (1, 60, 1_000), "ours": (1, 60), "disk": (1, 200)}
RECORDS, SIZE, K = 20, 32, 4
OPENINGS = 60  # in a process
FILLERS = 4  # processes that fill a server side by side
WAYS = ("langchain-chroma", "HybridChroma, dropped", "HybridChroma, kept")


class Random(Embeddings):
    """Random vectors: what an embedding costs is not the question here."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector per text, whatever it says."""
        return np.random.default_rng(7).normal(size=(len(texts), SIZE)).tolist()

    def embed_query(self, text: str) -> list[float]:
        """The vector of `text`."""
        return self.embed_documents([text])[0]


@dataclass
class Measured:
    """Of each opening the requests and milliseconds; of all the requests by kind."""

    requests: list[int] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    waited: Counter[str] = field(default_factory=Counter)
    background: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="emptied")
    parser.add_argument("--most", type=int, default=1_000, help="collections")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each row, in turns")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    work = options.work.resolve()
    os.environ["XDG_CACHE_HOME"] = str(work / "cache")
    served = {}
    for writers in ("any", "ours"):
        with chroma_run(work / writers) as (port, _):
            served[writers] = _measure(port, writers, options)
    local = [row[:2] + row[4:7] for row in _measure(work / "disk", "disk", options)[0]]
    text = f"""## Opening

"Open + one search" (hybrid, k = {K}) by one client, {RECORDS} records in each collection;
{OPENINGS} openings in a process, median of {options.rounds} process(es) for each row, in turns.
*First*: the first opening of the process, which loads what all need. *Dropped*: the store is let go
after its search; *kept*: with all the others. In the background, which nobody waits for: the
*listing* of collections, once in a process, and the comparison of contents (*check*), of all
collections that are open. Other work may share the cores: read the ratios.

`chroma run`, `writers="any"` (default):

{table(HEAD, served["any"][0])}

`chroma run`, `writers="ours"`:

{table(HEAD, served["ours"][0])}

The requests of one opening and search:

{table(["", "number"], [*served["any"][1], *served["ours"][1][2:]])}

On disk:

{table(HEAD[:2] + HEAD[4:7], local)}

{setting("chromadb", "langchain-chroma", "tantivy")}"""
    write_section(RESULTS, "openings", text)
    print(text)


HEAD = [
    "", "collections", "requests, then", "requests, most", "first ms", "then ms",
    "times langchain-chroma", "listings", "check, requests a second",
]  # fmt: skip


def _measure(
    place: int | Path, kind: str, options: argparse.Namespace
) -> tuple[list[list[str]], list[list[str]]]:
    """Rows of the table, and which requests an opening makes at the most collections."""
    rows, asked, made = [], [], 0
    for count in (count for count in COUNTS[kind] if count <= options.most):
        _fill_all(place, kind, range(made, count))
        made = count
        found: dict[str, list[Measured]] = {way: [] for way in WAYS}
        for _ in range(options.rounds):
            for way in WAYS:
                found[way].append(_apart(_open, place, kind, way, count))
        base = _middle(found[WAYS[0]])
        rows += [_row(way, count, found[way], base) for way in WAYS]
        asked = [
            [f"{way.partition(',')[0]}, `{kind}`: `{what}`", f"{n / OPENINGS:.2f}"]
            for way in WAYS[:2]
            for what, n in sorted(found[way][-1].waited.items())
        ]
    return rows, asked


def _middle(found: list[Measured]) -> float:
    return statistics.median(statistics.median(one.ms[1:]) for one in found)


def _row(way: str, count: int, found: list[Measured], base: float) -> list[str]:
    requests = [n for one in found for n in one.requests[1:]]
    return [
        way,
        f"{count:,}",
        f"{statistics.median(requests):g}",
        str(max(max(one.requests) for one in found)),
        f"{statistics.median(one.ms[0] for one in found):.1f}",
        f"{_middle(found):.1f}",
        f"{_middle(found) / base:.2f}",
        "/".join(sorted({str(one.background["listing"]) for one in found})),
        f"{statistics.median(one.background['check'] / one.seconds for one in found):.1f}",
    ]


def _apart(call: Callable[..., Any], *given: Any) -> Any:
    """What `call` gives in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *given).result()


def _client(place: int | Path) -> ClientAPI:
    if isinstance(place, Path):
        return chromadb.PersistentClient(str(place))
    return chromadb.HttpClient("127.0.0.1", place)


def _maker(kind: str, way: str) -> Callable[..., Chroma]:
    if way == WAYS[0]:
        return Chroma
    return partial(HybridChroma, writers="ours" if kind == "ours" else "any")


def _name(number: int) -> str:
    return f"collection-{number:04d}"


def _fill_all(place: int | Path, kind: str, numbers: range) -> None:
    fillers = 1 if isinstance(place, Path) else FILLERS
    with ProcessPoolExecutor(fillers, multiprocessing.get_context("spawn")) as pool:
        filling = [pool.submit(_fill, place, kind, numbers[n::fillers]) for n in range(fillers)]
        for one in filling:
            one.result()


def _fill(place: int | Path, kind: str, numbers: range) -> None:
    """Collections with their indexes, each closed in order."""
    client, make = _client(place), _maker(kind, "HybridChroma")
    for number in numbers:
        store = make(_name(number), Random(), client=client)
        texts = [f"pump {number} of line {n}, spare part {n * 7}" for n in range(RECORDS)]
        store.add_texts(texts, ids=[str(n) for n in range(RECORDS)])
        store.similarity_search("pump", k=1)
        store.close()  # type: ignore[attr-defined]  # a HybridChroma


def _open(place: int | Path, kind: str, way: str, count: int) -> Measured:
    """Open and ask collections in a random order, again from the first where there are few."""
    client, embeddings, make = _client(place), Random(), _maker(kind, way)
    order = np.random.default_rng(count).permutation(count).tolist()
    asked, found, stores = Asked(), Measured(), []
    begun = time.perf_counter()
    for turn in range(OPENINGS):
        before, start = asked.waited.total(), time.perf_counter()
        store = make(_name(order[turn % count]), embeddings, client=client)
        hits = store.similarity_search("spare part pump", k=K)
        found.ms.append((time.perf_counter() - start) * 1e3)
        found.requests.append(asked.waited.total() - before)
        if len(hits) != K:
            raise SystemExit(f"{len(hits)} hits")
        if way == WAYS[-1]:
            stores.append(store)
        del store
    time.sleep(0.5)  # the listing may still be going on
    found.seconds = time.perf_counter() - begun
    found.waited, found.background = asked.waited, asked.background
    return found


if __name__ == "__main__":
    main()
