"""What a typo in a query costs, and how much of it is won back.

    python benchmarks/typos.py MODEL DIR [DIR ...] [--write]

Each DIR is a BEIR-style folder with vectors, as for `quality.py`; MODEL is the name or folder of
the sentence-transformers model that made them, for the queries with a typo. In each query one word
of five letters or more, but no stop word, has one edit, seeded, behind its first letter: a letter
left out, put in, replaced, or swapped with the next. Queries without such a word are left out.
`--write` puts the table into RESULTS.md.
"""

from __future__ import annotations

import argparse
import random
import re
import string
import time
from pathlib import Path
from typing import TYPE_CHECKING

import _peers
import _results
import numpy as np
from quality import DEPTH, load

from langchain_chroma_hybrid.core.confidence import weigh
from langchain_chroma_hybrid.core.fusion import RankedList, fuse
from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings
from langchain_chroma_hybrid.evaluation import per_query
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_chroma_hybrid.evaluation import Dataset

WORD = re.compile(r"(?<![\w'’.-])[^\W\d_]{5,}(?![\w'’-])")
WHAT = """nDCG@10 with the queries as they are and with one typo each, without and with `typos`.
*won back*: of what the typo costs. *time*: of BM25 with `typos` as a multiple of that without, p50
of the queries as they are and with a typo; each once, so that what is read of the index counts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--vectors", default="minilm")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    embeddings = SentenceTransformerEmbeddings(options.model)
    rows = []
    for folder in options.folders:
        data, corpus, vectors = load(folder, options.vectors)
        index = TantivyIndex()
        index.apply(data.corpus)
        wrong = mistyped(data.queries, index)
        if not wrong:
            continue
        encoded = embeddings.embed_documents([*wrong.values()])
        search = Search(data, corpus, index, {q: vectors[q] for q in wrong})
        typed = Search(data, corpus, index, dict(zip(wrong, np.array(encoded), strict=True)))
        rows += compare(folder.name, search, typed, {q: data.queries[q] for q in wrong}, wrong)
        print("\n".join(" | ".join(row) for row in rows[-2:]), flush=True)
    head = ["", "queries", "clean", "clean, `typos`", "typo", "typo, `typos`", "won back", "time"]
    text = f"## Typos\n\n{WHAT}\n\n{_results.table(head, rows)}\n\n{_results.setting('tantivy')}"
    print(text)
    if options.write:
        _results.write_section(_results.RESULTS, "typos", text)


def mistyped(queries: Mapping[str, str], index: TantivyIndex) -> dict[str, str]:
    """Each query with one edit in one of its words, where it has one to edit."""
    chance = random.Random(0)  # noqa: S311  # of a benchmark
    found = {}
    for query, text in queries.items():
        stopped = index.analyzer.stop_words
        words = [m for m in WORD.finditer(text) if m[0].isascii() and m[0].lower() not in stopped]
        if words:
            word = chance.choice(words)
            found[query] = text[: word.start()] + edited(word[0], chance) + text[word.end() :]
    return found


def edited(word: str, chance: random.Random) -> str:
    """The word with one edit that changes it."""
    while True:
        at, letter = chance.randrange(1, len(word)), chance.choice(string.ascii_lowercase)
        head, tail = word[:at], word[at:]
        swapped = head + tail[1:2] + tail[:1] + tail[2:]
        made = chance.choice((head + tail[1:], head + letter + tail, head + letter + tail[1:],
                              swapped))  # fmt: skip
        if made.lower() != word.lower():
            return made


class Search:
    """BM25 and both legs of one collection for one set of query vectors."""

    def __init__(
        self,
        data: Dataset,
        corpus: np.ndarray,
        index: TantivyIndex,
        vectors: Mapping[str, np.ndarray],
    ) -> None:
        self._data, self._index = data, index
        ids = [record.id for record in data.corpus]
        self._near = {}
        for query, vector in vectors.items():
            rows, cosines = _peers.nearest(corpus, vector.astype(np.float32), DEPTH)
            near = [ids[row] for row in rows]
            self._near[query] = RankedList(near, cosines, floor=-1.0, ceiling=1.0)

    def score(self, queries: Mapping[str, str], *, typos: bool) -> tuple[float, float, list[float]]:
        """nDCG@10 of BM25 and of both, and the milliseconds of BM25."""
        words, both, took = {}, {}, []
        for query, text in queries.items():
            start = time.perf_counter()
            found = self._index.corrections(text) if typos else {}
            hits = self._index.search(text, DEPTH, corrections=found)
            took.append((time.perf_counter() - start) * 1e3)
            most = self._index.max_score(text, corrections=found)
            lexical = RankedList(
                [hit.id for hit in hits],
                [hit.score for hit in hits],
                floor=0.0,
                background=0.0,
                ceiling=most,
            )
            words[query] = lexical.ids[:10]
            fused = fuse(weigh([lexical, self._near[query]]), "adaptive")
            both[query] = [hit.id for hit in fused][:10]
        means = []
        for run in (words, both):
            values = per_query(self._data.qrels, run, ["nDCG@10"])["nDCG@10"]
            means.append(float(np.mean([values[query] for query in queries])))
        return means[0], means[1], took


def compare(
    name: str, search: Search, typed: Search, clean: Mapping[str, str], wrong: Mapping[str, str]
) -> list[list[str]]:
    """The rows of one collection: BM25 alone, and both legs."""
    ran = [search.score(clean, typos=False), search.score(clean, typos=True)]
    ran += [typed.score(wrong, typos=False), typed.score(wrong, typos=True)]
    p50 = [float(np.median(took)) for *_, took in ran]
    time_ = f"{p50[1] / p50[0]:.2f} / {p50[3] / p50[2]:.2f}"
    rows = []
    for at, leg in enumerate(("lexical", "hybrid")):
        values = [each[at] for each in ran]
        lost = values[0] - values[2]
        won = f"{(values[3] - values[2]) / lost:.2f}" if lost > 0 else ""
        numbers = [f"{value:.3f}" for value in values]
        rows.append([f"{name}, {leg}", f"{len(wrong)}", *numbers, won, "" if at else time_])
    return rows


if __name__ == "__main__":
    main()
