"""What the second half costs: writing, the first build, comparing; beside Chroma in the same run.

python benchmarks/ingest.py --work /path/for/collections [--records 20000] [--existing FOLDER]

Writes take turns, one batch to Chroma and one to HybridChroma, with the same texts and vectors:
read the ratios. `--existing` takes a data folder whose first collection is large (a million
records, say) in place of a new one for the build; its index is thrown away and built.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
import psutil
from _results import RESULTS, setting, table, write_section
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid import HybridChroma, TantivyIndex
from langchain_chroma_hybrid.core.values import Record

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 384
BATCHES = {1: 60, 10: 40, 100: 40, 5_000: 4}
CHANCE = random.Random(7)  # noqa: S311  # no secret
# As in a language: words of letters, the n-th of them n times as rare as the first.
WORDS = ["".join(CHANCE.choices("etaoinshrdlu", k=CHANCE.randint(3, 10))) for _ in range(30_000)]
SHARES = [1 / (n + 3) for n in range(len(WORDS))]


class Given(Embeddings):
    """Vectors from a store of random ones: what an embedding costs is not the question here."""

    def __init__(self, size: int = SIZE) -> None:
        self._vectors = np.random.default_rng(7).normal(size=(5_000, size)).tolist()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector per text, whatever it says."""
        return self._vectors[: len(texts)]

    def embed_query(self, text: str) -> list[float]:
        """The vector of `text`."""
        return self._vectors[len(text) % 100]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=_folder, required=True, help="emptied")
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--existing", type=_folder)
    parser.add_argument("--build-only", action="store_true", help="leave the writes out")
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    packages = setting("chromadb", "langchain-chroma", "tantivy")
    if options.existing is None and not options.build_only:
        rows = [_writes(options.work / f"batch{size}", size, n) for size, n in BATCHES.items()]
        text = f"""## Writing

Mean of calls in turns, with what they put off; texts of 30 words, {SIZE} dimensions, vectors given.

{table(["batch", "Chroma ms", "HybridChroma ms", "ratio", "with a query after each"], rows)}

{_lexical_rate()}

{packages}"""
        write_section(RESULTS, "ingest", text)
        print(text)
    existing = options.existing or _collection(options.work / "existing", options.records)
    records, text = _build(existing)
    text = f"## First build, {records:,} records\n\n{text}\n\n{packages}"
    write_section(RESULTS, f"build {records}", text)
    print(text)


def _folder(name: str) -> Path:
    from pathlib import Path  # noqa: PLC0415  # one name for the type and the call

    return Path(name).resolve()


def _documents(count: int, words: int = 30) -> list[Document]:
    return [
        Document(
            " ".join(CHANCE.choices(WORDS, SHARES, k=words)),
            metadata={"n": n},
            id=str(uuid.uuid4()),
        )
        for n in range(count)
    ]


def _writes(folder: Path, size: int, calls: int) -> list[str]:
    """One row: `calls` batches of `size` to each, in turns."""
    embeddings = Given()
    plain = Chroma("bench", embeddings, str(folder / "chroma"))
    hybrid = HybridChroma("bench", embeddings, str(folder / "hybrid"))
    asked = HybridChroma("bench", embeddings, str(folder / "asked"))
    took: dict[str, list[float]] = {"plain": [], "hybrid": [], "asked": []}
    for turn in range(calls + 2):
        batch = _documents(size)
        for name, store in (("plain", plain), ("hybrid", hybrid), ("asked", asked)):
            start = time.perf_counter()
            store.add_documents(batch)
            if store is asked:
                _find(store, batch[-1])
            took[name].append(time.perf_counter() - start)
        if turn == 1 and calls > 2:  # the first ones open files
            took = {name: [] for name in took}
    start = time.perf_counter()
    hybrid._index.flush()  # noqa: SLF001  # what the last calls have put off belongs to them
    took["hybrid"][-1] += time.perf_counter() - start
    mean = {name: statistics.fmean(times) * 1e3 for name, times in took.items()}
    return [
        f"{size:,}",
        f"{mean['plain']:.1f}",
        f"{mean['hybrid']:.1f}",
        f"{mean['hybrid'] / mean['plain']:.2f}",
        f"{mean['asked'] / mean['plain']:.2f}",
    ]


def _find(store: HybridChroma, document: Document) -> None:
    found = store.similarity_search(document.page_content, k=3, mode="lexical")
    if document.id not in [other.id for other in found]:
        raise SystemExit("a record was not found by the query after its write")


def _lexical_rate() -> str:
    """Records a second into the index alone, as a build gives them to it."""
    pages = [
        [Record(d.id or "", d.page_content, d.metadata) for d in _documents(5_000, words=10)]
        for _ in range(4)
    ]
    index = TantivyIndex(None)
    start = time.perf_counter()
    for page in pages:
        index.apply(page)
    rate = 20_000 / (time.perf_counter() - start)
    return f"Lexical side alone, texts of 10 words: {rate:,.0f} records a second."


def _collection(folder: Path, count: int) -> Path:
    collection = chromadb.PersistentClient(str(folder)).create_collection("existing")
    vectors = np.random.default_rng(1).normal(size=(5_000, 2))
    for start in range(0, count, 5_000):
        batch = _documents(min(5_000, count - start), words=10)
        collection.add(
            ids=[document.id or "" for document in batch],
            embeddings=vectors[: len(batch)],
            documents=[document.page_content for document in batch],
            metadatas=[document.metadata for document in batch],
        )
    return folder


def _build(folder: Path) -> tuple[int, str]:
    """The first build in a process of its own, with the most memory it took above the start."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_measured, args=(folder, there))
    process.start()
    found: dict[str, Any] = here.recv()
    process.join()
    return found["records"], (
        f"Records of 10 words in a collection that existed before: {found['built']:.1f} s, "
        f"{found['records'] / found['built']:,.0f} records a second, "
        f"{found['memory']:.0f} MB above the start at most. "
        f"Comparing all ids (`sync()`): {found['sync']:.2f} s; all content (`sync(deep=True)`): "
        f"{found['deep']:.1f} s. Count: {found['count'] * 1e3:.0f} ms."
    )


def _measured(folder: Path, pipe: Any) -> None:
    client = chromadb.PersistentClient(str(folder))
    name = client.list_collections()[0].name
    store = HybridChroma(name, Given(2), client=client, backfill="manual")
    shutil.rmtree(folder / "lexical", ignore_errors=True)
    store._index.store.touch()  # noqa: SLF001  # Chroma reads its own index now: not ours to count
    process = psutil.Process()
    before = most = process.memory_info().rss

    def watch(_done: int, _total: int) -> None:
        nonlocal most
        most = max(most, process.memory_info().rss)

    took = {}
    for step, run in {
        "built": lambda: store.sync(progress=watch),
        "sync": store.sync,
        "count": store._index.store.count,  # noqa: SLF001  # the check that a query may cost
    }.items():
        start = time.perf_counter()
        run()
        took[step] = time.perf_counter() - start
        watch(0, 0)
    memory = (most - before) / 1e6
    start = time.perf_counter()
    store.sync(deep=True)
    took["deep"] = time.perf_counter() - start
    pipe.send({**took, "records": store._index.lexical.count(), "memory": memory})  # noqa: SLF001


if __name__ == "__main__":
    main()
