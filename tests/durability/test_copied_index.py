"""`lexical copy`: what it reads, what it refuses, and what a kill in the middle of it leaves."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import HybridChroma, TantivyIndex
from langchain_chroma_hybrid._langchain.bridge import handle_of
from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from langchain_chroma_hybrid.engine.config import lexical_config
from langchain_chroma_hybrid.engine.sync import failpoints, reconcile
from langchain_chroma_hybrid.errors import IndexBoundError, InvalidArgumentError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability.processes import ended, started
from tests.durability.workers import NO_FILES

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

N = 40
WAYS = ["index", "collection"]


def opened(folder: Path, lexical: LexicalIndex | str | None = None) -> HybridChroma:
    return HybridChroma(
        "documents",
        WordEmbeddings(8),
        str(folder / "db"),
        collection_configuration=NO_FILES,
        lexical=lexical,
    )


def there(folder: Path, read: str) -> LexicalIndex | str:
    """Where the copy goes: to another folder, or to an engine that cannot use the files."""
    place = folder / "shared"
    return f"tantivy:{place}" if read == "index" else TantivyIndex(place)


def copy(folder: Path, to: LexicalIndex | str, source: LexicalIndex | str | None = None) -> Any:
    with opened(folder, source) as store:
        return handle_of(store).copy_index(lexical_config(lexical=to))


def found(store: HybridChroma, query: str) -> set[str | None]:
    return {document.id for document in store.similarity_search(query, k=99, mode="lexical")}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A collection with an index beside its data."""
    with opened(tmp_path) as store:
        numbers = range(N)
        store.add_texts([f"words of number {n}" for n in numbers], ids=[f"id{n}" for n in numbers])
        assert len(found(store, "words")) == N
    return tmp_path


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of all records that were read in the collection."""
    ids: list[str] = []
    fetch = ChromaStore.fetch

    def counted(store: ChromaStore, some: Any, *rest: Any) -> Any:
        ids.extend(some)
        return fetch(store, some, *rest)

    monkeypatch.setattr(ChromaStore, "fetch", counted)
    return ids


@pytest.mark.parametrize("read", WAYS)
def test_the_copy_holds_everything_and_goes_on(place: Path, fetched: list[str], read: str) -> None:
    report = copy(place, there(place, read))
    assert (report.records, report.read) == (N, read)
    assert len(fetched) == (0 if read == "index" else N)
    fetched.clear()
    with opened(place, there(place, read)) as store:
        store.sync()
        assert fetched == []
        assert len(found(store, "words")) == N
        store.add_texts(["a zebra"], ids=["new"])
        assert store.verify().ok
    with opened(place) as store:
        assert found(store, "zebra") == {"new"}
        assert store.verify().ok
    # What has fallen behind is brought in step.
    assert copy(place, there(place, read)).records == N + 1


def copy_and_die(folder: Path, read: str, step: str) -> None:
    reconcile.PAGE = 15
    failpoints.watcher = lambda now: os.kill(os.getpid(), signal.SIGKILL) if now == step else None
    copy(folder, there(folder, read))


@pytest.mark.parametrize(
    ("read", "step"),
    [("index", "index copied"), ("collection", "index read"), ("collection", "index applied")],
)
def test_a_killed_copy_goes_on(place: Path, read: str, step: str) -> None:
    assert ended(started(copy_and_die, place, read, step)) == -signal.SIGKILL
    with opened(place) as store:
        assert len(found(store, "words")) == N
    assert copy(place, there(place, read)).records == N
    with opened(place, there(place, read)) as store:
        assert store.verify().ok
    assert not list(place.rglob("*.new"))


def test_what_is_refused_changes_nothing(place: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="FROM: expected an index that was built"):
        copy(place, f"tantivy:{place / 'to'}", f"tantivy:{place / 'nowhere'}")
    with pytest.raises(InvalidArgumentError, match="FROM: expected an index that was built"):
        copy(place, f"tantivy:{place / 'to'}", "rank_bm25:okapi")
    for way in ({"to": "chroma:"}, {"to": "tantivy:", "source": "chroma:"}):
        with pytest.raises(InvalidArgumentError, match=r"server's own .* got 'chroma:'"):
            copy(place, **way)
    with pytest.raises(InvalidArgumentError, match="TO: expected another one"):
        copy(place, f"tantivy:{place / 'db' / 'lexical'}")
    with pytest.raises(InvalidArgumentError, match="TO: expected one that outlives"):
        copy(place, "tantivy:")
    assert not (place / "to").exists()
    assert not (place / "nowhere").exists()

    others = TantivyIndex(place / "shared")
    others.bind("another", "server")
    with pytest.raises(IndexBoundError, match="another at server"):
        copy(place, TantivyIndex(place / "shared"))
    with opened(place) as store:
        uuid = str(store._collection.id)
    folder = place / "taken" / uuid
    TantivyIndex(folder).bind("another", "server")
    with pytest.raises(IndexBoundError, match="another at server"):
        copy(place, f"tantivy:{place / 'taken'}")
    assert TantivyIndex(folder).count() == others.count() == 0
