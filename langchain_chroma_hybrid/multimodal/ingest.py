"""From files to rows: opened in threads, cut into segments, embedded, described."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.engine.chroma.rows import Rows, rows_of, with_vectors
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal.media import (
    SEGMENT_KEYS,
    Item,
    Opened,
    Reading,
    Segment,
    fragment,
)
from langchain_chroma_hybrid.multimodal.report import ImageFailure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.values import MetadataValue, Record
    from langchain_chroma_hybrid.multimodal.media import Ocr

_READERS = 4


@dataclass(frozen=True, slots=True)
class File:
    """An item that was looked into."""

    item: Item
    opened: Opened

    @property
    def id(self) -> str:
        """The item's id, or the digest of what is in it."""
        return self.item.id or self.opened.sha256[:32]


@dataclass(frozen=True, slots=True)
class Part:
    """A segment on its way to a row: with its words, without what was embedded of it.

    Attributes:
        inside: metadata that the segment has of itself.
        lines: what is said in it.
        ocr: text found in its images.
    """

    file: str
    item: Item
    inside: Mapping[str, MetadataValue]
    lines: tuple[str, ...] = ()
    ocr: str = ""

    @property
    def id(self) -> str:
        """The file's id; with the times of the segment, or with its number."""
        if self.item.media.single:
            return self.file
        start, end, part = (self.inside.get(key) for key in ("start", "end", "part"))
        return self.file + fragment(start, end, int(str(part)))

    @property
    def text(self) -> str:
        """What the lexical leg and a reader get: what is said, caption and OCR text."""
        return "\n".join(part for part in (*self.lines, self.item.caption, self.ocr) if part)

    @property
    def metadata(self) -> dict[str, Any]:
        """All that is known, in values that Chroma takes; the user's own win."""
        inside: dict[str, Any] = {**self.inside, "described": self.item.described}
        if self.ocr:
            inside["ocr"] = self.ocr
        if self.item.uri is not None:
            inside["uri"] = self.item.uri
        return {**inside, **self.item.facts}

    @classmethod
    def of(cls, file: File, at: int, segment: Segment, ocr: Ocr | None) -> Part:
        """Segment number `at` of a file."""
        inside = {**segment.facts, "sha256": file.opened.sha256}
        if not file.item.media.single:
            inside |= {"media": file.id, "part": at, "lines": len(segment.lines)}
        if segment.start is not None and segment.end is not None:
            inside |= {"start": float(segment.start), "end": float(segment.end)}
        return cls(file.id, file.item, inside, segment.lines, _read(segment.images, ocr))

    @classmethod
    def known(cls, record: Record, item: Item) -> Part:
        """The segment that a record holds, with what is said of its file now."""
        metadata, keys = record.metadata, item.media.keys | SEGMENT_KEYS | {"sha256"}
        inside = {key: value for key, value in metadata.items() if key in keys}
        lines = (record.text or "").split("\n")[: int(str(metadata.get("lines", 0)))]
        ocr = str(metadata.get("ocr", ""))
        return cls(str(metadata.get("media")), item, inside, tuple(lines), ocr)


def open_files(
    items: Sequence[Item], reading: Reading, size: int, failures: list[ImageFailure]
) -> Iterator[tuple[list[File], int]]:
    """Batches of files that could be opened, with the number of items each was made from.

    The next batch is opened while the caller has one. What is not `single` is a batch of its own:
    all of it is written at once.
    """
    source = iter(items)
    with ThreadPoolExecutor(_READERS, "media") as pool:

        def ahead() -> list[tuple[Item, Future[Opened]]]:
            return [
                (item, pool.submit(item.media.open, item, reading))
                for item in islice(source, size)
            ]

        waiting = ahead()
        while waiting:
            coming = ahead()
            batch: list[File] = []
            count = 0
            for item, future in waiting:
                if not item.media.single and count:
                    yield batch, count
                    batch, count = [], 0
                batch += _opened(item, future, failures)
                count += 1
                if not item.media.single:
                    yield batch, count
                    batch, count = [], 0
            if count:
                yield batch, count
            waiting = coming


def _opened(item: Item, future: Future[Opened], failures: list[ImageFailure]) -> list[File]:
    """The file; none, and a failure noted, if it cannot be read."""
    try:
        return [File(item, future.result())]
    except InvalidArgumentError as error:
        failures.append(ImageFailure(item.name, str(error)))
        return []


def _read(images: Sequence[Any], ocr: Ocr | None) -> str:
    """The text in a segment's images, no line twice."""
    found: dict[str, None] = {}
    for image in images if ocr is not None else ():
        text = ocr(image)  # type: ignore[misc]  # there is one
        if text is not None and not isinstance(text, str):
            raise InvalidArgumentError.of("ocr", text, "a function that returns a string or None")
        # Lone surrogates, which nothing can store.
        clean = (text or "").strip().encode("utf-8", "replace").decode("utf-8")
        found |= dict.fromkeys([clean] if len(images) == 1 else clean.splitlines())
    return "\n".join(line for line in found if line)


def rows(parts: Sequence[Part], vectors: Any) -> Iterator[Rows]:
    """The rows of segments with their vectors; those without URI apart, as Chroma wants it."""
    for with_uri in (True, False):
        chosen = [at for at, part in enumerate(parts) if (part.item.uri is not None) == with_uri]
        if not chosen:
            continue
        some = [parts[at] for at in chosen]
        texts, metadatas = [part.text for part in some], [part.metadata for part in some]
        plain = rows_of(texts, metadatas, [part.id for part in some])
        uris = [str(part.item.uri) for part in some] if with_uri else None
        yield with_vectors(replace(plain, uris=uris), [vectors[at] for at in chosen])
