"""What an index that corrects typing errors has to do: subclass the suite in a test.

`make` gives an empty index at each call, as for `testing.lexical_suite`. Needs pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.lexical.protocol import TypoTolerant
from langchain_chroma_hybrid.lexical.typos import LEAST_RECORDS

Make = Callable[..., Any]

TEXTS = {
    "pumps": "Pumps move water uphill.",
    "kidney": "The kidney filters blood; kidneys fail.",
    "diabetes": "Diabetes mellitus needs insulin.",
    "valve": "A valve opens at low pressure.",
    "r123": "Spare part RX12345 is rare.",
    "russian": "Насосы качают воду",
    "german": "Die Größenangabe fehlt",
    "japanese": "東京タワーは高い",
}
FOUND = {
    "pumsp": ("pumps", "pumps"),
    "Pumsp uphill": ("pumps", "pumps"),
    "kidny": ("kidney", "kidney"),
    "kidmey": ("kidney", "kidney"),
    "kidnеy": ("kidney", "kidney"),  # the e is Cyrillic
    "diabetse": ("diabetes", "diabetes"),
    "dibetees": ("diabetes", "diabetes"),
    "presure-valve": ("valve", "pressure"),
    "насссы": ("russian", "насосы"),
    "Grössenangbe": ("german", "grossenangabe"),
    "INSULINN": ("diabetes", "insulin"),
}
# Too short, too far, another first letter, identifiers, digits, other scripts.
UNTOUCHED = ["pmup", "kydmey", "mumps", "idney", "RX12346", "12346", "valve_2", "京都塔台閣",
             "pump5s", "value@pumps.org", "p" * 70, "👩👩👩👩👩", "\ud800\ud800\ud800\ud800\ud800",
             "pumps", "kidney", ""]  # fmt: skip
HEARD = {
    "cellar": "the seller", "peach": "on the beach", "beetle": "a betel nut",
    "Knight": "at night", "glove": "love of a door",
}  # fmt: skip


def fillers() -> list[Record]:
    """So many records that a word which occurs nowhere may be mistyped."""
    return [Record(f"filler{n}", f"paper stone river {n}") for n in range(LEAST_RECORDS)]


def sought(index: Any, query: str, where: Any = None, *, sounds: bool = False) -> tuple[Any, Any]:
    """Corrections of a query, and the hits with them."""
    passing = parse(where)
    found = index.corrections(query, passing, sounds=sounds)
    return found, index.search(query, 9, where=passing, corrections=found)


class TypoTolerantSuite:
    """Override the fixture `make`."""

    def test_a_typo_finds_what_was_meant(self, make: Make) -> None:
        index = make()
        index.apply([*(Record(id_, text) for id_, text in TEXTS.items()), *fillers()])
        for query, (id_, word) in FOUND.items():
            found, hits = sought(index, query)
            assert [word in meant for meant in found.values()] == [True], query
            assert hits[0].id == id_, query
            assert 0 < hits[0].score <= hits.ceiling
            assert index.search("uphill " + query, 9, corrections=found)[0].score > 0
        for query in UNTOUCHED:
            assert index.corrections(query) == {}, query
        many = " ".join(word for query in FOUND for word in query.split())
        assert 0 < len(index.corrections(many)) <= 8

    def test_it_is_tolerant(self, make: Make) -> None:
        assert isinstance(make(), TypoTolerant)

    def test_a_small_index_is_taken_at_its_word(self, make: Make) -> None:
        index = make()
        index.apply([Record(id_, text) for id_, text in TEXTS.items()])
        assert index.corrections("pumsp") == {}

    @pytest.mark.parametrize("sounds", [True, False])
    def test_two_words_that_were_written_as_one(self, make: Make, *, sounds: bool) -> None:
        index = make()
        texts = ["a lady bird", "eine Kaffee Tasse", "the Tea Pot"]
        others = "bird, tall lady, tasse, kaffee, a pot of tea, the rapist of whom we read"
        index.apply([Record(f"{n}", text) for n, text in enumerate(texts)])
        index.apply([Record("others", others)])
        for n, typed in enumerate(("ladybird", "Kaffeetasse", "teapot")):
            found, hits = sought(index, typed, sounds=sounds)
            assert [len(meant) for meant in found.values()] == [1]
            assert [hit.id for hit in hits] == [f"{n}"]
            assert 0 < hits[0].score <= hits.ceiling
            assert index.search(typed, 9) == []
        for typed in ("birdlady2", "bird-lady2", "therapist"):
            assert index.corrections(typed) == {}

    def test_few_neighbours_the_most_frequent(self, make: Make) -> None:
        index = make()
        words = ["haste", "paste", "pasta", "pasty", "pastel", "waste"]
        index.apply([Record(f"{w}{n}", w) for i, w in enumerate(words) for n in range(i + 1)])
        index.apply(fillers())
        found, hits = sought(index, "pastx")
        assert found == {"pastx": ("pasty", "pasta", "paste")}
        assert {hit.id[:-1] for hit in hits} == {"pasty", "pasta", "paste"}
        assert hits[0].score <= hits.ceiling

    def test_what_does_not_pass_changes_no_correction(self, make: Make) -> None:
        index = make()
        own = {"none": ["valve"], "fewer": ["pasta"], "further": ["installation"],
               "typed": ["pumps"], "form": ["kidney"], "often": ["waste", "wasty", "wasty"],
               "two": ["a lady bird"]}  # fmt: skip
        hidden = ["turbine", "pasty", "pasty", "paste", "paste", "instalation", "pumsp", "kidneys"]
        hidden += ["waste"] * 9 + ["bird of the ladys"]
        records = [(text, case) for case, texts in own.items() for text in texts]
        records += [(text, "others") for text in hidden]
        index.apply([Record(f"{n}", text, {"t": t}) for n, (text, t) in enumerate(records)])
        index.apply(fillers())
        cases = {"none": ("turbime", ()), "fewer": ("pastx", ("pasta",)), "form": ("kidneis", ()),
                 "further": ("instalaton", ("installation",)), "typed": ("pumsp", ("pumps",)),
                 "often": ("wastx", ("wasty", "waste")), "two": ("ladybird", ("lady bird",)),
                 "others": ("ladybird", ())}  # fmt: skip
        for case, (typed, meant) in cases.items():
            found, hits = sought(index, typed, {"t": case})
            assert found == ({typed: meant} if meant else {}), case
            assert bool(hits) == bool(meant)

    def test_words_that_were_heard(self, make: Make) -> None:
        index = make()
        index.apply([Record(text, text, {"n": 1}) for text in HEARD.values()])
        index.apply([Record("more", "trek to I R124, a nut to note, a medal", {"n": 2})])
        for word, text in HEARD.items():
            found, hits = sought(index, word, sounds=True)
            assert [hit.id for hit in hits] == [text]
            assert index.corrections(word) == {}
            assert index.corrections(word, parse({"n": 2}), sounds=True) == {}
            assert index.corrections(word, parse({"n": 1}), sounds=True) == found
        for word in ("drawer", "meadow", "eye", "поезд", "R123-78", "c" * 70, "ooooo"):
            assert index.corrections(word, sounds=True) == {}

    def test_a_commit_changes_what_occurs(self, make: Make) -> None:
        index = make()
        index.apply([Record("a", "a lady bird", {"t": 1}), Record("b", "bird lady", {"t": 2})])
        assert index.corrections("ladybird") == {"ladybird": ("lady bird",)}
        index.apply([Record("c", "ladybird", {"t": 2})])
        assert index.corrections("ladybird") == {}
        assert index.corrections("ladybird", parse({"t": 1})) == {"ladybird": ("lady bird",)}
        index.apply([], ["a", "c"])
        assert index.corrections("ladybird") == {}
