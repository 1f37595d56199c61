"""What further listenings hear otherwise stands beside what was heard first."""

import sys
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

pytest.importorskip("av", reason="sound and video need the extra `media`")

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal import Cue, MediaCollection, Whisper
from tests import recordings
from tests.helpers import fresh_name

SECOND = np.ones(16_000, np.float32)


class Word(NamedTuple):
    start: float
    end: float
    word: str


class Segment(NamedTuple):
    words: list[Word] | None


class Facts(NamedTuple):
    language: str


def spoken(text, start=0.0, each=0.5):
    """Words of half a second, as Whisper has them: with a space before each."""
    return [
        Word(start + at * each, start + (at + 1) * each, f" {word}")
        for at, word in enumerate(text.split())
    ]


@pytest.fixture
def hears(monkeypatch):
    """Let the model hear, at each listening, the next of these lists of words, at its speed."""

    def scripted(*listenings, language="en"):
        asked = []

        class WhisperModel:
            def __init__(self, name, **options):
                self.supported_languages = ["de", "en"]

            def transcribe(self, samples, **options):
                words = listenings[len(asked) % len(listenings)]
                asked.append({**options, "samples": samples})
                speed = len(asked[0]["samples"]) / len(samples)
                at_speed = [Word(w.start / speed, w.end / speed, w.word) for w in words]
                return iter([Segment(at_speed), Segment(None)]), Facts(language)

        module = SimpleNamespace(WhisperModel=WhisperModel)
        monkeypatch.setitem(sys.modules, "faster_whisper", module)
        return asked

    return scripted


def listened(times, **options):
    return list(Whisper(listenings=times, **options)(SECOND, 16_000))


def texts(times=2, **options):
    return [cue.text for cue in listened(times, **options)]


FIRST = "I have seen the wind oh anywhere."


def test_what_is_heard_otherwise_stands_behind_its_line_with_its_own_times(hears):
    asked = hears(spoken(FIRST), spoken("I have seen the window anywhere."))
    assert listened(2) == [Cue(0.0, 3.5, FIRST), Cue(2.0, 2.5, "(window?)")]
    assert [each.get("temperature") for each in asked] == [None, 0.0]
    assert [each["language"] for each in asked] == [None, "en"]


def test_one_listening_is_the_default_and_asks_once(hears):
    asked = hears(spoken(FIRST), spoken("I have seen the window anywhere."))
    assert list(Whisper(beam_size=3)(SECOND, 16_000)) == [Cue(0.0, 3.5, FIRST)]
    assert [each["beam_size"] for each in asked] == [3]


def test_each_listening_adds_what_no_other_heard(hears):
    hears(
        spoken(FIRST),
        spoken("I have seen the window anywhere."),
        spoken("I have seen a window in where."),
        spoken("I have seen the widow anywhere."),
    )
    assert texts(4) == [FIRST, "(window?)", "(widow?)"]


def test_every_listening_is_at_a_speed_of_its_own(hears):
    asked = hears(spoken(FIRST))
    listened(5)
    lengths = [len(each["samples"]) for each in asked]
    assert lengths[0] == len(SECOND)
    assert len(set(lengths)) == 5
    assert all(each["samples"].dtype == np.float32 for each in asked)


@pytest.mark.parametrize("again", [
    FIRST,
    FIRST.upper(),
    "i, have. seen: the 'wind' -- oh - ANYWHERE!",
    "Í hàve séen the wind oh anywhere",
    "I have seen the the the wind wind oh anywhere anywhere.",
    "I had seen this winds oh anywhere.",  # other function words, another form
    "",
    "... ♪ —",
])  # fmt: skip
def test_nothing_new_is_no_alternative(hears, again):
    hears(spoken(FIRST), spoken(again))
    assert texts() == [FIRST]


def test_a_word_that_was_first_heard_long_before_is_new_again(hears):
    first = "The window was shut so nobody saw the wind oh."
    hears(spoken(first), spoken("The window was shut so nobody saw the window."))
    assert texts() == [first, "(window?)"]


def test_the_same_words_a_little_later_are_not_new(hears):
    hears(spoken(FIRST), spoken(FIRST, start=0.4))
    assert texts() == [FIRST]


def test_neighbours_are_one_alternative_without_function_words_around(hears):
    hears(spoken("And then the part weld was cut."), spoken("And then our big R twelve, was cut."))
    assert texts() == ["And then the part weld was cut.", "(big R twelve?)"]


def test_no_alternative_reaches_over_the_end_of_a_line(hears):
    hears(spoken("Look at the moon. Cows are here."), spoken("Look at the room house is here."))
    assert listened(2) == [
        Cue(0.0, 2.0, "Look at the moon."),
        Cue(1.5, 2.0, "(room?)"),
        Cue(2.0, 3.5, "Cows are here."),
        Cue(2.01, 2.5, "(house?)"),  # behind its line, which begins with it
    ]


def test_a_loop_is_told_once(hears):
    again = "I have seen " + "window " * 40
    hears(spoken(FIRST), spoken(again, each=0.08))
    assert texts().count("(window?)") == 1


def test_where_nothing_was_heard_first_nothing_is_believed(hears):
    hears(spoken("A dog barks."), spoken("A dog barks. Thank you for watching", start=0.0))
    assert [cue.text for cue in listened(2)] == ["A dog barks.", "(Thank?)"]  # within half a second
    hears(spoken("A dog barks."), spoken("Subscribe to my channel", start=20.0))
    assert texts() == ["A dog barks."]


def test_silence_is_listened_to_once(hears):
    asked = hears([], spoken("Thank you for watching"))
    assert listened(3) == []
    assert len(asked) == 1


def test_marks_of_letters_belong_to_words_and_any_language_is_heard(hears):
    hears(spoken("यह पानी है।"), spoken("यह नदी है।"), language="hi")
    assert texts() == ["यह पानी है।", "(नदी?)"]
    words = [Word(0.0, 0.5, "東"), Word(0.5, 1.0, "京"), Word(1.0, 1.5, "塔。")]
    again = [Word(0.0, 0.5, "東"), Word(0.5, 1.0, "洋"), Word(1.0, 1.5, "堂。")]
    hears(words, again, language="ja")
    assert texts() == ["東京塔。", "(洋堂?)"]


@pytest.mark.parametrize("wrong", [0, -1, 6, True, 1.5, "2", None])
def test_there_are_one_to_five_listenings(wrong):
    with pytest.raises(InvalidArgumentError, match="listenings: expected a whole number from 1"):
        Whisper(listenings=wrong)


def test_an_alternative_finds_its_second(hears, tmp_path):
    later = spoken("Please do not forget the cellar.", start=2.0)
    recordings.save_sound(tmp_path / "talk.wav", "low", seconds=6.0)
    heard_first = spoken("Good morning.") + spoken("Please do not forget the sailor.", start=2.0)
    hears(heard_first, spoken("Good morning.") + later)
    archive = MediaCollection.open(
        fresh_name(), recordings.embeddings(), speech=Whisper(listenings=2)
    )
    archive.sync(tmp_path)
    (best,) = archive.as_retriever(typos=False).moments("cellar", mode="lexical")
    assert best.moments[0].at == pytest.approx(4.5, abs=0.1)
    assert best.moments[0].text.split("\n") == [
        "Good morning.", "Please do not forget the sailor.", "(cellar?)",
    ]  # fmt: skip
    archive.store.delete_collection()


@pytest.mark.parametrize(("name", "wrong"), [
    ("beam_size", 0), ("beam_size", "5"), ("beam_size", True), ("cpu_threads", -1),
    ("cpu_threads", "x"), ("device", 0), ("compute_type", None),
])  # fmt: skip
def test_what_whisper_cannot_be_told_is_said_at_once(name, wrong):
    with pytest.raises(InvalidArgumentError, match=f"{name}: expected"):
        Whisper(**{name: wrong})


@pytest.mark.parametrize("wrong", ["xx", "english", "", 5])
def test_a_language_that_the_model_does_not_know(hears, wrong):
    hears(spoken(FIRST))
    assert listened(1, language="de")
    with pytest.raises(InvalidArgumentError, match="language: expected None, or one of de, en"):
        listened(1, language=wrong)


@pytest.mark.parametrize("wrong", [np.zeros(10, np.int16), np.zeros((2, 9), np.float32)])
def test_samples_of_another_kind(hears, wrong):
    hears(spoken(FIRST))
    with pytest.raises(InvalidArgumentError, match=r"samples: expected float32 of shape \(n,\)"):
        Whisper()(wrong, 16_000)
