"""Worker processes, however they are started, open a folder, search it and write to it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings

ROOT = Path(__file__).resolve().parents[2]


def write(folder: str) -> None:
    store = HybridChroma("docs", WordEmbeddings(), folder)
    store.add_texts(["pump R123-78 is blocked", "valve R123-79 is open"], ids=["pump", "valve"])


def search(folder: str) -> None:
    store = HybridChroma("docs", WordEmbeddings(), folder)
    retriever = ChromaHybridRetriever.from_vectorstore(store, k=1)
    assert [document.id for document in retriever.invoke("R123-78")] == ["pump"]
    store.add_texts(["added by the child"], ids=["child"])
    assert [document.id for document in retriever.invoke("added child")] == ["child"]


def main(method: str, folder: str) -> None:
    context = multiprocessing.get_context(method)
    for task in (write, search):
        child = context.Process(target=task, args=(folder,))
        child.start()
        child.join(60)
        assert child.exitcode == 0, (task.__name__, child.exitcode)


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(method, marks=[pytest.mark.long] if method != "fork" else [])
        for method in multiprocessing.get_all_start_methods()
    ],
)
def test_children_search_and_write(tmp_path, method):
    # From a process of its own: this one has threads of other libraries, which no fork survives.
    command = [sys.executable, "-m", "tests.integration.test_start_methods", method, tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


if __name__ == "__main__":
    main(*sys.argv[1:])
