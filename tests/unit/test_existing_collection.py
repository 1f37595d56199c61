"""A collection that others made and go on writing to."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, TantivyIndex
from tests.helpers import CORPUS, COSINE, MODES, WordEmbeddings, filled, ids_of, plain_chroma


@pytest.fixture
def plain(folder):
    """A Chroma of LangChain's with the corpus in it, on disk and in memory."""
    return plain_chroma(folder)


@pytest.fixture
def indexed(monkeypatch):
    """How many records each call has put into a lexical index."""
    counts = []
    original = TantivyIndex.apply

    def apply(self, upserts, deletes=()):
        counts.append(len(upserts))
        return original(self, upserts, deletes)

    monkeypatch.setattr(TantivyIndex, "apply", apply)
    return counts


def lexical(retriever, query):
    return set(ids_of(retriever.invoke(query, mode="lexical", k=20)))


def test_the_index_is_built_once_at_the_first_query(plain, indexed):
    retriever = ChromaHybridRetriever.from_vectorstore(plain, k=1)
    assert indexed == []
    for _ in range(3):
        assert ids_of(retriever.invoke("R123-78")) == ["pump"]
    assert sum(indexed) == len(CORPUS)
    again = ChromaHybridRetriever.from_vectorstore(plain, k=2)
    assert ids_of(again.invoke("R123-78"))[0] == "pump"
    other = Chroma(plain._collection.name, WordEmbeddings(), client=plain._client)
    assert ids_of(ChromaHybridRetriever.from_vectorstore(other).invoke("R123-78"))[0] == "pump"
    store = HybridChroma(plain._collection.name, WordEmbeddings(), client=plain._client)
    assert ids_of(store.similarity_search("R123-78"))[0] == "pump"
    assert sum(indexed) == len(CORPUS)


REOPEN = """
import sys
from langchain_chroma import Chroma
from langchain_chroma_hybrid import ChromaHybridRetriever, TantivyIndex
from langchain_chroma_hybrid.testing import WordEmbeddings

def refuse(*args, **kwargs):
    raise AssertionError("the index was written")

TantivyIndex.apply = refuse
name, folder = sys.argv[1:]
retriever = ChromaHybridRetriever.from_vectorstore(
    Chroma(name, WordEmbeddings(), persist_directory=folder), k=1
)
print(retriever.invoke("R123-78", mode="lexical")[0].id, retriever.invoke("R123-78")[0].id)
"""


def test_another_process_opens_what_is_there(tmp_path):
    plain = plain_chroma(tmp_path)
    name = plain._collection.name
    retriever = ChromaHybridRetriever.from_vectorstore(plain, k=1)
    assert ids_of(retriever.invoke("R123-78")) == ["pump"]
    (meta,) = (tmp_path / "lexical").glob("*/meta.json")
    before = (meta.read_bytes(), meta.stat().st_mtime_ns)
    del plain, retriever
    gc.collect()
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REOPEN, name, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["pump", "pump"]
    assert (meta.read_bytes(), meta.stat().st_mtime_ns) == before


@pytest.mark.parametrize("mode", MODES)
def test_what_is_added_through_the_wrapped_chroma_is_found_next(plain, mode):
    retriever = ChromaHybridRetriever.from_vectorstore(plain, k=1, mode=mode)
    assert retriever.invoke("maple")
    plain.add_texts(["a grey whale"], [{"tenant": "w"}], ["whale"])
    assert ids_of(retriever.invoke("whale")) == ["whale"]
    assert ids_of(retriever.invoke("whale", filter={"tenant": "w"})) == ["whale"]
    assert lexical(retriever, "whale") == {"whale"}


def test_what_is_deleted_through_the_wrapped_chroma_is_gone_next(plain):
    retriever = ChromaHybridRetriever.from_vectorstore(plain, k=20)
    assert "pump" in ids_of(retriever.invoke("R123-78"))
    plain.delete(["pump"])
    for mode in MODES:
        assert "pump" not in ids_of(retriever.invoke("R123-78", mode=mode))


def test_one_added_and_one_deleted_leave_the_count_as_it_was(plain):
    retriever = ChromaHybridRetriever.from_vectorstore(plain)
    assert lexical(retriever, "R123-78")
    plain.delete(["pump"])
    plain.add_texts(["a grey whale"], ids=["whale"])
    assert lexical(retriever, "whale") == {"whale"}
    assert "pump" not in lexical(retriever, "R123-78")


def test_what_is_replaced_through_the_wrapped_chroma_is_found_next(plain):
    retriever = ChromaHybridRetriever.from_vectorstore(plain)
    assert lexical(retriever, "R123-78")
    plain.add_texts(["a grey whale"], ids=["pump"])
    assert lexical(retriever, "whale") == {"pump"}
    plain.update_document("cat", Document("an old fox", metadata={"year": 2000}))
    assert lexical(retriever, "fox") == {"cat"}


def test_sync_and_verify_find_what_was_changed_straight_in_chroma(store):
    assert store.similarity_search("R123-78", mode="lexical")
    vector = WordEmbeddings().embed_query("a grey whale")
    others = store._client.get_collection(store._collection.name)
    others.update(ids=["pump"], documents=["a grey whale"], embeddings=[vector])
    report = store.verify()
    assert (report.stale, report.missing, report.extra) == (("pump",), (), ())
    assert store.verify(fix=True).stale == ("pump",)
    assert store.verify().ok
    assert ids_of(store.similarity_search("whale", mode="lexical")) == ["pump"]
    others.update(ids=["cat"], documents=["a fox"], embeddings=[vector])
    assert store.sync(deep=True).updated == 1
    assert ids_of(store.similarity_search("fox", mode="lexical")) == ["cat"]


def test_a_rebuild_or_reset_through_one_object_is_seen_by_the_others(folder):
    store = filled(folder)
    other = Chroma(store._collection.name, WordEmbeddings(), client=store._client)
    retriever = ChromaHybridRetriever.from_vectorstore(other, k=1)
    assert ids_of(retriever.invoke("R123-78")) == ["pump"]
    store.rebuild()
    assert ids_of(retriever.invoke("R123-78")) == ["pump"]
    store.add_texts(["a grey whale"], ids=["whale"])
    assert lexical(retriever, "whale") == {"whale"}
    other.add_texts(["an old fox"], ids=["fox"])
    assert ids_of(store.similarity_search("fox", mode="lexical")) == ["fox"]


def test_two_collections_of_one_folder_do_not_meet(tmp_path):
    first, second = filled(tmp_path), filled(tmp_path)
    second.add_texts(["a grey whale"], ids=["whale"])
    assert first.similarity_search("whale", mode="lexical") == []
    first.delete_collection()
    assert ids_of(second.similarity_search("whale", mode="lexical")) == ["whale"]
    assert len(list((tmp_path / "lexical").glob("*/meta.json"))) == 1


def test_many_records_are_indexed_in_pages(tmp_path):
    plain = Chroma(
        "pages",
        WordEmbeddings(4),
        collection_configuration=COSINE,
        persist_directory=str(tmp_path),
    )
    for start in range(0, 6_000, 3_000):
        texts = [f"text number {i}" for i in range(start, start + 3_000)]
        plain.add_texts(texts, ids=[str(i) for i in range(start, start + 3_000)])
    retriever = ChromaHybridRetriever.from_vectorstore(plain)
    assert lexical(retriever, "5999") == {"5999"}
    assert lexical(retriever, "17") == {"17"}
    plain.delete_collection()
