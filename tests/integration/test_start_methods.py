"""Worker processes, however they are started, open a folder and search it."""

from __future__ import annotations

import multiprocessing

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings


def search(folder: str, queue: multiprocessing.Queue) -> None:
    store = HybridChroma("docs", WordEmbeddings(), folder)
    retriever = ChromaHybridRetriever.from_vectorstore(store, k=1)
    queue.put([document.id for document in retriever.invoke("R123-78")])
    store.add_texts(["added by the child"], ids=["child"])
    queue.put([document.id for document in retriever.invoke("added child")])


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_children_search_and_write(tmp_path, method):
    # Written by a child as well: embedded Chroma itself does not survive a fork once it is open.
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    writer = context.Process(target=write, args=(str(tmp_path),))
    writer.start()
    writer.join(60)
    assert writer.exitcode == 0
    child = context.Process(target=search, args=(str(tmp_path), queue))
    child.start()
    assert queue.get(timeout=60) == ["pump"]
    assert queue.get(timeout=60) == ["child"]
    child.join(60)
    assert child.exitcode == 0


def write(folder: str) -> None:
    store = HybridChroma("docs", WordEmbeddings(), folder)
    store.add_texts(["pump R123-78 is blocked", "valve R123-79 is open"], ids=["pump", "valve"])
