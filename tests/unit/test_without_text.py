"""Records without text: BM25 cannot know them, which is not to say that they are irrelevant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from langchain_chroma_hybrid.core.fusion import FUSIONS, UNKNOWN, RankedList, fuse
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import make_store

LEXICAL = RankedList(["a", "b", "c"], [9.0, 6.0, 3.0], 1.0, 0.0, 0.0, 10.0)
VECTOR = RankedList(["x", "a", "y", "b"], [0.9, 0.8, 0.5, 0.1], 1.0, -1.0, None, 1.0)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_what_a_list_cannot_know_counts_as_a_share_of_what_the_others_say(fusion):
    unknown = replace(LEXICAL, unknown=frozenset("x"))
    known, blind = (
        {hit.id: hit for hit in fuse([ranked, VECTOR], fusion)} for ranked in (LEXICAL, unknown)
    )
    value = known["x"].normalized[1]
    assert known["x"].normalized == (0.0, value)
    assert blind["x"].normalized == (pytest.approx(UNKNOWN * value), value)
    assert blind["x"].score == pytest.approx((1 + UNKNOWN) * value / 2)
    assert {i: h for i, h in blind.items() if i != "x"} == {
        i: h for i, h in known.items() if i != "x"
    }


def test_no_list_that_knows_it_leaves_nothing():
    blind = RankedList(["a"], [1.0], 1.0, unknown=frozenset("b"))
    also = RankedList(["b"], [1.0], 0.0)
    assert {hit.id: hit.score for hit in fuse([blind, also], "min_max")}["b"] == 0.0


def store_with(texts):
    store = make_store()
    vectors = WordEmbeddings().embed_documents(list(texts))
    ids = [f"{n}" for n in range(len(texts))]
    return store, ids, vectors


def test_a_record_without_text_is_found_beside_those_with():
    texts = ["red pump in the cellar", "red door", "blue door", "green door", "red pump"]
    store, ids, vectors = store_with(texts)
    store._collection.add(
        ids, embeddings=vectors, documents=[*texts[:4], ""], metadatas=[{"n": n} for n in range(5)]
    )
    hits = store.explain("red pump", k=5).hits
    assert {hit.id for hit in hits[:2]} == {"0", "4"}
    silent = next(hit for hit in hits if hit.id == "4")
    lexical, vector = silent.legs
    assert (lexical.rank, lexical.terms) == (None, ())
    assert lexical.normalized == pytest.approx(UNKNOWN * vector.normalized)
    # Its relevance is told by its vector alone.
    assert silent.relevance > 0.5


@pytest.mark.parametrize("mode", ["vector", "lexical", "two_step", "hybrid"])
def test_collections_without_any_text_are_searched_by_vector(mode):
    texts = ["red pump", "blue door"]
    store, ids, vectors = store_with(texts)
    store._collection.add(ids, embeddings=vectors)
    found = [hit.id for hit in store.explain("red pump", mode=mode).hits]
    assert found == ([] if mode in ("lexical", "two_step") else ["0", "1"])


def test_a_record_of_signs_alone_changes_nothing_for_the_others():
    store = make_store()
    store.add_texts(["red pump", "blue door"])
    before = [hit.fused for hit in store.explain("red pump").hits]
    store.add_texts(["..."], ids=["mute"])
    after = {hit.id: hit.fused for hit in store.explain("red pump").hits}
    assert before[0] == pytest.approx(max(after.values()))
    assert np.isfinite(list(after.values())).all()
