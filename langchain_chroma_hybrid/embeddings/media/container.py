"""Sound and video files, opened for reading: formats that open no others, within limits."""

from __future__ import annotations

import io
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias, TypeVar

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy, name_of, read
from langchain_chroma_hybrid.embeddings.images.uris import path_of
from langchain_chroma_hybrid.embeddings.local_files import open_regular
from langchain_chroma_hybrid.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")
Recording: TypeAlias = Any
"""Sound or video: path, URI or data URI as `str`, `os.PathLike`, or encoded `bytes`."""

# Demuxers whose files hold everything themselves: no playlists, which name other files.
_FORMATS = (
    "mov,matroska,avi,mpeg,mpegts,flv,asf,ogg,wav,w64,mp3,flac,aac,ac3,eac3,aiff,amr,au,caf,wv,"
    "mpegvideo,h264,hevc,ivf,mjpeg,dv,gif,tta,ape,dts"
)
_BUFFER = 1 << 20
_THREADS = 2  # each keeps decoded frames, of 3 MB for 1080p
_BAD_PACKETS = 1_000


class Damage:
    """Why not all of a file could be read; empty while all could."""

    reason = ""

    def note(self, reason: str) -> None:
        """Keep the first reason."""
        self.reason = self.reason or reason


@contextmanager
def opened(recording: Recording, policy: PicturePolicy) -> Iterator[Any]:
    """A PyAV input container, closed at the end. Nothing but `recording` itself is opened.

    Raises:
        MediaError: it cannot be opened, or is no sound or video.
        MissingDependencyError: PyAV is not installed.
    """
    av = require("av", "media")
    name = name_of(recording)
    with source(recording, policy) as file:
        try:
            container = av.open(
                file,
                options={"format_whitelist": _FORMATS, "protocol_whitelist": "none"},
                buffer_size=_BUFFER,
                io_open=_refuse,
                metadata_errors="replace",  # tags of old files are of any encoding
            )
        except (OSError, ValueError, UnicodeError, av.FFmpegError) as error:
            reason = "an empty file" if not file.seek(0, io.SEEK_END) else _said(error)
            expected = "a sound or video that can be opened"
            raise MediaError(f"{name}: expected {expected}, got {reason}") from error
        with container:
            yield container


def source(recording: Recording, policy: PicturePolicy) -> BinaryIO:
    """The encoded bytes, as a file.

    Raises:
        MediaError: none of the kinds of `Recording`, or not allowed by `policy`, whose `max_bytes`
            holds for all that is no file of this machine.
    """
    path = None if isinstance(recording, bytes) else path_of(recording)
    if path is not None:
        return open_regular(path, "media", MediaError)
    return io.BytesIO(read(recording, policy))


def decoded(
    container: Any, stream: Any, policy: PicturePolicy, damage: Damage
) -> Iterator[tuple[float, Any]]:
    """Frames of one stream with their times in seconds from the start of the file, in order.

    What cannot be decoded is passed over and noted, and so is what is beyond the limits.

    Raises:
        MediaError: there is no decoder, or not one frame can be decoded.
    """
    av = require("av", "media")
    _prepare(stream, policy)
    origin = (container.start_time or 0) / av.time_base
    at = spent = 0.0
    found, bad, packets = False, 0, container.demux(stream)
    while bad < _BAD_PACKETS:
        began, frames = time.perf_counter(), []
        try:
            if (packet := next(packets, None)) is None:
                break
            frames = packet.decode()
            bad = 0
        except (OSError, ValueError, av.FFmpegError) as error:
            bad += 1
            damage.note(f"damaged or cut off after {at:.1f} s ({_said(error)})")
        for frame in frames:
            at = at if frame.time is None else max(at, frame.time - origin)
            if at > policy.max_seconds:
                damage.note(f"longer than {policy.max_seconds:g} s (max_seconds of the policy)")
                return
            spent += time.perf_counter() - began
            yield at, frame
            found, began = True, time.perf_counter()
        spent += time.perf_counter() - began
        if spent > policy.max_reading:
            damage.note(f"read for {policy.max_reading:g} s (max_reading of the policy)")
            break
    if not found:
        got = damage.reason or "none"
        raise MediaError(f"expected {stream.type} that can be decoded, got {got}")


def readable(found: Iterable[T], name: str, damage: Damage) -> Iterator[T]:
    """All of `found` up to what cannot be decoded or converted, which is noted.

    Raises:
        MediaError: there was nothing before that; begins with `name`.
    """
    av = require("av", "media")
    some = False
    try:
        for each in found:
            some = True
            yield each
    except (OSError, ValueError, RuntimeError, av.FFmpegError) as error:
        if some:
            damage.note(f"damaged ({_said(error)})")
            return
        reason = str(error) if isinstance(error, MediaError) else f"cannot be read ({_said(error)})"
        raise MediaError(reason if name in reason else f"{name}: {reason}") from error


def seek(container: Any, start: float) -> None:
    """Go on at the last key frame before `start`, in seconds from the start of the file."""
    av = require("av", "media")
    # Formats without an index are read from the beginning.
    with suppress(OSError, ValueError, OverflowError, av.FFmpegError):
        container.seek((container.start_time or 0) + round(start * av.time_base))


def _prepare(stream: Any, policy: PicturePolicy) -> None:
    """Set what a decoder may do.

    Raises:
        MediaError: there is none, or its pictures are too large.
    """
    context = stream.codec_context
    if context is None:
        raise MediaError(f"expected {stream.type} of a codec that is known, got another one")
    if stream.type == "video":
        size = f"{context.width} x {context.height} pixels"
        if context.width * context.height > policy.max_pixels:
            raise MediaError.of("video", size, f"at most {policy.max_pixels} pixels a frame")
        context.options = {"max_pixels": str(policy.max_pixels)}
    context.thread_type, context.thread_count = "AUTO", _THREADS


def _refuse(*_: object, **__: object) -> None:
    raise PermissionError("a sound or video may not open other files")


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
