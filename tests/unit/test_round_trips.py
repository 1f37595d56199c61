"""How often a query asks a lexical index that is on another machine."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import RankBM25Index
from langchain_chroma_hybrid.lexical.protocol import Capabilities
from tests.helpers import filled, ids_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_chroma_hybrid import HybridChroma

ASKED = ("search", "plan", "match", "match_count", "count", "ids", "sample", "digests", "weights")


class Far(RankBM25Index):
    """Notes each question that would go over a network; a question within one is none."""

    def __init__(self, *, remote: bool = True) -> None:
        super().__init__()
        self.capabilities = Capabilities(durable=False, syntax=False, remote=remote)
        self.trips: list[str] = []
        self._within = False
        self._whole: object = None

    def without_text(self, ids: Any = None) -> frozenset[str]:
        """From memory where its last answer said that every record has a text."""
        if self._whole == self.version():
            return frozenset()
        self.trips.append("without_text")
        if not super().without_text():
            self._whole = self.version()
        return super().without_text(ids)


def counted(name: str) -> Callable[..., Any]:
    answer = getattr(RankBM25Index, name)

    @wraps(answer)
    def ask(self: Far, *args: Any, **options: Any) -> Any:
        outermost, self._within = not self._within, True
        try:
            if outermost:
                self.trips.append(name)
            return answer(self, *args, **options)
        finally:
            self._within = not outermost

    return ask


for _name in ASKED:
    setattr(Far, _name, counted(_name))


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def store(tmp_path: Any, far: Far) -> HybridChroma:
    made = filled(tmp_path / "db", lexical=far)
    made.similarity_search("pump", filter={"tenant": "a"})
    far.trips.clear()
    return made


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "two_step"])
def test_one_without_a_filter(store: HybridChroma, far: Far, mode: str):
    assert ids_of(store.similarity_search("R123-78", k=2, mode=mode))[0] == "pump"
    assert far.trips == ["search"]


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "two_step"])
@pytest.mark.parametrize("where", [{"tenant": "a"}, {"tenant": {"$ne": "a"}}])
def test_two_with_one(store: HybridChroma, far: Far, mode: str, where: dict[str, Any]):
    asked = {"k": 3, "mode": mode, "filter": where}
    near = filled(lexical=Far(remote=False)).similarity_search("pump", **asked)
    assert ids_of(store.similarity_search("pump", **asked)) == ids_of(near)
    assert far.trips == ["plan", "search"]


def test_one_where_nothing_passes(store: HybridChroma, far: Far):
    where = {"tenant": "none"}
    assert store.similarity_search("pump", filter=where) == []
    assert far.trips == ["plan", "sample"], "which values there are, to be told in a note"
    store.similarity_search("pump", filter=where)
    assert far.trips == ["plan", "sample", "plan"]


def test_one_for_vectors_alone_that_pass_a_filter(store: HybridChroma, far: Far):
    store.similarity_search("pump", k=3, mode="vector", filter={"tenant": "a"})
    assert far.trips == ["plan"]


def test_a_write_is_looked_at_once(store: HybridChroma, far: Far):
    store.add_texts(["a new pump"], [{"tenant": "a"}], ["new"])
    store.similarity_search("pump")
    far.trips.clear()
    store.similarity_search("pump")
    assert far.trips == ["search"]


def test_an_unknown_ceiling_is_noted():
    class Unbounded(RankBM25Index):
        def max_score(self, query: str, **_: Any) -> None:  # type: ignore[override]
            return None

    notes = filled(lexical=Unbounded()).explain("pump").notes
    assert any("no highest score" in note for note in notes)
    assert not filled(lexical=RankBM25Index()).explain("pump").notes
