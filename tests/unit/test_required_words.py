"""`+must` and `-not` hold for every result, whatever found it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from langchain_chroma_hybrid import Analyzer, ChromaHybridRetriever, TantivyIndex
from langchain_chroma_hybrid.core.filters import QueryMatch
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.requirement import Requirement
from tests.helpers import MODES, CountingEmbeddings, filled, ids_of

TEXTS = {
    "tiles": ("The roof needs new tiles", {"tenant": "a", "part": "R123-78"}),
    "cost": ("Tiles for the roof cost 40 euros", {"tenant": "a", "part": "R123-79"}),
    "gutter": ("A gutter under the roof keeps the wall dry", {"tenant": "b", "part": "G1"}),
    "euro": ("Two euros for a cup of tea", {"tenant": "b", "part": "T1"}),
    "slate": ("Slate is a stone for roofs; no tile lasts longer", {"tenant": "a", "part": "S1"}),
}
# A query, and exactly the records that may be found.
CASES = {
    "roof -euros": {"tiles", "gutter", "slate"},
    "roof -euro": {"tiles", "gutter", "slate"},
    '-"roof cost" tiles': {"tiles", "gutter", "euro", "slate"},
    "+tiles price of a house": {"tiles", "cost", "slate"},
    "+tiles -euros": {"tiles", "slate"},
    '+"new tiles" anything': {"tiles"},
    "+slat* stone": {"slate"},
    "-gut* roof": {"tiles", "cost", "euro", "slate"},
    "+rooof~1 water": {"tiles", "cost", "gutter", "slate"},
    "+nowhere roof": set(),
    "-nowhere roof": set(TEXTS),
    "-the -a roof": set(),
    "anything -roofs": {"euro"},
    "anything -roof": {"euro"},
    "+the": {"tiles", "cost", "gutter"},
    "-... roof": set(TEXTS),
    "+👩 roof": set(TEXTS),
    "+!? roof": set(TEXTS),
}


@pytest.fixture(scope="module", params=["disk", "memory"])
def store(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("words") if request.param == "disk" else None
    store = filled(folder, embedding_function=CountingEmbeddings(), query_syntax="simple")
    store.delete(where={"year": {"$gte": 0}})
    texts, metadatas = zip(*TEXTS.values(), strict=True)
    store.add_texts(list(texts), list(metadatas), list(TEXTS))
    return store


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("query", CASES)
def test_nothing_else_is_found(store, query, mode):
    found = ids_of(store.similarity_search(query, k=9, mode=mode))
    assert set(found) <= CASES[query]
    if mode in ("vector", "hybrid"):
        assert set(found) == CASES[query]
    inside = {id_ for id_ in CASES[query] if TEXTS[id_][1]["tenant"] == "a"}
    filtered = ids_of(store.similarity_search(query, k=9, mode=mode, filter={"tenant": "a"}))
    assert set(filtered) <= inside
    if mode in ("vector", "hybrid"):
        assert set(filtered) == inside
    assert ids_of(store.similarity_search(query, k=2, mode=mode)) == found[:2]


@pytest.mark.parametrize("query", CASES)
def test_through_every_other_door(store, query):
    allowed = CASES[query]
    retriever = ChromaHybridRetriever(vectorstore=store, query_syntax="simple", k=9)
    assert set(ids_of(retriever.invoke(query))) == allowed
    assert set(ids_of(retriever.invoke(query, lambda_mult=0.5))) == allowed
    assert {hit.id for hit in store.explain(query, k=9).hits} == allowed
    scored = store.similarity_search_with_score(query, k=9)
    assert {document.id for document, _ in scored} == allowed
    assert set(ids_of(store.max_marginal_relevance_search(query, k=9))) == allowed


class Everything(BaseRetriever):
    """A further leg that obeys nothing."""

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        return [Document("", id=id_) for id_ in TEXTS]


@pytest.mark.parametrize("query", CASES)
def test_further_retrievers_cannot_bring_in_others(store, query):
    retriever = ChromaHybridRetriever(
        vectorstore=store, k=9, query_syntax="simple", extra_retrievers={"other": Everything()}
    )
    assert set(ids_of(retriever.invoke(query))) == CASES[query]


@pytest.mark.parametrize("query", CASES)
def test_by_chromas_own_filter_and_without_an_index(store, query, monkeypatch):
    index, request = store._index, store._request(query, 9, {"tenant": "a"}, {})
    inside = {id_ for id_ in CASES[query] if TEXTS[id_][1]["tenant"] == "a"}
    assert {hit.id for hit in index.search(request, route="chroma").hits} == inside

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no index")

    monkeypatch.setattr(type(index), "half", property(broken))
    found = store.similarity_search(query, k=9, on_leg_error="degrade")
    assert set(ids_of(found)) == CASES[query]


def test_few_among_many(tmp_path):
    store = filled(tmp_path, query_syntax="simple")
    store.add_texts([f"pump number {n}" for n in range(400)], ids=[f"n{n}" for n in range(400)])
    found = store.similarity_search("pump +7 number", k=4, mode="vector")
    assert ids_of(found) == ["n7"]
    assert len(store.similarity_search("pump -number", k=4, mode="vector")) == 4
    without = store.similarity_search("pump -number", k=20, mode="vector")
    assert len(without) == 8


def test_plain_words_demand_nothing(store):
    found = store.similarity_search("roof -euros", k=9, mode="vector", query_syntax="plain")
    assert set(ids_of(found)) == set(TEXTS)


WORDS = ["roof", "roofs", "tile", "tiles", "Rooftop", "R123-78", "über", "E-4012", "the", "foo"]


@pytest.mark.parametrize("query", ["roof AND euros", "roof OR tea", "roof NOT euros", "(roof tea)"])
def test_other_languages_are_plain_words_and_said_to_be(store, query):
    result = store.explain(query, k=9)
    assert {hit.id for hit in result.hits} == set(TEXTS)
    assert any("+must" in note for note in result.notes)
    assert not store.explain(query, k=9, query_syntax="plain").notes
    assert not store.explain("roof and euros (40)", k=9).notes


@pytest.mark.parametrize("language", ["english", None, "german"])
def test_the_record_and_the_index_agree(language):
    draw = random.Random(5)  # noqa: S311  # reproducible texts, no secrets
    analyzer = Analyzer(language)
    index = TantivyIndex(analyzer=analyzer, lexical_fields={"page_content": 1.0, "tags": 2.0})
    records = [
        Record(
            f"r{n}",
            " ".join(draw.choices(WORDS, k=draw.randint(0, 6))),
            {"tags": draw.choices(WORDS, k=2)} if n % 3 else {},
        )
        for n in range(120)
    ]
    index.apply(records)
    forms = [*WORDS, "roo*", "til*", "R123*", "rof~1", "tiels~1", "ro~2", '"roof tiles"', '"the a"']
    for _ in range(120):
        query = " ".join(draw.choice(["+", "-", ""]) + form for form in draw.choices(forms, k=3))
        demands = Requirement.of(query, analyzer, index.lexical_fields)
        passed = set(index.match(QueryMatch(query)))
        expected = {r.id for r in records if demands is None or demands.holds(r)}
        assert passed == expected, query
