"""What is not in the collection: identifiers and words that occur nowhere are said to."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.relevance import THRESHOLD
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex
from tests.helpers import MODES, make_store

MANUAL = {
    "e4012": "Error E-4012: the pump is blocked, e.g. by leaves.",
    "r123": "Spare part R123-78 is the seal of the pump shaft.",
    "iso": "Oil the pump every 500 hours, e.g. with ISO VG 46.",
    "date": "The contract of 2024-05-01 ends after 12 months.",
    "wd": "Clean the shaft with WD 40 and a cloth.",
    "cpp": "The driver is written in C++ and takes 9999 lines.",
    "user": "Call get_user_name to read vitamin C intake.",
    "tokyo": "東京タワーは高さ333メートルです。",
    "umlaut": "Das Gehäuse der Wärmepumpe ist grün.",
}
KNOWN = {"E-4012": "e4012", "R123-78": "r123", "2024-05-01": "date", "C++": "cpp", "e4012": "e4012"}
UNKNOWN = [
    "E-9999", "E-4013", "e9999", "E9999", "R124-78", "2024-05-02", "500-46", "E.4013",
    "A-1", "46-500", "x_1", "C#", "E/9999", "I-46", "12-E", "ISO-46",
]  # fmt: skip
ROUND = ["{}", "What does {} mean?", "{} pump", "pump {}"]


@pytest.fixture(scope="module")
def retriever():
    store = make_store()
    store.add_texts(list(MANUAL.values()), ids=list(MANUAL), metadatas=[{"t": i} for i in MANUAL])
    yield ChromaHybridRetriever(vectorstore=store, k=len(MANUAL))
    store.delete_collection()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", UNKNOWN)
def test_an_identifier_that_occurs_nowhere_gets_no_confident_answer(retriever, code, mode):
    for frame in ROUND[:2]:
        result = retriever.search(frame.format(code), mode=mode)
        assert code in result.unmatched
        assert all(hit.relevance < THRESHOLD for hit in result.hits)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("code", "id_"), KNOWN.items())
def test_one_that_occurs_is_answered_by_its_record(retriever, code, id_, mode):
    result = retriever.search(code, mode=mode)
    assert result.unmatched == ()
    above = [hit.id for hit in result.hits if hit.relevance >= THRESHOLD]
    assert above == [id_]


@pytest.mark.parametrize("code", UNKNOWN)
def test_no_part_of_one_or_two_characters_and_no_number_matches_alone(retriever, code):
    # `ISO` and `R124` are words by themselves.
    strong = {"ISO-46": {"iso"}}.get(code, set())
    found = retriever.search(code, mode="lexical").hits
    assert {hit.id for hit in found} <= strong


def test_the_parts_apart_are_the_identifier(retriever):
    result = retriever.search("WD-40", mode="lexical")
    assert [hit.id for hit in result.hits] == ["wd"]
    assert result.unmatched == ()
    assert result.hits[0].relevance >= THRESHOLD
    assert result.hits[0].legs[0].terms == ("WD 40",)


@pytest.mark.parametrize("frame", ROUND)
def test_unknown_words_count_in_the_ceiling(retriever, frame):
    codes = [retriever.search(frame.format(c), mode="lexical") for c in ("E-4012", "E-9999")]
    best = [max((hit.fused for hit in result.hits), default=0.0) for result in codes]
    assert best[0] > best[1]
    assert best[1] < 0.2


@pytest.mark.parametrize(
    ("query", "unmatched"),
    [
        ("pump", ()),
        ("the pump of the shaft", ()),
        ("is the of", ()),
        ("Zebra pump zebra", ("Zebra",)),
        ("blocking pumps", ()),
        ("well-known pump", ("well", "known")),
        ("get_user_name", ()),
        ("get_user_names getUserName", ()),
        ("get_group_name", ("get_group_name",)),
        ("r12378 R12-378", ()),
        ("東京タワー", ()),
        ("大阪城", ("大阪城",)),
        ("GEHAUSE grün", ()),
        ("Gehäusetür", ("Gehäusetür",)),
        ("E-4012 E-9999, R123-79?", ("E-9999", "R123-79")),
        ("«zebra»!", ("zebra",)),
        ("?!", ()),
        ("\ud800 zebra", ("zebra",)),
    ],
)
def test_unmatched_words_as_they_were_typed(retriever, query, unmatched):
    assert retriever.search(query).unmatched == unmatched


@pytest.mark.parametrize(
    ("query", "unmatched"),
    [
        ("pump -zebra", ()),
        ("+zebra pump", ("zebra",)),
        ('"zebra crossing" pump', ("zebra", "crossing")),
        ("zeb* pump", ()),
        ("+pump zebra -leaves", ("zebra",)),
        ("+E-9999", ("E-9999",)),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_unmatched_words_of_the_query_language(retriever, query, unmatched, mode):
    result = retriever.search(query, query_syntax="simple", mode=mode)
    assert result.unmatched == unmatched


@pytest.mark.parametrize("name", ["filter", "base_filter", "where_document", "base_where_document"])
def test_nothing_is_told_of_hidden_records(retriever, name):
    where = {"$contains": "Oil"} if "document" in name else {"t": "iso"}
    narrow = ChromaHybridRetriever(vectorstore=retriever.vectorstore, **{name: where})
    result = narrow.search("E-4012 pump leaves oil")
    assert result.unmatched == ("E-4012", "leaves")
    # What they hold that nobody has is the same to whoever asks for it.
    absent = narrow.search("E-9999 pump leaves oil")
    assert [hit.id for hit in result.hits] == [hit.id for hit in absent.hits] == ["iso"]
    assert all(hit.relevance < THRESHOLD for hit in (*result.hits, *absent.hits))


def test_only_a_search_that_shows_it_looks(retriever):
    assert retriever.search("zebra", explain=False).unmatched == ()
    explained = retriever.invoke("zebra pump", explain=True)[0].metadata
    assert explained["chroma_hybrid_explanation"]["unmatched"] == ["zebra"]


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("e-4012", ("E-4012",)),
        ("pumps blocking", ("pump", "blocked")),
        ("PUMP leaf leaves", ("pump", "leaves")),
    ],
)
def test_matched_terms_are_words_of_the_text(retriever, query, terms):
    hits = retriever.search(query, mode="lexical").hits
    leg = next(hit for hit in hits if hit.id == "e4012").legs[0]
    assert leg.terms == terms


def test_terms_are_shown_of_hits_of_the_lexical_leg_only(retriever):
    result = retriever.search("pump", fetch_k=1)
    for hit in result.hits:
        leg = next(leg for leg in hit.legs if leg.name == "lexical")
        assert bool(leg.terms) is (leg.rank is not None)
    excluded = retriever.search("pump -shaft", query_syntax="simple")
    assert all("shaft" not in leg.terms for hit in excluded.hits for leg in hit.legs)


@pytest.mark.parametrize("make", [TantivyIndex, RankBM25Index], ids=["tantivy", "rank_bm25"])
def test_every_index_says_what_is_nowhere(make):
    index = make()
    index.apply([Record(id_, text) for id_, text in MANUAL.items()])
    weights = index.weights("pump zebra E-9999")
    assert {"pump", "zebra", "e-9999"} <= weights.keys()
    assert weights["e-9999"] > weights["zebra"] >= weights["pump"] >= 0.0
    assert index.max_score("pump zebra") > index.max_score("pump")
    assert index.max_score("zebra") == 0.0
    assert set(index.sample(4)) < MANUAL.keys()
    assert list(index.sample(4)) == list(index.sample(9))[:4]
    assert set(index.sample(99)) == MANUAL.keys()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("E-9999", {"e-9999", "e9999"}),
        ("R123-78", {"r123", "r123-78", "r12378"}),
        ("10.5-AB", {"10.5-ab", "10.5ab", "105ab"}),
        ("C++", {"c++"}),
        ("get_user", {"get", "user", "get_user", "getus"}),
    ],
)
def test_parts_that_say_little_are_no_terms_of_a_query(text, kept):
    analyzer = Analyzer()
    terms = {term.text for term in analyzer.query(text)}
    assert terms <= kept
    assert terms & kept
    # By itself, a part is a word as any other.
    assert {"e", "78", "c"} <= {term.text for term in analyzer.query("e 78 c")}


FOREIGN = [
    "¿Qué significa el error {} de la bomba?",
    "错误{}是什么意思？",
    "Please tell me urgently whatever somebody knows regarding {}",
    "Was bedeutet der Fehler {}?",
    "How do I fix {} on the pump?",
]
CODES = ["E-4003", "8110E", "995-EF", "K-7781", "CZ192A"]


@pytest.fixture(scope="module", params=[8, 60])
def codes(request):
    store = make_store()
    texts = [f"Error {code}: the pump of line {n} is blocked" for n, code in enumerate(CODES)]
    texts += [f"The valve of line {n} is open" for n in range(request.param)]
    store.add_texts(texts, ids=[*CODES, *(f"other{n}" for n in range(request.param))])
    yield ChromaHybridRetriever(vectorstore=store, k=4)
    store.delete_collection()


@pytest.mark.parametrize("frame", FOREIGN)
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("mode", MODES)
def test_words_that_nobody_has_take_nothing_from_an_identifier(codes, code, frame, mode):
    above = codes.search(frame.format(code), mode=mode, score_threshold=THRESHOLD).hits
    assert [hit.id for hit in above] == [code]


@pytest.mark.parametrize(
    ("query", "found", "unmatched"),
    [
        ("Compare E-4003 and K-7781", {"E-4003", "K-7781"}, ()),
        ("E-4003/K-7781", {"E-4003", "K-7781"}, ()),
        ("errors E-4003, K-7781, CZ192A", {"E-4003", "K-7781", "CZ192A"}, ()),
        ("E-4003 or E-9999", {"E-4003"}, ("E-9999",)),
        ("E-9998 and E-9999", set(), ("E-9998", "E-9999")),
    ],
)
def test_several_identifiers_have_an_answer_each(codes, query, found, unmatched):
    result = codes.search(query, score_threshold=THRESHOLD)
    assert {hit.id for hit in result.hits} == found
    assert {word for word in result.unmatched if "-" in word} == set(unmatched)


def test_the_last_word_of_a_long_text_may_be_the_one_that_counts():
    store = make_store()
    words = " ".join(f"word{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300))
    store.add_texts([f"{words} shows error E-1003", "something else"])
    result = store.explain(f"{words} shows error E-9999")
    assert result.unmatched == ("E-9999",)
    assert all(hit.relevance < THRESHOLD for hit in result.hits)


@pytest.mark.parametrize("mode", MODES)
def test_a_record_with_the_identifier_is_found_however_far_behind(mode):
    store = make_store()
    texts = [f"pump motor must be replaced {n}" for n in range(600)]
    store.add_texts([*texts, "K-7781"], ids=[*map(str, range(600)), "code"])
    query = "K-7781 pump motor must be replaced"
    for k in (1, 4):
        given = {"k": k, "mode": mode, "score_threshold": THRESHOLD}
        assert [hit.id for hit in store.explain(query, **given).hits] == ["code"]
