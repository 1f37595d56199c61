"""What is said and when, from every kind of transcript; and speech as cues."""

import json

import numpy as np
import pytest

from langchain_chroma_hybrid.errors import InvalidArgumentError, MediaError
from langchain_chroma_hybrid.multimodal import Cue, read_transcript

SRT = """\ufeff1
00:00:01,000 --> 00:00:02,500 X1:40 X2:600
<i>The tomato</i>
{\\an8}is red &amp; round

2
01:02:03,5 --> 01:02:04,000
Later

3
00:00:09,000 --> 00:00:08,000
Ends before it begins
4
00:00:05,000 --> 00:00:06,000
No empty line above
"""
VTT = """WEBVTT - a title

NOTE a remark

intro
00:01.000 --> 00:02.500 align:start
<v Ann>The tomato</v> is red &amp; round

01:02:03.500 --> 01:02:04.000
Later

00:05.000 --> 00:06.000
No empty line above
"""
ASS = """[Script Info]
Title: x
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,1:02:03.50,1:02:04.00,Default,,0,0,0,,Later
Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,Not said
Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,{\\b1}The tomato{\\b0}\\Nis red & round
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,No empty line above
Dialogue: 0,nonsense,0:00:06.00,Default,,0,0,0,,No time
"""
SEGMENTS = [
    {"start": 1.0, "end": 2.5, "text": " The tomato\nis red & round"},
    {"start": 3723.5, "end": 3724.0, "text": "Later", "words": []},
    {"start": 5.0, "end": 6.0, "text": "No empty line above"},
    {"start": "x", "end": 1, "text": "no time"},
    {"start": 1, "end": float("inf"), "text": "no end"},
    {"text": None},
    "no segment",
]
CPP = [
    {"offsets": {"from": int(s["start"] * 1000), "to": int(s["end"] * 1000)}, "text": s["text"]}
    for s in SEGMENTS[:3]
]
EXPECTED = [
    Cue(1.0, 2.5, "The tomato is red & round"),
    Cue(5.0, 6.0, "No empty line above"),
    Cue(3723.5, 3724.0, "Later"),
]


@pytest.mark.parametrize(("name", "text"), [
    ("a.srt", SRT),
    ("a.vtt", VTT),
    ("a.ass", ASS),
    ("a.json", json.dumps({"text": "", "segments": SEGMENTS})),
    ("a.json", json.dumps(SEGMENTS)),
    ("a.json", json.dumps({"transcription": CPP})),
])  # fmt: skip
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_kind_says_the_same(tmp_path, name, text, ending):
    path = tmp_path / name
    path.write_bytes(text.replace("\n", ending).encode("utf-8"))
    assert read_transcript(path) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    path = tmp_path / "a.srt"
    path.write_bytes("1\n00:01,0 --> 00:02,0\nGrüße – ja\n".encode(encoding))
    assert read_transcript(path) == [Cue(1.0, 2.0, "Grüße – ja")]


@pytest.mark.parametrize("data", [b"{", b"7", b"[" * 100_000, b'{"a": 1}', b'[{"start": []}]', b""])
def test_json_that_is_no_transcript_says_nothing(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    assert read_transcript(tmp_path / "a.json") == []


@pytest.mark.parametrize("data", [b"", b"\0" * 1000, b"no time at all", b"--> " * 10_000])
def test_what_has_no_time_is_no_transcript(tmp_path, data):
    (tmp_path / "a.srt").write_bytes(data)
    with pytest.raises(MediaError, match=r"a\.srt"):
        read_transcript(tmp_path / "a.srt")


def test_no_such_file(tmp_path):
    with pytest.raises(MediaError, match="existing file"):
        read_transcript(tmp_path / "lost.srt")
    with pytest.raises(MediaError, match="regular file"):
        read_transcript(tmp_path)


# Speech


def heard(speech, seconds):
    """What `speech` makes of seconds with a tone, with a pause at 112 s."""
    from langchain_chroma_hybrid.embeddings.media.sounds import Track
    from langchain_chroma_hybrid.multimodal.speech import RATE, transcribed

    time = np.arange(round(seconds * RATE)) / RATE
    samples = np.sin(time * 3000).astype(np.float32)
    samples[round(112 * RATE) : round(112.2 * RATE)] = 0
    pieces = (
        (at / RATE, samples[at : at + 5000]) for at in range(0, len(samples), 5000)
    )
    return transcribed(Track(pieces, RATE), speech)


def test_long_sound_is_handed_over_in_parts_that_end_in_a_pause():
    given = []

    def speech(samples, rate):
        given.append(len(samples) / rate)
        yield 1.0, 2.0, f"part {len(given)}"

    found = heard(speech, 150)
    assert sum(given) == pytest.approx(150)
    assert given[0] == pytest.approx(112.1, abs=0.1)
    assert [cue.text for cue in found] == ["part 1", "part 2"]
    assert found[1].start == pytest.approx(given[0] + 1)


def test_one_string_is_said_all_the_time():
    assert heard(lambda samples, rate: " Hello\nthere ", 3) == [Cue(0.0, 3.0, "Hello there")]
    assert heard(lambda samples, rate: [Cue(1.0, 2.0, "Hello")], 3) == [Cue(1.0, 2.0, "Hello")]
    assert heard(lambda samples, rate: None, 3) == []


@pytest.mark.parametrize("answer", [7, [1], ["abc"], [("a", 1, "b")], [(1, 2)]])
def test_a_speech_function_that_gives_something_else(answer):
    with pytest.raises(InvalidArgumentError, match="speech"):
        heard(lambda samples, rate: answer, 3)


@pytest.mark.parametrize("error", [ValueError("no model"), TypeError("no device"), OSError("full")])
def test_what_a_speech_function_raises_stays_as_it_is(error):
    def speech(samples, rate):
        yield 0.0, 1.0, "Hello"
        raise error

    with pytest.raises(type(error), match=str(error)):
        heard(speech, 3)


def test_whisper_says_what_it_lacks(monkeypatch):
    import sys

    from langchain_chroma_hybrid.errors import MissingDependencyError
    from langchain_chroma_hybrid.multimodal import Whisper

    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingDependencyError, match=r"\[speech\]"):
        heard(Whisper(), 1)
    for wrong in ("", 3, None):
        with pytest.raises(InvalidArgumentError, match="model"):
            Whisper(wrong)
    with pytest.raises(InvalidArgumentError, match="rate"):
        next(Whisper()(np.zeros(10, np.float32), 8000))


def srt(path, text):
    path.write_text(text, encoding="utf-8")
    return [(cue.start, cue.end, cue.text) for cue in read_transcript(path)]


def test_numbers_without_an_empty_line_above_are_not_said(tmp_path):
    text = "1\n00:00:01,000 --> 00:00:02,000\nRoom\n101\n2\n00:00:03 --> 00:00:04\nWorld\n"
    assert srt(tmp_path / "a.srt", text) == [(1.0, 2.0, "Room 101"), (3.0, 4.0, "World")]


@pytest.mark.parametrize(("said", "expected"), [
    ("if 2 < 3 and 5 > 4 then", "if 2 < 3 and 5 > 4 then"),
    ("{name} in C:\\New\\notes", "{name} in C:\\New\\notes"),
    ("<script>alert(1)</script><c.yellow>a</c><00:00:01.500> b", "alert(1)a b"),
    ("&lt;b&gt; a\0b", "<b> a b"),
    ('<font color="#fff">{\\an8}a</font>', "a"),
])  # fmt: skip
def test_marks_are_taken_out_and_nothing_else(tmp_path, said, expected):
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n"
    assert srt(tmp_path / "a.srt", text) == [(1.0, 2.0, expected)]


@pytest.mark.parametrize("times", [
    "-00:00:02,000 --> 00:00:03,000", "00:00:03,000 --> -00:00:02,000",
    "999:00:00,000 --> 999:00:01,000", "00:00:03,000 --> 00:00:02,000", "99999:00:00 --> 0",
    "00:00:aa --> 00:00:bb",
])  # fmt: skip
def test_times_that_are_none_are_left_out(tmp_path, times):
    text = f"1\n{times}\nNo\n\n2\n00:00:09,5 --> 00:00:10,1234567\nYes\n"
    assert srt(tmp_path / "a.srt", text) == [(9.5, 10.1234567, "Yes")]


def test_what_is_said_at_one_instant_or_over_all_of_it(tmp_path):
    """A caption of the whole film keeps none from its own segment."""
    pytest.importorskip("av")
    from langchain_chroma_hybrid.multimodal import MediaCollection
    from langchain_chroma_hybrid.testing import WordEmbeddings
    from tests import recordings
    from tests.helpers import fresh_name

    said = [(0, 30, "film"), (20, 20, "instant"), (1, 2, "early"), (21, 22, "late"),
            (500, 501, "afterwards")]  # fmt: skip
    recordings.save_video(tmp_path / "a.mp4", "red", "blue", "green", seconds=10, rate=2)
    recordings.subtitles(tmp_path / "a.srt", *said)
    for model in (recordings.embeddings(), WordEmbeddings()):
        archive = MediaCollection.open(fresh_name(), model)
        archive.sync(tmp_path)
        for start, _, text in said:
            (found,) = archive.as_retriever(k=1).moments(text, mode="lexical")
            best = found.moments[0]
            assert best.at <= best.end
            if text != "afterwards":
                assert best.at == pytest.approx(start, abs=1.0)
            if text in ("early", "late", "instant"):
                assert best.start <= best.at
        archive.store.delete_collection()
    recordings.subtitles(tmp_path / "a.srt", (5, 5, "alone"))
    archive = MediaCollection.open(fresh_name(), WordEmbeddings())
    archive.sync(tmp_path)
    assert len(archive.search("alone", mode="lexical")) == 1
    archive.store.delete_collection()
