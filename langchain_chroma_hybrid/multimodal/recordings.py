"""Sound and video as `Media`: cut into segments by scenes, windows, and what is said."""

from __future__ import annotations

import hashlib
import math
import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.core.keywords import known_fields
from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, read
from langchain_chroma_hybrid.embeddings.images.uris import path_of
from langchain_chroma_hybrid.embeddings.media.container import Damage, opened, source
from langchain_chroma_hybrid.embeddings.media.sounds import Track, pieces_of, silent
from langchain_chroma_hybrid.embeddings.media.video import frames_of, moving
from langchain_chroma_hybrid.errors import InvalidArgumentError, MediaError
from langchain_chroma_hybrid.multimodal.media import Segment
from langchain_chroma_hybrid.multimodal.pictures import looks_like_one
from langchain_chroma_hybrid.multimodal.speech import RATE, transcribed
from langchain_chroma_hybrid.multimodal.transcripts import (
    TRANSCRIPT_SUFFIXES,
    Cue,
    read_transcript,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_chroma_hybrid.core.values import MetadataValue
    from langchain_chroma_hybrid.embeddings.media.video import Frame
    from langchain_chroma_hybrid.multimodal.media import Item, Reading
    from langchain_chroma_hybrid.multimodal.scan import File

AUDIO, VIDEO = "audio", "video"
SOUND_SUFFIXES = frozenset({
    ".aac", ".aif", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".mka", ".mp3", ".oga", ".ogg",
    ".opus", ".wav", ".wma",
})  # fmt: skip
VIDEO_SUFFIXES = frozenset({
    ".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv", ".ts",
    ".webm", ".wmv",
})  # fmt: skip
_HASHED = 1 << 20
_EVERY_PIXEL = 1 << 16


@known_fields
@dataclass(frozen=True, slots=True)
class Segmentation:
    """How recordings are cut.

    Attributes:
        length: most seconds of a segment; of sound that is embedded, no more than the model hears.
        overlap: seconds that windows of sound share, so that nothing is lost between two.
        frame_rate: frames a second that are looked at.
        scene_change: mean difference of two frames, 0..1, from which on a new segment begins.
        shortest: least seconds of a segment that ends with a scene.
    """

    length: float = 10.0
    overlap: float = 1.0
    frame_rate: float = 1.0
    scene_change: float = 0.12
    shortest: float = 1.0

    def __post_init__(self) -> None:
        for name in ("length", "overlap", "frame_rate", "scene_change", "shortest"):
            value, least = getattr(self, name), 0 if name in ("overlap", "shortest") else 1e-3
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidArgumentError.of(name, value, "a number")
            if not least <= value < math.inf:
                raise InvalidArgumentError.of(name, value, f"a number >= {least}")
        if self.overlap >= self.length:
            raise InvalidArgumentError.of("overlap", self.overlap, f"less than {self.length}")


class Recordings:
    """Files of sound or video, with a transcript beside them or a `speech` that makes one."""

    suffixes = SOUND_SUFFIXES | VIDEO_SUFFIXES
    keys = frozenset({"cues", "height", "kind", "width"})
    expected = "(samples, sampling rate)"
    single = False
    companions: tuple[str, ...] = TRANSCRIPT_SUFFIXES

    def __init__(self, segmentation: Segmentation | None = None) -> None:
        """`segmentation` None means its defaults."""
        self.segmentation = segmentation or Segmentation()

    def takes(self, source: object) -> bool:
        """Samples with their rate; bytes of no picture."""
        return isinstance(source, tuple) or (
            isinstance(source, bytes) and not looks_like_one(source)
        )

    def beside(self, file: File) -> str:
        """The transcripts of the same name, the best first, with size and time, between slashes."""
        return "/".join(f"{name} {size} {mtime}" for name, size, mtime in file.companions)

    def open(self, item: Item, reading: Reading) -> Recording:
        """Look for streams, and take the digest."""
        return Recording(item, reading, self.segmentation)


class Recording:
    """A sound or video that was looked into."""

    def __init__(self, item: Item, reading: Reading, how: Segmentation) -> None:
        self._item, self._reading, self._how = item, reading, how
        self._damage = Damage()
        model = reading.embeddings
        self._sees = isinstance(model, MultimodalEmbeddings) and model.sees
        self._hears = isinstance(model, MultimodalEmbeddings) and model.hears
        self._policy = model.policy if isinstance(model, MultimodalEmbeddings) else PicturePolicy()
        self._path = path_of(item.source) if isinstance(item.source, str | os.PathLike) else None
        self._stat = self._as_it_is()
        # What is fetched is fetched once.
        fetched = isinstance(item.source, str) and self._path is None
        self._source = read(item.source, self._policy) if fetched else item.source
        self.sha256 = _digest(self._source, self._policy)
        self._moving, self._sounding = self._streams()

    @property
    def damage(self) -> str:
        """Why not all of it could be read."""
        return self._damage.reason

    def segments(self) -> Iterator[Segment]:
        """By scenes where the model sees it, else by windows where it hears it, else by cues."""
        said = self._transcript()
        if self._sees and self._moving:
            found = self._scenes()
        elif self._hears and self._sounding:
            found = self._windows()
        else:
            found = self._spans(said)
        kind = {"kind": VIDEO if self._moving else AUDIO}
        for segment in _with_cues(found, said):
            if segment.images or segment.sound is not None or segment.lines:
                yield replace(segment, facts={**segment.facts, **kind})
        if self._as_it_is() != self._stat:
            raise MediaError(f"{self._item.name}: it changed while it was read; sync once more")

    def _as_it_is(self) -> tuple[int, int] | None:
        """Size and time of the file; None where there is none."""
        with suppress(OSError, ValueError):
            found = None if self._path is None else self._path.stat()
            return found and (found.st_size, found.st_mtime_ns)
        return None

    def _streams(self) -> tuple[bool, bool]:
        """Whether there are moving pictures, and sound.

        Raises:
            MediaError: there is neither.
        """
        recording = self._source
        if isinstance(recording, tuple):
            return False, True
        try:
            with opened(recording, self._policy) as container:
                found = moving(container) is not None, bool(container.streams.audio)
        except MediaError:
            # What FFmpeg does not read, libsndfile may.
            next(pieces_of(recording, self._policy, RATE, Damage()), None)
            return False, True
        if not any(found):
            raise MediaError(f"{self._item.name}: expected sound or moving pictures, got neither")
        return found

    def _track(self, rate: int) -> Track:
        return Track(pieces_of(self._source, self._policy, rate, self._damage), rate)

    def _transcript(self) -> list[Cue]:
        """What is said: from the first file beside it that is a transcript, or by the callable."""
        for path in self._companions():
            if found := self._beside(path):
                return found
        if self._reading.speech is None or not self._sounding:
            return []
        return transcribed(self._track(RATE), self._reading.speech)

    def _companions(self) -> list[Path]:
        """What stands beside the file, as `Recordings.beside` has it."""
        beside = str(self._item.facts.get("beside", ""))
        if not beside or self._path is None:
            return []
        return [self._path.with_name(each.rsplit(" ", 2)[0]) for each in beside.split("/")]

    def _beside(self, path: Path) -> list[Cue]:
        try:
            return read_transcript(path)
        except MediaError as error:
            self._damage.note(str(error))
            return []

    def _scenes(self) -> Iterator[Segment]:
        """Segments of what is seen, each with its sound if the model hears as well."""
        model: Any = self._reading.embeddings
        size = None if model.picture_size is None else 2 * model.picture_size
        if self._reading.ocr is not None:
            size = _EVERY_PIXEL
        rate, window = model.hearing if self._hears else (RATE, math.inf)
        track = self._track(rate) if self._hears and self._sounding else None
        length = min(self._how.length, window)
        scene: list[Frame] = []
        frames = frames_of(
            self._source,
            self._policy,
            self._damage,
            rate=self._how.frame_rate,
            change=self._how.scene_change,
            at_least=size,
        )
        for frame in frames:
            lasted = frame.time - scene[0].time if scene else 0.0
            if scene and (lasted >= length or (frame.cut and lasted >= self._how.shortest)):
                yield self._seen(scene, frame.time, track)
                scene = []
            scene.append(frame)
        if scene:
            yield self._seen(scene, scene[-1].time + 1 / self._how.frame_rate, track)

    def _seen(self, frames: list[Frame], end: float, track: Track | None) -> Segment:
        sound = None if track is None else track.cut(frames[0].time, end)
        sound = None if sound is None or silent(sound) else sound
        facts: dict[str, MetadataValue] = {"width": frames[0].width, "height": frames[0].height}
        images = tuple(frame.image for frame in frames)
        return Segment(facts, images, sound, start=frames[0].time, end=end)

    def _windows(self) -> Iterator[Segment]:
        """Segments of what is heard; silent ones have no sound."""
        model: Any = self._reading.embeddings
        rate, window = model.hearing
        length = min(self._how.length, window)
        overlap = min(self._how.overlap, length / 2)
        for start, samples in self._track(rate).windows(length, overlap):
            sound = None if silent(samples) else samples
            yield Segment(sound=sound, start=start, end=start + len(samples) / rate)

    def _spans(self, said: list[Cue]) -> Iterator[Segment]:
        """Segments of what is said, where nothing else can be embedded."""
        start = end = -math.inf
        for cue in said:
            if cue.end - start > self._how.length:
                if end >= start > -math.inf:
                    yield Segment(start=start, end=end)
                start = cue.start
            end = max(end, cue.end)
        if said:
            yield Segment(start=start, end=end)


def _with_cues(segments: Iterator[Segment], said: list[Cue]) -> Iterator[Segment]:
    """Segments with the cues whose middle they hold; the last has all that come later."""
    left = sorted(said, key=_middle, reverse=True)

    def filled(segment: Segment, end: float) -> Segment:
        within = []
        while left and _middle(left[-1]) < end:
            within.append(left.pop())
        if not within:
            return segment
        within.sort(key=lambda cue: (cue.start, cue.end))
        facts = {**segment.facts, "cues": [time for cue in within for time in (cue.start, cue.end)]}
        return replace(segment, facts=facts, lines=tuple(cue.text for cue in within))

    before: Segment | None = None
    for segment in segments:
        if before is not None:
            yield filled(before, max(before.end or 0.0, segment.start or 0.0))
        before = segment
    if before is not None:
        yield filled(before, math.inf)


def _middle(cue: Cue) -> float:
    return (cue.start + cue.end) / 2


def _digest(recording: Any, policy: PicturePolicy) -> str:
    """SHA-256 of what is encoded, or of the samples."""
    made = hashlib.sha256()
    if isinstance(recording, tuple):
        made.update(np.ascontiguousarray(recording[0]).tobytes() + str(recording[1:]).encode())
        return made.hexdigest()
    with source(recording, policy) as file:
        while block := file.read(_HASHED):
            made.update(block)
    return made.hexdigest()
