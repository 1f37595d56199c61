"""Frames of a video: at a rate, and where the scene changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.embeddings.images.pictures import name_of
from langchain_chroma_hybrid.embeddings.media.container import (
    Damage,
    decoded,
    opened,
    readable,
    seek,
)
from langchain_chroma_hybrid.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from PIL.Image import Image

    from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy

Video: TypeAlias = Any
"""A recording, see `container`."""

_LOOK = 0.2  # seconds between two looks for a change of scene
_GRID = 32  # edge of what is compared
_EDGE = 512  # pixels of the shorter edge where nobody says how many
_WIDEST = 10  # times as wide as high that a pixel may be, or the other way round


@dataclass(frozen=True, slots=True)
class Frame:
    """An upright RGB frame.

    Attributes:
        time: seconds from the start of the file.
        image: no larger than is enough.
        cut: a scene begins with it.
        width, height: pixels of the upright original.
    """

    time: float
    image: Image
    cut: bool
    width: int
    height: int


def moving(container: Any) -> Any:
    """The video stream of a container; None where there is none, or only a cover."""
    cover = require("av.stream", "media").Disposition.attached_pic
    streams = [each for each in container.streams.video if not each.disposition & cover]
    best = container.streams.best("video")
    return best if best in streams else next(iter(streams), None)


def frames_of(
    video: Video,
    policy: PicturePolicy,
    damage: Damage,
    *,
    rate: float = 1.0,
    change: float = 0.12,
    at_least: int | None = None,
) -> Iterator[Frame]:
    """The first frame, one every `1 / rate` seconds, and each that begins a scene.

    Args:
        video: see `Video`.
        policy: what may be opened, and limits.
        damage: is told why not all could be read.
        rate: frames a second.
        change: mean difference of two looks, 0..1 of the range of grey, that is another scene.
        at_least: pixels of the shorter edge that are enough; None means 512.

    Raises:
        MediaError: it cannot be read, or nothing moves in it.
    """
    name = name_of(video)
    with opened(video, policy) as container:
        stream = _moving(container, name)
        frames = decoded(container, stream, policy, damage)
        looked = _looked(frames, _aspect(stream), rate, change, at_least or _EDGE)
        yield from readable(looked, name, damage)


def _looked(
    frames: Iterable[tuple[float, Any]], aspect: float, rate: float, change: float, at_least: int
) -> Iterator[Frame]:
    """Those that `frames_of` gives."""
    before, looked, taken = None, 0.0, 0.0
    for time, frame in frames:
        if before is not None and time - looked < _LOOK and time - taken < 1 / rate:
            continue
        seen, looked = _grid(frame), time
        cut = before is not None and float(np.abs(seen - before).mean()) > 255 * change
        if before is None or cut or time - taken >= 1 / rate:
            taken = time
            yield _seen(frame, time, cut, aspect, at_least)
        before = seen


def load_frames(video: Video, policy: PicturePolicy, at_least: int | None) -> Iterator[Image]:
    """The frames of `frames_of` as pictures."""
    doubled = None if at_least is None else 2 * at_least
    return (each.image for each in frames_of(video, policy, Damage(), at_least=doubled))


def frames_between(
    video: Video, policy: PicturePolicy, start: float, end: float, count: int, at_least: int
) -> list[Frame]:
    """At most `count` frames from `start` to `end`, as far from each other as may be.

    Raises:
        MediaError: it cannot be read, or nothing moves in it.
    """
    wanted = [start + (end - start) * (at + 0.5) / count for at in range(count)]
    with opened(video, policy) as container:
        stream = _moving(container, name_of(video))
        seek(container, start)
        frames = decoded(container, stream, policy, Damage())
        some = _spread(frames, wanted, _aspect(stream), at_least)
        return list(readable(some, name_of(video), Damage()))


def _spread(
    frames: Iterable[tuple[float, Any]], wanted: Sequence[float], aspect: float, at_least: int
) -> Iterator[Frame]:
    """The first frames from each of the times on; if all are earlier, the last one."""
    found, last = 0, None
    for time, frame in frames:
        last = time, frame
        if time >= wanted[found]:
            yield _seen(frame, time, False, aspect, at_least)
            found += 1
        if found == len(wanted):
            return
    if not found and last is not None:
        yield _seen(last[1], last[0], False, aspect, at_least)


def _moving(container: Any, name: str) -> Any:
    """`moving`, or a MediaError."""
    stream = moving(container)
    if stream is None:
        raise MediaError(f"{name}: expected moving pictures, got a file without any")
    return stream


def _aspect(stream: Any) -> float:
    """Width of a pixel, in heights; 1 where nobody films so, and pictures would fill the memory."""
    aspect = float(getattr(stream.codec_context, "sample_aspect_ratio", None) or 1)
    return aspect if 1 / _WIDEST <= aspect <= _WIDEST else 1.0


def _seen(frame: Any, time: float, cut: bool, aspect: float, at_least: int) -> Frame:
    """A frame as people see it: upright, in its shape, no larger than is enough."""
    width, height = max(1, round(frame.width * aspect)), frame.height
    scale = min(1.0, at_least / min(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    pixels = frame.reformat(*size, format="rgb24").to_ndarray()
    image: Image = require("PIL.Image", "image").fromarray(pixels)
    if frame.rotation:
        image = image.rotate(frame.rotation, expand=True)
    lies = frame.rotation % 180 != 0
    return Frame(time, image, cut, *((height, width) if lies else (width, height)))


def _grid(frame: Any) -> Any:
    return frame.reformat(_GRID, _GRID, format="gray").to_ndarray().astype(np.float32)
