"""The `Media` protocol: a file as segments, under which pictures, sound and video are one thing."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from langchain_chroma_hybrid.core.keywords import known_fields
from langchain_chroma_hybrid.core.values import OWN_KEYS
from langchain_chroma_hybrid.embeddings.images.pictures import name_of

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from PIL.Image import Image

    from langchain_chroma_hybrid.core.values import MetadataValue
    from langchain_chroma_hybrid.multimodal.scan import File
    from langchain_chroma_hybrid.multimodal.speech import Speech

Ocr: TypeAlias = Callable[[Any], str | None]
"""An upright RGB PIL image to the text in it."""

SEGMENT_KEYS = frozenset({"beside", "end", "lines", "media", "ocr", "part", "start"})
"""Metadata that the collection itself gives to segments of what is not `single`."""

# Behind a file's id: media fragments for times; a number for segments without, but for the first.
_FRAGMENT = re.compile(r"#(t=[^#,]+,[^#,]+|part=[0-9]+)\Z")


@known_fields
@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a file, or a whole one; what is embedded of it is dropped once it is.

    Attributes:
        facts: metadata, the same for all segments of a file or of this one.
        images: upright RGB pictures of it, at least 1 where it can be seen; the first is its
            thumbnail.
        sound: its excerpt, float32 `(n,)`, mono, at the rate that the model hears.
        lines: what is said in it, a line for each cue of a transcript.
        start, end: seconds; None for a file that has no time. No two segments of a file have the
            same.
    """

    facts: Mapping[str, MetadataValue] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    sound: Any = None
    lines: tuple[str, ...] = ()
    start: float | None = None
    end: float | None = None


class Opened(Protocol):
    """A file that was looked into."""

    @property
    def sha256(self) -> str:
        """Of its content; the same content keeps its vectors."""

    @property
    def damage(self) -> str:
        """Why only a part of it could be read, known after `segments`; empty for all of it."""

    def segments(self) -> Iterator[Segment]:
        """The segments, one at a time, in the order of the file; called once, in one thread.

        Raises:
            MediaError: it cannot be read; nothing of it is written then.
        """


class Media(Protocol):
    """A kind of file: how it is found, and how it becomes segments.

    Attributes:
        suffixes: names of its files end so, in lower case, with the dot.
        keys: metadata that the segments of its files have beside their times, and that no caller
            may give.
        expected: what it takes, for messages.
        companions: suffixes of what may stand beside a file and belong to it.
        single: every file is one segment without a time, whose record has the file's id.
    """

    suffixes: frozenset[str]
    keys: frozenset[str]
    expected: str
    companions: tuple[str, ...]
    single: bool

    def takes(self, source: object) -> bool:
        """Whether something that is no path and no URI (bytes, an array, ...) is of this kind."""

    def beside(self, file: File) -> str:
        """What stands beside a file and belongs to it, and its state; empty where nothing does."""

    def open(self, item: Item, reading: Reading) -> Opened:
        """Look into a file; called in threads, ahead of `segments`.

        Raises:
            MediaError: it cannot be read, is damaged, or is over a limit.
        """


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run needs of every file.

    Attributes:
        embeddings: what will embed the segments: their images, sound or words.
        ocr: reads the text in images.
        speech: hears what is said where no transcript is.
    """

    embeddings: Embeddings
    ocr: Ocr | None = None
    speech: Speech | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A file, or what is as good as one, that is to be in the collection.

    Attributes:
        id: of its record, or what those of its segments begin with; None means the digest of what
            is in it.
        uri: where it is found again; None for what is nowhere.
        caption: what somebody says about it.
        facts: metadata that is known without a look inside, the user's own included.
    """

    media: Media
    source: Any
    id: str | None = None
    uri: str | None = None
    caption: str = ""
    facts: Mapping[str, MetadataValue] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.uri or self.id or name_of(self.source)

    @property
    def described(self) -> str:
        """16 hex digits over everything that is said about it from outside."""
        said = {
            key: value
            for key, value in self.facts.items()
            if key not in ("size", "mtime") and not str(key).startswith(OWN_KEYS)
        }
        content = json.dumps([self.caption, said], sort_keys=True, default=list)
        return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def file_of(record_id: str) -> str:
    """The id of the file that a record is a segment of, or its own."""
    return _FRAGMENT.sub("", record_id, count=1)


def fragment(start: object, end: object, part: int) -> str:
    """What a segment's id has behind that of its file."""
    if isinstance(start, float) and isinstance(end, float):
        return f"#t={round(start, 3)},{round(end, 3)}"
    return f"#part={part}" if part else ""
