"""Speech to text: any callable, or Whisper by faster-whisper with voice activity detection."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import positive, whole
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.media.sounds import Samples, Track, silent
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal.alternatives import Alternatives, Line, Word
from langchain_chroma_hybrid.multimodal.transcripts import Cue, cues

if TYPE_CHECKING:
    from collections.abc import Sequence

Speech: TypeAlias = Callable[[Samples, int], str | Iterable[Any]]
"""Mono float32 samples `(n,)` and their rate, to what is said: `(start, end, text)` or a `Cue` each
in seconds from the first sample; or one string for all of it."""

RATE = 16_000
_AT_ONCE = 120.0  # seconds that a callable is given
_LOOK = 15.0  # of which the last ones are searched for a pause
_PAUSE = 0.1
_LONGEST = 6.0  # seconds of a cue
_SPEEDS = (0.8, 0.9, 1.1, 1.2)  # of further listenings, in the order of what they found more
_MOST_THREADS = 1024
_SENTENCE = (".", "?", "!", "。", "？", "！")


class Whisper:
    """Whisper by faster-whisper, as a `Speech`. Loads the model at first use. Thread-safe.

    It mishears codes and names that it does not know ("R twelve" became "part weld"): do not count
    on identifiers in speech. Cues end where a sentence does, or after some seconds.

    Args:
        model: a size (`base`, `small`, ...), a Hub name, or the path of a CTranslate2 model.
        language: such as `en`; None lets the model hear which.
        device: `cpu`, `cuda` or `auto`.
        compute_type: numbers that it computes with, such as `int8`.
        cpu_threads: 0 means as CTranslate2 sees fit.
        beam_size: hypotheses that are followed the first time, >= 1.
        listenings: how often each part is listened to, 1 to 5. The first time gives the text. The
            others are at other speeds: words that are heard otherwise then become cues of their
            own, `(window?)`, so that they are found as well.
        local_files_only: download nothing.

    Raises:
        InvalidArgumentError: at first use, for a model that cannot be loaded.
        MissingDependencyError: at first use, without the extra `speech`.
    """

    @known_keywords
    def __init__(
        self,
        model: str | os.PathLike[str] = "base",
        *,
        language: str | None = None,
        device: str = "cpu",
        compute_type: str = "int8",
        cpu_threads: int = 0,
        beam_size: int = 1,
        listenings: int = 1,
        local_files_only: bool = False,
    ) -> None:
        if not isinstance(model, str | os.PathLike) or not os.fspath(model):
            raise InvalidArgumentError.of("model", model, "a size, a Hub name or a path")
        for name, text in (("device", device), ("compute_type", compute_type)):
            if not isinstance(text, str):
                raise InvalidArgumentError.of(name, text, "a string")
        positive("beam_size", beam_size)
        whole("cpu_threads", cpu_threads, 0, _MOST_THREADS)
        whole("listenings", listenings, 1, len(_SPEEDS) + 1)
        self._name, self._language = os.fspath(model), language
        self._beam_size, self._listenings = int(beam_size), int(listenings)
        self._options = {
            "device": device,
            "compute_type": compute_type,
            "cpu_threads": cpu_threads,
            "local_files_only": local_files_only,
        }
        self._lock = threading.Lock()
        self._model: Any = None

    def __call__(self, samples: Samples, rate: int) -> Iterator[Cue]:
        """What is said in `samples`, which are at 16 kHz, in order of time.

        With further listenings, what they heard otherwise stands as `(window?)` behind its line.
        """
        if rate != RATE:
            raise InvalidArgumentError.of("rate", rate, f"{RATE} samples a second")
        if samples.ndim != 1 or samples.dtype != np.float32:
            got = f"{samples.dtype} {samples.shape}"
            raise InvalidArgumentError.of("samples", got, "float32 of shape (n,)")
        found, facts = self._heard(samples, self._language, beam_size=self._beam_size)
        first = (line for segment in found for line in _lines(segment.words or ()))
        if self._listenings == 1:
            return (line.cue for line in first)
        return iter(self._with_alternatives(list(first), samples, facts.language))

    def _with_alternatives(
        self, first: list[Line], samples: Samples, language: str | None
    ) -> list[Cue]:
        """What was heard first, and, where anything was, what sounds otherwise at other speeds."""
        found = [line.cue for line in first]
        otherwise = Alternatives(first, language)
        for speed in _SPEEDS[: self._listenings - 1 if first else 0]:
            # Temperature 0 alone: without chance, so that the same sound gives the same words.
            segments, _ = self._heard(
                _at_speed(samples, speed), language, beam_size=1, temperature=0.0
            )
            for segment in segments:
                words = (
                    Word(round(word.start * speed, 2), round(word.end * speed, 2), word.word)
                    for word in segment.words or ()
                )
                found += otherwise.among(words)
        return sorted(found, key=lambda cue: (cue.start, cue.end))

    def _heard(self, samples: Samples, language: str | None, **how: Any) -> Any:
        """Segments, as they are decoded, and facts about the whole."""
        return self._loaded().transcribe(
            samples,
            language=language,
            vad_filter=True,
            word_timestamps=True,
            condition_on_previous_text=False,
            **how,
        )

    def _loaded(self) -> Any:
        """The model, loaded once."""
        with self._lock:
            if self._model is None:
                library = require("faster_whisper", "speech")
                try:
                    model = library.WhisperModel(self._name, **self._options)
                except (OSError, RuntimeError, ValueError) as error:
                    expected = f"a Whisper model of CTranslate2 ({error}); offline: the path of one"
                    raise InvalidArgumentError.of("model", self._name, expected) from error
                if self._language is not None and self._language not in model.supported_languages:
                    expected = f"None, or one of {', '.join(sorted(model.supported_languages))}"
                    raise InvalidArgumentError.of("language", self._language, expected)
                self._model = model
            return self._model


def _lines(words: Sequence[Word]) -> Iterator[Line]:
    """Words in lines that end where a sentence does, or after some seconds."""
    begun: list[Word] = []
    for word in words:
        begun.append(word)
        ends = word.word.rstrip().endswith(_SENTENCE) or word.end - begun[0].start >= _LONGEST
        if ends:
            yield Line(begun)
            begun = []
    if begun:
        yield Line(begun)


def _at_speed(samples: Samples, speed: float) -> Samples:
    """Played faster or slower, and thereby higher or lower."""
    places = np.arange(0, len(samples), speed)
    played: Samples = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    return played


def transcribed(track: Track, speech: Speech) -> list[Cue]:
    """What is said on a track of 16 kHz, which is handed over in parts that end in pauses.

    Raises:
        InvalidArgumentError: `speech` gives neither a string nor `(start, end, text)`.
    """
    found: list[tuple[float, float, str]] = []
    while (start := track.starts()) is not None:
        samples = track.cut(start, start + _AT_ONCE, keep=start)
        length = _up_to_a_pause(samples) / RATE
        track.cut(start, start + length)
        samples = samples[: round(length * RATE)]
        if not silent(samples):
            said = _said(speech(samples, RATE), length)
            found += [(start + first, start + last, text) for first, last, text in said]
    return cues(found)


def _said(answer: Any, length: float) -> list[tuple[float, float, str]]:
    """What a callable gave, as rows."""
    if isinstance(answer, str):
        return [(0.0, length, answer)]
    rows = []
    try:
        given = iter(answer or ())
    except TypeError as error:
        raise _no_speech(answer) from error
    for each in given:  # what the callable itself raises here stays as it is
        try:
            start, end, text = (each.start, each.end, each.text) if isinstance(each, Cue) else each
            rows.append((float(start), float(end), str(text)))
        except (TypeError, ValueError) as error:
            raise _no_speech(answer) from error
    return rows


def _no_speech(answer: Any) -> InvalidArgumentError:
    expected = "a function that returns a string, or (start, end, text) for each cue"
    return InvalidArgumentError.of("speech", answer, expected)


def _up_to_a_pause(samples: Samples) -> int:
    """How many of the samples to hand over: all, or up to the quietest moment near the end."""
    if len(samples) < round(_AT_ONCE * RATE):
        return max(1, len(samples))
    step = round(_PAUSE * RATE)
    tail = samples[-round(_LOOK * RATE) :]
    loudness = np.square(tail[: len(tail) // step * step].reshape(-1, step)).mean(axis=1)
    return len(samples) - len(tail) + (int(loudness.argmin()) * step + step // 2)
