"""Any order of writes, reopenings, foreign writes and crashes: searches agree with a plain dict."""

from __future__ import annotations

import gc
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from langchain_core.documents import Document

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.core.filters import matches, parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.testing import WordEmbeddings

WORDS = ("maple", "pump", "river", "zebra", "quartz")
EMBEDDINGS = WordEmbeddings(16)

ids = st.integers(0, 9).map("id{}".format)
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
metadata = st.fixed_dictionaries(
    {"n": st.integers(0, 3), "tag": st.sampled_from("abc"), "list": st.sampled_from([["x"], ["y"]])}
)
contents = st.dictionaries(ids, st.tuples(texts, metadata), min_size=1, max_size=5)
wheres = st.sampled_from(
    [
        {"n": {"$gte": 2}},
        {"tag": "a"},
        {"$or": [{"tag": {"$ne": "b"}}, {"n": 0}]},
        {"list": {"$contains": "x"}},
        {"n": {"$in": [1, 3]}},
    ]
)
documents = st.sampled_from([{"$contains": "zeb"}, {"$not_contains": "maple"}])
filters = st.fixed_dictionaries({}, optional={"filter": wheres, "where_document": documents})


class Machine(RuleBasedStateMachine):
    """`self.model` is what there should be: text and metadata by id."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="state-machine-"))
        self.model: dict[str, tuple[str, dict[str, Any]]] = {}
        self.asked: tuple[str, dict[str, Any]] = ("pump", {})
        self.store = self._opened()

    def _opened(self) -> HybridChroma:
        return HybridChroma("documents", EMBEDDINGS, str(self.folder), max_age=0)

    @initialize(content=contents)
    def start(self, content: dict[str, Any]) -> None:
        self.add(content)

    @rule(content=contents)
    def add(self, content: dict[str, Any]) -> None:
        written, metadatas = zip(*content.values(), strict=True)
        self.store.add_texts(list(written), [dict(m) for m in metadatas], list(content))
        self.model.update(content)

    @rule(content=contents)
    def update(self, content: dict[str, Any]) -> None:
        there = {id_: content[id_] for id_ in content if id_ in self.model}
        changed = [Document(text, metadata=dict(meta)) for text, meta in there.values()]
        self.store.update_documents(list(there), changed) if there else None
        self.model.update(there)

    @rule(doomed=st.lists(ids, min_size=1, unique=True))
    def delete(self, doomed: list[str]) -> None:
        self.store.delete(doomed)
        for id_ in doomed:
            self.model.pop(id_, None)

    @rule(where=wheres)
    def delete_where(self, where: dict[str, Any]) -> None:
        self.store.delete(where=where)
        self.model = {
            id_: entry
            for id_, entry in self.model.items()
            if not self._passes(id_, {"filter": where})
        }

    @rule()
    def reopen(self) -> None:
        self.store._index.close()
        self.store._client.close()
        self.store = self._opened()

    @rule(content=contents)
    def crash(self, content: dict[str, Any]) -> None:
        """A write, then the program is gone: nothing is closed, nothing brought in."""
        self.add(content)
        client = self.store._client
        bridge._handles.pop(self.store, None)
        del self.store
        gc.collect()
        client.close()
        self.store = self._opened()

    @rule(content=contents, doomed=st.lists(ids, max_size=2, unique=True))
    def write_to_the_wrapped_object(self, content: dict[str, Any], doomed: list[str]) -> None:
        _ = self.store._index
        self._write_directly(self.store._collection, content, doomed)

    @rule(content=contents, doomed=st.lists(ids, max_size=2, unique=True))
    def write_elsewhere_and_sync(self, content: dict[str, Any], doomed: list[str]) -> None:
        other = self.store._client.get_collection("documents")
        self._write_directly(other, content, doomed)
        self.store.sync(deep=True)

    @rule(content=contents)
    def add_elsewhere(self, content: dict[str, Any]) -> None:
        """New ids are found without being told."""
        fresh = {id_: content[id_] for id_ in content if id_ not in self.model}
        if fresh:
            self._write_directly(self.store._client.get_collection("documents"), fresh, [])

    @rule()
    def rebuild(self) -> None:
        self.store.rebuild()

    def _write_directly(self, collection: Any, content: dict[str, Any], doomed: list[str]) -> None:
        written, metadatas = zip(*content.values(), strict=True)
        vectors = EMBEDDINGS.embed_documents(list(written))
        collection.upsert(list(content), vectors, [dict(m) for m in metadatas], list(written))
        self.model.update(content)
        gone = [id_ for id_ in doomed if id_ in self.model]
        if gone:
            collection.delete(ids=gone)
        for id_ in gone:
            del self.model[id_]

    @rule(word=st.sampled_from(WORDS), conditions=filters)
    def ask(self, word: str, conditions: dict[str, Any]) -> None:
        self.asked = (word, conditions)

    @invariant()
    def every_mode_agrees(self) -> None:
        for conditions in ({}, self.asked[1]):
            passing = {id_ for id_ in self.model if self._passes(id_, conditions)}
            with_word = {id_ for id_ in passing if self.asked[0] in self.model[id_][0].split()}
            expected = {"lexical": with_word, "two_step": with_word}
            for mode in ("hybrid", "vector", "lexical", "two_step"):
                found = self._search(mode, conditions)
                assert {document.id for document in found} == expected.get(mode, passing), mode
                for document in found:
                    text, meta = self.model[document.id or ""]
                    assert (document.page_content, document.metadata) == (text, meta)

    def _search(self, mode: str, conditions: dict[str, Any]) -> list[Document]:
        return self.store.similarity_search(self.asked[0], k=50, mode=mode, **conditions)

    def _passes(self, id_: str, conditions: dict[str, Any]) -> bool:
        text, meta = self.model[id_]
        tree = parse(conditions.get("filter"), conditions.get("where_document"))
        return matches(tree, Record(id_, text, meta))

    def teardown(self) -> None:
        self.store._index.close()
        self.store._client.close()
        shutil.rmtree(self.folder)


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


TestQuickly = Machine.TestCase
TestQuickly.settings = _settings(4, 12)


@pytest.mark.long
@pytest.mark.timeout(3600)
class TestThoroughly(Machine.TestCase):
    settings = _settings(200, 30)
