"""Spoken words are found at their second: the real Whisper base on synthetic speech."""

import re

import numpy as np
import pytest

pytest.importorskip("av", reason="sound and video need the extra `media`")

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal import MediaCollection, Whisper
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests import recordings, whisper
from tests.helpers import fresh_name

SENTENCES = (
    "The garden behind our house is full of tomatoes.",
    "My sister bought a new bicycle for the summer.",
    "The doctor asked me to drink more water.",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("faster_whisper")
    for part in whisper.PARTS:
        pytest.importorskip(part)
    return whisper.base(tmp_path_factory.mktemp("whisper"))


@pytest.mark.long
def test_a_phrase_finds_the_second_in_which_it_is_spoken(model, tmp_path):
    if not whisper.can_speak():
        pytest.skip("needs espeak-ng")
    pause = np.zeros(32_000, np.float32)
    said, starts = [], []
    for sentence in SENTENCES:
        starts.append(sum(map(len, said)) / 16_000)
        said += [whisper.speak(sentence, tmp_path / "one.wav"), pause]
    folder = tmp_path / "media"
    folder.mkdir()
    recordings.save(folder / "talk.ogg", sounds=[np.concatenate(said)], audio_codec="libopus")
    recordings.save_sound(folder / "silent.wav", "silence")
    archive = MediaCollection.open(
        fresh_name(), WordEmbeddings(), speech=Whisper(model, language="en", cpu_threads=2)
    )
    report = archive.sync(folder)
    assert len(report.added) == len(report.failed) == 1
    for phrase, start in zip(("tomatoes", "bicycle", "doctor water"), starts, strict=True):
        (best,) = archive.as_retriever().moments(phrase, mode="lexical")
        assert start - 0.5 <= best.moments[0].at <= start + 4.0
    archive.store.delete_collection()


@pytest.mark.long
def test_what_further_listenings_hear_lies_within_what_was_heard_first(model, tmp_path):
    if not whisper.can_speak():
        pytest.skip("needs espeak-ng")
    said = []
    for noun in ("pigeon", "kettle", "drawer", "belt"):
        sentence = f"Please do not forget the {noun}."
        said += [whisper.speak(sentence, tmp_path / "one.wav", "en-us+f3"), np.zeros(8_000)]
    sound = np.concatenate(said).astype(np.float32)
    found = list(Whisper(model, language="en", cpu_threads=2, listenings=3)(sound, 16_000))
    others = [cue for cue in found if re.fullmatch(r"\(.+\?\)", cue.text)]
    first = [cue for cue in found if cue not in others]
    assert others
    assert first
    for cue in others:
        assert any(line.start <= cue.start <= cue.end <= line.end for line in first)


@pytest.mark.long
def test_a_folder_that_is_no_model(model, tmp_path):
    (tmp_path / "model.bin").write_bytes(b"nothing")
    samples = np.ones(16_000, np.float32)
    with pytest.raises(InvalidArgumentError, match="Whisper model"):
        next(Whisper(tmp_path)(samples, 16_000))
