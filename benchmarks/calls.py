"""How many steps one search and one write take: calls of this package's functions, in all threads.

python benchmarks/calls.py [--show]

Comprehensions, which are calls in Python 3.11, count as calls, not as functions of their own.
Counted by a profile hook that is set before any thread starts, on the second search of its kind, so
that nothing is opened or learned in it. Machines do not matter; `--show` prints the calls.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from _results import RESULTS, setting, table, write_section
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

import langchain_chroma_hybrid
from langchain_chroma_hybrid import HybridChroma

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

HOME = str(Path(langchain_chroma_hybrid.__file__).parent)
RECORDS = 1_000
DIMENSION = 64
WORDS = ("pump", "valve", "seal", "motor", "filter", "sensor", "relay", "fuse", "belt", "bearing")


class Words(Embeddings):
    """One direction a word, so that similar texts are near; no function of the package's."""

    def embed_query(self, text: str) -> list[float]:
        """How often each word occurs, and a little noise, so that no two texts are equally far."""
        noise = random.Random(text)  # noqa: S311  # the same for the same text, no secret
        counts = [0.01 * noise.random() for _ in range(DIMENSION)]
        for word in text.split():
            counts[crc32(word.encode()) % DIMENSION] += 1.0
        return counts

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The same for several."""
        return list(map(self.embed_query, texts))


class Calls:
    """The package's functions in the order in which they are called, while `counting`."""

    def __init__(self) -> None:
        self.counting = False
        self.seen: list[tuple[str, str]] = []
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if self.counting and event == "call" and code.co_filename.startswith(HOME):
            self.seen.append((code.co_filename[len(HOME) + 1 :], code.co_qualname))

    def of(self, work: Callable[[], Any]) -> list[tuple[str, str]]:
        """What `work` calls."""
        self.seen, self.counting = [], True
        work()
        self.counting = False
        return self.seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--show", action="store_true", help="print what is called how often")
    options = parser.parse_args()
    calls = Calls()
    with tempfile.TemporaryDirectory() as folder:
        store = HybridChroma("calls", Words(), folder)
        store.add_texts(
            [f"{WORDS[i % 10]} {WORDS[i // 10 % 10]} number {i}" for i in range(RECORDS)],
            [{"kind": i % 7} for i in range(RECORDS)],
        )
        three = [Document(page_content=f"{word} of a kind") for word in WORDS[:3]]

        def write() -> None:
            store.add_documents(three)
            store.similarity_search("belt bearing")

        work: dict[str, Callable[[], Any]] = {
            **{
                f"similarity_search, {mode}": lambda mode=mode: store.similarity_search(
                    "pump valve", mode=mode
                )
                for mode in ("hybrid", "vector", "lexical")
            },
            "similarity_search, filtered": lambda: store.similarity_search(
                "pump valve", filter={"kind": 3}
            ),
            "add_documents(3) and the next search": write,
        }
        rows = []
        for name, each in work.items():
            each()
            time.sleep(0.1)  # longer than a tick of the clock of files
            each()
            seen = calls.of(each)
            files = len({file for file, _ in seen})
            named = {call for call in seen if not call[1].endswith(">") or "lambda" in call[1]}
            rows.append([name, *map(str, (len(seen), len(named), files))])
            if options.show:
                print(name)
                for (file, function), times in Counter(seen).most_common():
                    print(f"  {times:4} {file} {function}")
        store.close()
    text = f"""## Calls of one search

{table(["", "calls", "functions", "files"], rows)}

{setting("chromadb", "langchain-chroma", "tantivy")}
"""
    print(text)
    write_section(RESULTS, "calls", text)


if __name__ == "__main__":
    main()
