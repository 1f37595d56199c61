"""A word that occurs in no record finds those that are spelt almost like it."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.core.relevance import THRESHOLD
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.typos import LEAST_RECORDS
from tests.helpers import MODES, WordEmbeddings, fresh_name, make_store

TEXTS = {
    "pumps": "Pumps move water uphill.",
    "kidney": "The kidney filters blood; kidneys fail.",
    "diabetes": "Diabetes mellitus needs insulin.",
    "valve": "A valve opens at low pressure.",
    "secret": "The turbine is secret.",
    "r123": "Spare part RX12345 is rare.",
    "russian": "Насосы качают воду",
    "german": "Die Größenangabe fehlt",
    "japanese": "東京タワーは高い",
}
FILLERS = {f"filler{n}": f"paper stone river {n}" for n in range(LEAST_RECORDS)}
FOUND = [
    ("pumsp", "pumps", "pumps"),
    ("Pumsp uphill", "pumps", "pumps"),
    ("kidny", "kidney", "kidney"),
    ("kidnney", "kidney", "kidney"),
    ("kidmey", "kidney", "kidney"),
    ("diabetse", "diabetes", "diabetes"),
    ("diabtees", "diabetes", "diabetes"),
    ("dibetees", "diabetes", "diabetes"),
    ("valev", "valve", "valve"),
    ("presure-valve", "valve", "pressure"),
    ("насссы", "russian", "насосы"),
    ("Grössenangbe", "german", "grossenangabe"),
    ("Größennangabe", "german", "grossenangabe"),
    ("INSULINN", "diabetes", "insulin"),
]
# Too short, too far, another first letter, identifiers, digits.
UNTOUCHED = ["pmup", "kydmey", "mumps", "idney", "RX12346", "rx1234", "12346", "valve_2", "fumps",
             "京都塔台閣", "pump5s", "value@pumps.org", "c++x", "p" * 70, "👩👩👩👩👩"]  # fmt: skip


def texts():
    return {**TEXTS, **FILLERS}


@pytest.fixture(scope="module")
def retriever():
    store = make_store()
    metadata = [{"t": id_ if id_ in TEXTS else "filler"} for id_ in texts()]
    store.add_texts([*texts().values()], ids=[*texts()], metadatas=metadata)
    yield ChromaHybridRetriever(vectorstore=store, k=4)
    store.delete_collection()


@pytest.mark.parametrize(("query", "id_", "word"), FOUND)
def test_a_typo_finds_what_was_meant(retriever, query, id_, word):
    result = retriever.search(query, mode="lexical")
    assert result.hits[0].id == id_
    (typed,) = result.unmatched
    assert word in result.corrections[typed]
    assert result.hits[0].fused < 0.6, "it counts as missing in the ceiling"
    without = retriever.search(query, mode="lexical", typos=False)
    assert without.corrections == {}
    assert without.unmatched == result.unmatched


@pytest.mark.parametrize("query", UNTOUCHED)
@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_taken_for_a_typo(retriever, query, mode):
    result = retriever.search(query, mode=mode)
    assert result.corrections == {}
    off = retriever.search(query, mode=mode, typos=False)
    assert (result.hits, result.unmatched) == (off.hits, off.unmatched)


@pytest.mark.parametrize("query", ["pumps", "kidney valve", "diabetes"])
@pytest.mark.parametrize("mode", MODES)
def test_words_that_occur_are_left_alone(retriever, query, mode):
    result = retriever.search(query, mode=mode)
    assert result.corrections == {}
    old = retriever.search(query, mode=mode, typos=False)
    assert [(h.id, h.fused, h.relevance) for h in old.hits] == [
        (h.id, h.fused, h.relevance) for h in result.hits
    ]


def test_only_plain_words_and_only_where_asked(retriever):
    simple = retriever.search("pumsp", query_syntax="simple", mode="lexical")
    assert simple.hits == ()
    assert simple.corrections == {}
    result = retriever.search("pumsp", mode="lexical")
    assert [result.hits[0].record.text[s:e] for s, e in result.hits[0].spans] == ["Pumps"]
    assert retriever.search("pumsp", explain=False).corrections == {"pumsp": ("pumps",)}
    explained = retriever.invoke("pumsp", explain=True, mode="lexical")[0].metadata
    assert explained["chroma_hybrid_explanation"]["corrections"] == {"pumsp": ["pumps"]}


TENANTS = {
    # Typed, what the tenant has, what others have that would come first or stand in the way.
    "none": ("turbime", ["valve"], ["turbine"] * 3, ()),
    "fewer": ("pastx", ["pasta"], ["pasty"] * 5 + ["paste"] * 4 + ["pasts"] * 3, ("pasta",)),
    "further": ("instalaton", ["installation"], ["instalation"] * 3, ("installation",)),
    "as typed": ("pumsp", ["pumps"], ["pumsp"] * 3, ("pumps",)),
    "a form": ("kidneis", ["kidney"], ["kidneys"] * 3, ()),
    "frequency": ("wastx", ["waste", "wasty", "wasty"], ["waste"] * 9, ("wasty", "waste")),
}


@pytest.fixture(scope="module")
def shared():
    rows = [(text, case) for case, (_, own, _, _) in TENANTS.items() for text in own]
    rows += [(text, "others") for *_, hidden, _ in TENANTS.values() for text in hidden]
    rows += [(text, "others") for text in FILLERS.values()]
    store = make_store()
    store.add_texts([text for text, _ in rows], metadatas=[{"t": case} for _, case in rows])
    yield store
    store.delete_collection()


@pytest.mark.parametrize("name", ["filter", "base_filter"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", TENANTS)
def test_hidden_records_change_no_correction(shared, name, mode, case):
    typed, own, _, told = TENANTS[case]
    retriever = ChromaHybridRetriever(vectorstore=shared, mode=mode, **{name: {"t": case}})
    result = retriever.search(typed)
    assert result.unmatched == (typed,)
    assert result.corrections == ({typed: told} if told else {})
    assert {hit.record.text for hit in result.hits} <= set(own)
    assert all(hit.fused <= 1.0 for hit in result.hits)
    if mode == "lexical":
        assert {hit.record.text for hit in result.hits} == set(told)


HEARD = {
    "cellar": "the seller",
    "peach": "on the beach",
    "ankle": "her uncle",
    "beetle": "a betel nut",
    "Knight": "at night",
    "pear": "what a pair",
    "valley": "volley after volley",
    "vase": "a face",
    "glove": "love of a door",
    "broom": "in the room",
}
# Two sounds away; few sounds, one away; one sound; other scripts; identifiers.
NOT_HEARD = ["drawer", "meadow", "tractor", "eye", "поезд", "駅東京駅東京", "R123-78", "12345",
             "c" * 70, "ooooo", "hhhhh"]  # fmt: skip


@pytest.fixture(scope="module")
def heard():
    store = make_store()
    rows = [*HEARD.values(), "trek to I R124", "a nut to note", "a medal"]
    store.add_texts(rows, metadatas=[{"n": n} for n in range(len(rows))])
    yield ChromaHybridRetriever(vectorstore=store, k=3, typos="sound")
    store.delete_collection()


@pytest.mark.parametrize(("word", "text"), HEARD.items())
def test_a_word_that_was_heard_as_another(heard, word, text):
    result = heard.search(word, mode="lexical")
    assert [hit.record.text for hit in result.hits] == [text]
    assert result.unmatched == (word,)
    assert result.hits[0].fused <= 0.5, "it counts as missing in the ceiling"
    assert heard.search(word, mode="lexical", typos=True).hits == ()
    hidden = heard.search(word, mode="lexical", filter={"n": {"$gte": len(HEARD)}})
    assert (hidden.hits, hidden.corrections) == ((), {})


@pytest.mark.parametrize("word", NOT_HEARD)
def test_what_sounds_like_nothing(heard, word):
    for mode in MODES:
        assert heard.search(word, mode=mode).corrections == {}


@pytest.mark.parametrize("typos", ["sounds", None, 1, "True"])
def test_other_values_are_an_error(heard, typos):
    with pytest.raises(InvalidArgumentError, match=r"typos: expected True, False or 'sound'"):
        heard.search("cellar", typos=typos)


def test_every_face_can_turn_it_off():
    store = HybridChroma(fresh_name(), WordEmbeddings(), typos=False, mode="lexical")
    store.add_texts([*texts().values()], ids=[*texts()])
    try:
        assert store.similarity_search("pumsp") == []
        assert store.similarity_search("pumsp", typos=True)[0].id == "pumps"
        retriever = store.as_retriever(search_kwargs={"typos": True})
        assert retriever.invoke("pumsp")[0].id == "pumps"
        assert ChromaHybridRetriever(vectorstore=store, typos=False, mode="lexical").invoke(
            "pumsp"
        ) == []
    finally:
        store.delete_collection()


NAMES = {
    **dict.fromkeys(("Kleimann", "Pampas", "Kidston"), 0),
    **dict.fromkeys(("Turbina", "Diabetis", "Kidnee", "Valvo"), 1),
}


@pytest.mark.parametrize(("name", "corrected"), NAMES.items())
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("frame", ["{}", "Who is {}?"])
def test_a_name_that_occurs_nowhere_gets_no_confident_answer(
    retriever, name, corrected, mode, frame
):
    result = retriever.search(frame.format(name), mode=mode)
    assert len(result.corrections) == corrected
    assert all(hit.relevance < THRESHOLD for hit in result.hits)
