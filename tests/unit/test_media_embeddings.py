"""embed_audio and embed_video: CLAP by Sentence Transformers, functions, windows, pooling."""

import asyncio

import numpy as np
import pytest

pytest.importorskip("av", reason="sound and video need the extra `media`")

from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError, MediaError
from tests import recordings, sounds
from tests.pictures import recall
from tests.unit import colours


@pytest.fixture(scope="module")
def clap():
    pytest.importorskip("sentence_transformers")
    return sounds.clap()


@pytest.fixture(scope="module")
def heard(clap):
    return clap.audio_vectors([(sounds.render(name, 1), sounds.RATE) for name in sounds.NAMES])


def test_words_find_sounds_that_training_never_heard(clap, heard):
    texts = clap.document_vectors(list(sounds.NAMES))
    assert len(sounds.NAMES) == 33
    assert recall(texts, heard, 1) > 0.8  # chance: 0.03
    assert recall(texts, heard, 3) > 0.9
    assert recall(heard, texts, 1) > 0.8


def test_a_sound_finds_its_like(clap, heard):
    other = clap.audio_vectors([(sounds.render(name, 2), sounds.RATE) for name in sounds.NAMES])
    assert recall(other, heard, 1) > 0.6


def test_a_sound_is_heard_whole_whatever_the_batch(clap, heard):
    """Sentence Transformers would cut it to as many samples as a text may have tokens."""
    alone = clap.audio_vectors([(sounds.render(sounds.NAMES[0], 1), sounds.RATE)])
    assert np.allclose(alone[0], heard[0], atol=1e-4)
    assert np.abs(heard @ heard.T - np.eye(len(heard))).mean() < 0.5


def test_what_a_clap_knows_of_itself(clap, tmp_path):
    assert (clap.hears, clap.sees, clap.picture_size) == (True, False, None)
    assert clap.hearing == (16_000, 4.0)
    colours.save(tmp_path, "red.png")
    with pytest.raises(InvalidArgumentError, match="texts and pictures"):
        clap.embed_image([tmp_path / "red.png"])
    with pytest.raises(InvalidArgumentError, match="texts and pictures"):
        clap.embed_video([recordings.save_video(tmp_path / "a.mp4", "red")])


def test_a_clip_hears_nothing():
    from tests.pictures import clip

    assert (clip().hears, clip().sees) == (False, True)
    with pytest.raises(InvalidArgumentError, match="texts and sounds"):
        clip().embed_audio([(recordings.tone("low"), recordings.RATE)])


def test_long_sounds_are_the_mean_of_their_windows_without_silence(tmp_path):
    given = []

    def hear(some):
        given.extend(some)
        return recordings.pitches(some)

    pair = MultimodalEmbeddings(text_fn=colours.texts, audio_fn=hear, window=2.0, batch_size=2)
    path = recordings.save_sound(tmp_path / "a.wav", "low", "silence", "high", seconds=3)
    (found,) = pair.audio_vectors([path])
    assert {len(samples) for samples in given} <= {16_000, 32_000}
    assert len(given) == 4
    assert found[0] == pytest.approx(found[2], abs=0.25)
    assert np.linalg.norm(found) == pytest.approx(1)
    assert pair.embed_audio([path]) == [pytest.approx(found.tolist())]
    assert asyncio.run(pair.aembed_audio([path])) == pair.embed_audio([path])


def test_rates_channels_and_types_are_brought_to_one():
    pair = recordings.embeddings()
    time = np.arange(48_000 * 2) / 48_000
    wave = 0.5 * np.sin(2 * np.pi * 600 * time)
    forms = [wave, wave.astype(np.float32), (wave * 32767).astype(np.int16),
             np.stack([wave, wave], axis=1)]  # fmt: skip
    found = pair.audio_vectors([(form, 48_000) for form in forms])
    assert np.allclose(found, found[0], atol=0.01)
    assert (found @ pair.query_vector("middle")).min() > 0.9


def test_a_video_is_the_mean_of_its_frames(tmp_path):
    pair = recordings.embeddings()
    path = recordings.save_video(tmp_path / "a.mp4", "red", "blue", seconds=2)
    (found,) = pair.video_vectors([path])
    assert found[0] == pytest.approx(found[2], abs=0.05)
    assert asyncio.run(pair.aembed_video([path])) == pair.embed_video([path])


@pytest.mark.parametrize("given", [[], "a.mp4", b"x", None, 3])
def test_no_lists(given):
    pair = recordings.embeddings()
    with pytest.raises(InvalidArgumentError, match="videos"):
        pair.embed_video(given)
    with pytest.raises(InvalidArgumentError, match="sounds"):
        pair.embed_audio(given)


def test_the_first_that_cannot_be_read_is_named(tmp_path):
    pair = recordings.embeddings()
    path = recordings.save_sound(tmp_path / "a.wav", "low")
    with pytest.raises(MediaError, match=r"lost\.wav"):
        pair.embed_audio([path, tmp_path / "lost.wav"])
    with pytest.raises(MediaError, match=r"a\.wav"):
        pair.embed_video([path])
    with pytest.raises(MediaError, match="silence"):
        pair.embed_audio([(recordings.tone("silence"), recordings.RATE)])


@pytest.mark.parametrize("given", [
    {"text_fn": colours.texts, "audio_fn": 5},
    {"audio_fn": colours.images},
    {"text_fn": colours.texts, "audio_fn": colours.images, "sampling_rate": 0},
    {"text_fn": colours.texts, "audio_fn": colours.images, "window": "x"},
])  # fmt: skip
def test_functions_that_are_none(given):
    with pytest.raises(InvalidArgumentError):
        MultimodalEmbeddings(**given)


def test_an_audio_function_that_gives_something_else():
    for fault in (lambda given: None, lambda given: [[float("nan")] * 7] * len(given)):
        pair = recordings.embeddings(audio_fn=fault)
        with pytest.raises(EmbeddingError):
            pair.embed_audio([(recordings.tone("low"), recordings.RATE)])
