"""The engines of the lexical index beside each other and bm25s, on the same records in one run.

python benchmarks/engines.py --work FOLDER DIR [DIR ...] [--n 50000 100000] [--postgres DSN]
                             [--opensearch URL]

Each DIR is a BEIR folder with `minilm.corpus.npy` and `minilm.queries.npy`. All engines get the
same terms and take turns query by query: read the ratios. FOLDER keeps the collection for the
hybrid searches, over the fewest records; a second run reuses it. Exact BM25 is computed here, with
k1 = 1.2 and b = 0.75, in double precision, for queries whose terms all count alike: codes weigh
more in our engines. Needs `pip install -r benchmarks/requirements.txt`.

URL is one as `lexical=` takes it, of OpenSearch or Elasticsearch. Over `osmem-server`, which is no
cluster and scores by rules of its own, the numbers are printed and go nowhere else.
"""

from __future__ import annotations

import argparse
import shutil
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _corpus import load, where
from _engines import (
    OSMEM,
    Engine,
    Exact,
    Indexed,
    Peer,
    counted,
    product_of,
    stores,
    tables,
)
from _methods import NAME, Given, K, Search, clock, fill, ours
from _results import RESULTS, setting, table, write_section

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.factory import open_index

if TYPE_CHECKING:
    from _corpus import Corpus

    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

FILTERS = [where("random", share) for share in ("1 %", "14 %", "50 %")]
ADDED = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--n", type=int, nargs="+", default=[50_000, 100_000])
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--postgres", help="a connection string; without one it is left out")
    parser.add_argument("--opensearch", help="a URL; without one it is left out")
    parser.add_argument("--no-hybrid", action="store_true", help="the engines alone")
    options = parser.parse_args()
    for n in options.n:
        corpus = load(options.folders, n + ADDED, options.queries)
        work = options.work / f"engines{n}"
        engines = made(work / "index", options.postgres, options.opensearch)
        rows = measured(corpus, engines)
        # To fill Chroma with more would take the time of everything else.
        hybrid = n == min(options.n) and not options.no_hybrid
        searches = through_chroma(corpus, engines, work / "db") if hybrid else []
        if searches and options.postgres:
            trips(corpus, options.postgres, work / "db")
        report(n, rows, searches, keep=not any(OSMEM in each.name for each in engines))
        for engine in engines:
            engine.close()


def made(work: Path, dsn: str | None, url: str | None) -> list[Engine]:
    """The engines, empty."""
    shutil.rmtree(work, ignore_errors=True)
    opened = {
        "tantivy": open_index(work, analyzer=Exact.ANALYZER),
        "rank_bm25": open_index(None, "rank_bm25:okapi", analyzer=Exact.ANALYZER),
    }
    engines = [Indexed(name, index) for name, index in opened.items()]
    given: Any = {"collection": "benchmark", "analyzer": Exact.ANALYZER}
    if dsn is not None:
        index = open_index(None, dsn, **given)
        engines.append(Indexed("PostgreSQL", index, partial(tables, dsn)))
    if url is not None:
        index = open_index(None, url, **given)
        engines.append(Indexed(product_of(index), index, partial(stores, index)))
    for each in engines:
        each.index.clear()
    return [*engines, Peer()]


def measured(corpus: Corpus, engines: list[Engine]) -> list[list[str]]:
    """A row for each engine: building, adding, searching, disk, how near to exact BM25."""
    rows = list(zip(corpus.ids, corpus.texts, corpus.metadatas, strict=True))
    records = [Record(id_, text, metadata) for id_, text, metadata in rows]
    took = {each.name: [_seconds(partial(each.build, records[:-ADDED]))] for each in engines}
    for each in engines:
        took[each.name].append(_seconds(partial(each.build, records[-ADDED:])))
    exact = Exact(corpus.texts)
    flat = [query for query in corpus.queries if Exact.is_flat(query)]
    overlaps = {
        each.name: np.mean([exact.overlap(q, each.search(q, None)) for q in flat])
        for each in engines
    }
    searches: dict[str, Search] = {each.name: each.search for each in engines}
    plain, _ = clock(searches, corpus.queries, None)
    filtered = [clock(searches, corpus.queries[::3], each)[0] for each in FILTERS]
    first = engines[0].name
    return [
        [
            name,
            *(f"{seconds:.1f}" for seconds in took[name]),
            *_times(plain[name]),
            f"{np.median(plain[name]) / np.median(plain[first]):.1f}",
            " / ".join(f"{np.median(times[name]):.1f}" for times in filtered),
            f"{np.percentile(np.concatenate([times[name] for times in filtered]), 95):.1f}",
            f"{each.disk() / 1e6:.0f}",
            f"{overlaps[name]:.3f}",
        ]
        for each in engines
        for name in [each.name]
    ]


def through_chroma(corpus: Corpus, engines: list[Engine], folder: Path) -> list[list[str]]:
    """Hybrid searches over each engine that lasts: times, and what a search asks of it."""
    fill(corpus, persist_directory=str(folder))
    indexes = {e.name: e.index for e in engines if isinstance(e, Indexed)}
    rows, first = [], 0.0
    for name, index in indexes.items():
        if not index.capabilities.durable:
            continue
        with HybridChroma(NAME, Given(corpus), str(folder), lexical=index) as store:
            store.sync()
            times, asked = _hybrid(store, index, corpus.queries)
        first = first or float(np.median(times[0]))
        ratio = f"{np.median(times[0]) / first:.2f}"
        rows.append([name, *_times(times[0]), ratio, *_times(times[1]), *asked])
    return rows


def _hybrid(
    store: HybridChroma, index: LexicalIndex, queries: list[str]
) -> tuple[list[list[float]], list[str]]:
    """Milliseconds without and with a filter, and questions of one search in each case."""
    search = ours(store, "hybrid")
    times, asked = [], []
    for condition in (None, FILTERS[1]):
        clock({"it": search}, queries[:3], condition)
        times.append(clock({"it": search}, queries, condition)[0]["it"])
        with counted(index) as questions:
            search(queries[0], condition)
        asked.append(", ".join(questions))
    return times, asked


def trips(corpus: Corpus, dsn: str, folder: Path) -> None:
    """Print the round trips to PostgreSQL of a first query, without and with a filter."""
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415  # none without --postgres

    from tests.wire import wire  # noqa: PLC0415

    given = conninfo_to_dict(dsn.partition("?")[0])
    with wire(given.get("host", "127.0.0.1"), int(given.get("port", 5432))) as between:
        through = dsn.replace(f":{given['port']}", f":{between.port}")
        index = open_index(None, through, collection="benchmark", analyzer=Exact.ANALYZER)
        with HybridChroma(NAME, Given(corpus), str(folder), lexical=index) as store:
            store.sync()
            for condition in (None, *FILTERS):
                for query in corpus.queries[:2]:
                    between.trips = 0
                    ours(store, "hybrid")(query, condition)
                    print(f"round trips with {condition}: {between.trips}")


def report(n: int, rows: list[list[str]], hybrid: list[list[str]], *, keep: bool) -> None:
    """Print the tables, and `keep` them in RESULTS.md."""
    head = [
        "", "build s", "add 1,000 s", "p50 ms", "p95 ms", "times tantivy",
        "filtered 1 / 14 / 50 %, p50 ms", "p95 ms", "disk MB", f"overlap@{K} with exact BM25",
    ]  # fmt: skip
    text = f"## Engines, {n:,} records\n\n{table(head, rows)}"
    if hybrid:
        more = [
            "hybrid through", "p50 ms", "p95 ms", "times tantivy", "with a filter, p50 ms",
            "p95 ms", "asks", "asks with a filter",
        ]  # fmt: skip
        text += f"\n\n{table(more, hybrid)}"
    text += f"\n\n{setting('tantivy', 'rank-bm25', 'bm25s', 'chromadb')}"
    if keep:
        write_section(RESULTS, f"engines {n}", text)
    print(text)


def _times(times: list[float]) -> list[str]:
    return [f"{np.median(times):.1f}", f"{np.percentile(times, 95):.1f}"]


def _seconds(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
