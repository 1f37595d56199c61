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

ASKED = (
    "search", "plan", "match", "match_count", "count", "ids", "sample", "digests", "weights",
    "unmatched",
)  # fmt: skip


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
    def ask(self: Any, *args: Any, **options: Any) -> Any:
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


JUDGED = [
    ("pump", []),
    ("the pump moves water", []),
    ("pump xyzzy", ["unmatched"]),
    ("R123-78", ["weights"]),
    ("pump R123-78", ["weights", "unmatched"]),
    ("xyzzy R123-78", ["weights", "unmatched"]),
]


@pytest.mark.parametrize("where", [None, {"tenant": {"$ne": "c"}}])
@pytest.mark.parametrize("way", ["relevance", "explain"])
@pytest.mark.parametrize(("query", "more"), JUDGED)
def test_relevance_asks_what_the_hits_do_not_tell(
    store: HybridChroma, far: Far, query: str, more: list[str], way: str, where: Any
):
    """Words that are in no hit may be nowhere, and codes have their share by what others weigh."""
    near = filled(lexical=Far(remote=False))

    def ask(of: HybridChroma) -> Any:
        if way == "explain":
            found = of.explain(query, k=8, filter=where)
            return [(hit.id, round(hit.relevance, 6)) for hit in found.hits], found.unmatched
        found = of.similarity_search_with_relevance_scores(query, k=8, filter=where)
        return [(document.id, round(relevance, 6)) for document, relevance in found]

    ask(store)
    far.trips.clear()
    assert ask(store) == ask(near)
    again = ["unmatched"] if where and query == "xyzzy R123-78" else []
    assert far.trips == [*(["plan"] if where else []), "search", *more, *again]


def test_relevance_of_what_the_words_have_not_brought(tmp_path: Any, far: Far):
    """Hits of the vectors alone are looked up by their ids, once."""
    store = filled(tmp_path / "db", lexical=far)
    store.add_texts([f"pump number {n}" for n in range(120)], ids=[f"p{n}" for n in range(120)])
    asked = {"k": 9, "weights": [0.01, 0.99]}
    store.similarity_search_with_relevance_scores("pump error means", **asked)
    far.trips.clear()
    store.similarity_search_with_relevance_scores("pump error means", **asked)
    assert far.trips == ["search", "search"]


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
