"""Sound as mono samples: whatever is in a file, or is given as samples, in pieces."""

from __future__ import annotations

import math
from collections import deque
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.embeddings.images.pictures import name_of
from langchain_chroma_hybrid.embeddings.media.container import (
    Damage,
    decoded,
    opened,
    readable,
    seek,
    source,
)
from langchain_chroma_hybrid.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy

Samples: TypeAlias = NDArray[np.float32]
"""Shape `(n,)`, mono, -1..1."""
Sound: TypeAlias = Any
"""A recording (see `container`), or `(samples, sampling rate)`: `(n,)` or `(n, channels)`."""

SILENCE = 1e-3
"""Root mean square below which a window is silent: -60 dB."""
_GAP = 0.5  # seconds by which times may be off before they count for more than the samples
_SHORTEST = 0.1  # seconds that are worth a window
_STEP = 1 << 16
_RATES = range(100, 1_000_001)  # samples a second; others would fill the memory
# Of these libsndfile makes hours of nothing where FFmpeg finds no frame.
_COMPRESSED = ("FLAC", "MP3", "OGG")


class Hearing(NamedTuple):
    """How a model hears: samples a second, and seconds at once."""

    sampling_rate: int
    window: float


class Track:
    """Sound that comes in pieces with their times, and is cut in order."""

    def __init__(self, pieces: Iterable[tuple[float, Samples]], rate: int) -> None:
        """`rate`: samples a second."""
        self._pieces, self._rate = iter(pieces), rate
        self._held: deque[tuple[float, Samples]] = deque()

    def starts(self) -> float | None:
        """The second of the first sample that was not passed yet; None at the end."""
        if not self._held and (piece := next(self._pieces, None)) is not None:
            self._held.append(piece)
        return self._held[0][0] if self._held else None

    def cut(self, start: float, end: float, *, keep: float | None = None) -> Samples:
        """The samples from `start` to `end`; those before `keep` (None: `end`) are let go."""
        while self.starts() is not None and self._ends() < end:
            if (piece := next(self._pieces, None)) is None:
                break
            self._held.append(piece)
        found = [self._within(piece, start, end) for piece in self._held]
        kept = end if keep is None else keep
        while self._held and self._held[0][0] < kept:
            at, samples = self._held.popleft()
            left = samples[max(0, round((kept - at) * self._rate)) :]
            if len(left):
                self._held.appendleft((max(at, kept), left))
                break
        return np.concatenate(found) if found else np.zeros(0, np.float32)

    def windows(self, length: float, overlap: float = 0.0) -> Iterator[tuple[float, Samples]]:
        """All of it in windows of `length` seconds, with where they start; silent ones, too."""
        while (start := self.starts()) is not None:
            samples = self.cut(start, start + length, keep=start + length - overlap)
            if len(samples) >= _SHORTEST * self._rate:
                yield start, samples
            if len(samples) <= overlap * self._rate:
                self.cut(start, start + length)  # what is left was in the window before

    def _ends(self) -> float:
        at, samples = self._held[-1]
        return at + len(samples) / self._rate

    def _within(self, piece: tuple[float, Samples], start: float, end: float) -> Samples:
        at, samples = piece
        first, last = (max(0, round((each - at) * self._rate)) for each in (start, end))
        return samples[first:last]


def pieces_of(
    sound: Sound, policy: PicturePolicy, rate: int, damage: Damage, start: float = 0.0
) -> Iterator[tuple[float, Samples]]:
    """Mono samples at `rate` with their times in seconds, in order, never much at once.

    Those before `start` may be passed over.

    Of several audio tracks the default one counts.

    Raises:
        MediaError: it cannot be read, or holds no sound; or samples of another shape.
    """
    name = name_of(sound)
    if isinstance(sound, tuple):
        yield from readable(_resampled(_given(sound), rate), name, damage)
        return
    require("av", "media")
    try:
        with opened(sound, policy) as container:
            stream = container.streams.best("audio")
            if stream is None:
                raise MediaError(f"{name}: expected sound, got a file without any")
            if start > 0:
                seek(container, start)
            frames = decoded(container, stream, policy, damage)
            yield from readable(_resampled(frames, rate), name, damage)
    except MediaError:
        other = _by_soundfile(sound, policy)
        if other is None:
            raise
        yield from readable(_resampled(other, rate), name, damage)


def load_windows(
    sound: Sound, policy: PicturePolicy, rate: int, length: float
) -> Iterator[Samples]:
    """All windows of a sound that are not silent.

    Raises:
        MediaError: it cannot be read, or is silent.
    """
    found = False
    for _, samples in Track(pieces_of(sound, policy, rate, Damage()), rate).windows(length):
        if not silent(samples):
            found = True
            yield samples
    if not found:
        raise MediaError(f"{name_of(sound)}: expected sound, got silence")


def sound_between(
    sound: Sound, policy: PicturePolicy, rate: int, start: float, end: float
) -> Samples:
    """The samples from `start` to `end`.

    Raises:
        MediaError: it cannot be read, or holds no sound.
    """
    return Track(pieces_of(sound, policy, rate, Damage(), start), rate).cut(start, end)


def silent(samples: Samples) -> bool:
    """Whether nobody would hear it."""
    return not len(samples) or float(np.sqrt(np.mean(np.square(samples)))) < SILENCE


def _given(sound: tuple[Any, ...]) -> Iterator[tuple[float, Any]]:
    """Samples as frames.

    Raises:
        MediaError: see `pieces_of`.
    """
    pair: Any = sound if len(sound) == 2 else ((), None)  # noqa: PLR2004 - a pair
    samples, rate = np.asarray(pair[0]), pair[1]
    if isinstance(rate, bool) or not isinstance(rate, Real) or not 0 < float(rate) < math.inf:
        raise MediaError.of("sound", rate, "samples and a sampling rate above 0")
    whole = samples.dtype.kind in "iu" and samples.dtype.itemsize <= 4  # noqa: PLR2004 - as files have them
    # More channels than samples: one row for each channel, as torchaudio has them.
    shaped = samples.ndim == 1 or (samples.ndim == 2 and samples.shape[1] <= len(samples))  # noqa: PLR2004 - as said
    if not shaped or not samples.size or not (whole or samples.dtype.kind == "f"):
        expected = "float or integer samples of shape (n,) or (n, channels)"
        raise MediaError.of("sound", f"{samples.dtype} {samples.shape}", expected)
    mono = samples if samples.ndim == 1 else samples.mean(axis=1)
    if whole:
        kind = np.iinfo(samples.dtype)
        middle = (kind.max + kind.min + 1) / 2
        mono = (mono - middle) / (kind.max - middle)
    yield from _frames([mono], int(float(rate)))


def _by_soundfile(sound: Sound, policy: PicturePolicy) -> Iterator[tuple[float, Any]] | None:
    """What libsndfile reads and FFmpeg does not; None for what it does not read either."""
    try:
        library = require("soundfile", "media")
        file = library.SoundFile(source(sound, policy))
    except (ImportError, RuntimeError, TypeError, OSError, ValueError):
        return None
    if file.format in _COMPRESSED:
        return None
    longest = round(policy.max_seconds * file.samplerate)
    blocks = file.blocks(_STEP, frames=longest, dtype="float32", always_2d=True)
    return _frames((block.mean(axis=1) for block in blocks), file.samplerate)


def _frames(blocks: Iterable[Any], rate: int) -> Iterator[tuple[float, Any]]:
    """Mono samples as PyAV's frames with their times."""
    av = require("av", "media")
    _check_rate(rate)
    at = 0
    for block in blocks:
        for first in range(0, len(block), _STEP):
            some = np.ascontiguousarray(block[first : first + _STEP], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(some[None], format="flt", layout="mono")
            frame.sample_rate = rate
            yield at / rate, frame
            at += len(some)


def _resampled(
    frames: Iterable[tuple[float, Any]], rate: int
) -> Iterator[tuple[float, Samples]]:
    """Frames of any kind as mono samples at `rate`; times follow the samples, but for gaps.

    Raises:
        MediaError: a rate that is none of sound.
    """
    av = require("av", "media")
    at: float | None = None
    kind = resampler = None
    for time, frame in frames:
        its = (frame.format.name, frame.layout.name, frame.sample_rate)
        _check_rate(frame.sample_rate)
        if resampler is None or kind != its:
            kind, resampler = its, av.AudioResampler(format="flt", layout="mono", rate=rate)
        frame.pts = None
        for made in resampler.resample(frame):
            samples = _clean(made)
            at = time if at is None or abs(time - at) > _GAP else at
            yield at, samples
            at += len(samples) / rate
    for made in resampler.resample(None) if resampler is not None else ():
        yield at or 0.0, _clean(made)


def _check_rate(rate: int) -> None:
    """Raise MediaError for one that is none of sound."""
    if rate not in _RATES:
        expected = f"{_RATES[0]} to {_RATES[-1]} samples a second"
        raise MediaError.of("sampling rate", rate, expected)


def _clean(frame: Any) -> Samples:
    """The samples of a mono frame; where there is no number there is silence."""
    samples: Samples = np.nan_to_num(frame.to_ndarray()[0], posinf=0.0, neginf=0.0).clip(-1, 1)
    return samples
