"""What each memory of the engine is worth: a filtered search with it and without, in turns.

python benchmarks/memories.py --work /path/of/latency.py DIR [DIR ...] [--n 100000]

Over the collection that `latency.py` has made. *Answers of filters*: ids that passed a condition
which only Chroma can answer, here `$contains` on the document. *Rows of ids*: where the vectors of
all ids that pass a filter lie, here of one that passes 14 %.
"""

from __future__ import annotations

import argparse
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _corpus import load, where
from _methods import NAME, Given, K
from _results import RESULTS, setting, table, write_section

from langchain_chroma_hybrid import HybridChroma

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 40


@contextmanager
def without_answers(store: HybridChroma) -> Iterator[None]:
    """Inside the block no answer of Chroma's to a filter is remembered."""
    answers: Any = store._index.store._remembered.answers  # noqa: SLF001  # what is measured
    answers.known = lambda *_: {}
    yield
    del answers.known


@contextmanager
def without_rows(store: HybridChroma) -> Iterator[None]:
    """Inside the block it is not remembered where the vectors of ids lie."""
    table: Any = store._index.store.reader._shared.known  # noqa: SLF001  # what is measured
    kept, table._answers = table._answers, {}  # noqa: SLF001
    yield
    table._answers = kept  # noqa: SLF001


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--n", type=int, default=100_000)
    options = parser.parse_args()
    corpus = load(options.folders, options.n, ROUNDS)
    store = HybridChroma(NAME, Given(corpus), str(options.work / f"n{options.n}"))
    kinds: dict[str, tuple[dict[str, Any], Callable[[HybridChroma], Any]]] = {
        "answers of filters": ({"where_document": {"$contains": "kidney"}}, without_answers),
        "rows of ids": ({"filter": where("random", "14 %")}, without_rows),
    }
    rows = []
    for name, (condition, without) in kinds.items():
        for query in corpus.queries * 5:  # until vectors are read ahead
            store.similarity_search(query, k=K, mode="vector", **condition)
        times: dict[bool, list[float]] = {True: [], False: []}
        for query in corpus.queries:
            for on in (True, False):
                with nullcontext() if on else without(store):
                    start = time.perf_counter()
                    store.similarity_search(query, k=K, mode="vector", **condition)
                    times[on].append((time.perf_counter() - start) * 1e3)
        on, off = (float(np.median(times[each])) for each in (True, False))
        rows.append([name, f"{on:.1f}", f"{off:.1f}", f"{off / on:.1f}x"])
    text = f"""## What the memories are worth, {options.n:,} records

{table(["", "with, p50 ms", "without", "times"], rows)}

{setting("chromadb", "langchain-chroma", "tantivy")}
"""
    print(text)
    write_section(RESULTS, "memories", text)


if __name__ == "__main__":
    main()
