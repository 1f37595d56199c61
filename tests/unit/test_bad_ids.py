"""One bad id stops nobody: it is refused before anything is noted, or passed over."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.errors import InvalidArgumentError
from tests.helpers import MODES, filled, ids_of, plain_chroma

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from langchain_chroma_hybrid.core.values import Record

BAD = [None, 3, True, 1.5, b"pump", ("pump",), ["pump"], {"pump": 1}, "", "\ud800", "a\udfffb"]


def works(store: Any) -> None:
    """Every mode answers, both halves agree, a good write goes through."""
    for mode in MODES:
        assert store.similarity_search("Error R123-78", mode=mode, on_leg_error="raise")
    assert store.verify().ok
    store.sync(deep=True)
    store.add_texts(["a zebra"], ids=["zebra"])
    assert ids_of(store.similarity_search("zebra", mode="lexical")) == ["zebra"]


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_our_methods_refuse_it_and_write_nothing(folder: Path | None, bad: Any):
    store = filled(folder)
    before = store.get()["ids"]
    for call in (
        lambda: store.delete([bad]),
        lambda: store.delete(["pump", bad]),
        lambda: store.get_by_ids(["pump", bad]),
        lambda: store.update_documents([bad], [Document("words")]),
        *([] if bad is None else [lambda: store.add_texts(["words"], ids=[bad])]),
    ):
        with pytest.raises(InvalidArgumentError, match=r"ids\[\d\]: expected"):
            call()
    assert store.get()["ids"] == before
    works(store)


def test_ids_that_are_no_list_of_strings():
    store = filled()
    for bad in (3, 1.5, b"pump", True):
        with pytest.raises(InvalidArgumentError, match="ids: expected several strings"):
            store.delete(bad)  # type: ignore[arg-type]
    store.delete("pump")
    store.delete(id_ for id_ in ["valve"])  # type: ignore[arg-type]
    assert {"pump", "valve"}.isdisjoint(store.get()["ids"])


async def test_asynchronously_too():
    store = filled()
    for bad in BAD:
        with pytest.raises(InvalidArgumentError):
            await store.adelete(["pump", bad])
        with pytest.raises(InvalidArgumentError):
            await store.aget_by_ids(["pump", bad])
    works(store)


def directly(bad: Any) -> list[Callable[[Any], Any]]:
    one: dict[str, Any] = {"documents": ["words"], "embeddings": [[0.1] * 64]}
    return [
        lambda c: c.add(ids=["good", bad], documents=["a", "b"], embeddings=[[0.1] * 64] * 2),
        lambda c: c.upsert(ids=[bad], **one),
        lambda c: c.update(ids=[bad], **one),
        lambda c: c.update([bad], **one),
        lambda c: c.delete(ids=[bad]),
        lambda c: c.delete([bad]),
        lambda c: c.delete(bad),
    ]


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_through_the_watched_object_chroma_itself_refuses_it(folder: Path | None, bad: Any):
    store = filled(folder)
    assert store.similarity_search("pump")
    for call in directly(bad):
        with suppress(Exception):  # Chroma's own, of whatever kind
            call(store._collection)
    works(store)


def test_through_a_chroma_that_a_retriever_wraps():
    chroma = plain_chroma()
    retriever = ChromaHybridRetriever(vectorstore=chroma)
    assert retriever.invoke("pump")
    for bad in BAD:
        for call in directly(bad):
            with suppress(Exception):
                call(chroma._collection)
    assert "pump" not in chroma.get()["ids"], "a list of one good id is no bad id"
    assert ids_of(retriever.invoke("R123-79", k=1)) == ["valve"]


def test_what_an_old_journal_names_is_passed_over(tmp_path: Path):
    store = filled(tmp_path)
    name = store._collection.name
    assert store.similarity_search("pump")
    journal = store._index.lexical.path / "journal"
    store.close()
    ids = ["pump", "\ud800", "", "never\x00there", "x" * 100_000]
    (journal / "0123456789abcdef0123456789abcdef.jsonl").write_text(json.dumps(ids) + "\n")
    works(HybridChroma(name, store.embeddings, persist_directory=str(tmp_path)))
    assert not list(journal.glob("0123*.jsonl"))


def test_a_record_that_the_index_refuses_keeps_no_other_out(monkeypatch, caplog):
    store = filled()
    lexical = store._index.lexical
    apply = type(lexical).apply

    def refuse(self: Any, upserts: list[Record], deletes: Any = ()) -> None:
        if any(record.id == "cursed" for record in upserts):
            raise InvalidArgumentError.of("upserts", "cursed", "something else")
        apply(self, upserts, deletes)

    monkeypatch.setattr(type(lexical), "apply", refuse)
    store.add_texts(["a zebra", "cursed", "a quagga"], ids=["zebra", "cursed", "quagga"])
    assert ids_of(store.similarity_search("zebra", mode="lexical")) == ["zebra"]
    assert ids_of(store.similarity_search("quagga", mode="lexical")) == ["quagga"]
    assert "left out of the lexical index" in caplog.text
