"""What a caller says about files, as items: checked before anything is read or written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langchain_chroma_hybrid.core.checks import items as several
from langchain_chroma_hybrid.embeddings.images.uris import scheme_of
from langchain_chroma_hybrid.engine.chroma.rows import rows_of
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal.media import SEGMENT_KEYS, Item, Media
from langchain_chroma_hybrid.multimodal.report import ImageFailure, ImageReport
from langchain_chroma_hybrid.multimodal.scan import File, with_companions

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import Record

# What the collection says itself; the caller's metadata must not say it differently.
RESERVED = frozenset({
    "described", "file_name", "folder", "kind", "mtime", "root", "sha256", "size", "tags", "uri",
})  # fmt: skip

# Chroma gives back floats that differ in the last place.
_CLOCK = 1e-5


def of_files(
    kinds: Sequence[Media],
    root: Path,
    files: Sequence[File],
    captions: Any,
    tags: Any,
    metadata: Any,
) -> tuple[list[Item], list[ImageFailure]]:
    """An item for each file of a folder, and those whose names cannot be stored.

    Raises:
        InvalidArgumentError: a caption, tags or metadata that cannot be stored.
    """
    found, failures = [], []
    say = [
        _lookup(name, given)
        for name, given in (("captions", captions), ("tags", tags), ("metadata", metadata))
    ]
    for file in files:
        if not _is_text(str(file.path)):
            failures.append(ImageFailure(repr(str(file.path)), "its name is not Unicode"))
            continue
        caption, labels, more = (each(file) for each in say)
        media = _kind_of(file.path.name, kinds)
        found.append(_item(media, file, caption, labels, more, {"root": str(root)}))
    _check(found)
    return found, failures


def listed(
    name: str,
    kinds: Sequence[Media],
    given: Any,
    captions: Sequence[str | None] | None,
    tags: Sequence[Sequence[str]] | None,
    metadatas: Sequence[Mapping[str, Any] | None] | None,
    ids: Sequence[str] | None,
) -> list[Item]:
    """An item for each picture, sound or video of an argument `name`.

    Raises:
        InvalidArgumentError: nothing to add, one file for a list, lists of another length, or an
            entry that cannot be used.
    """
    files = several(name, given, f"a list of {name}, also for one")
    if not files:
        raise InvalidArgumentError.of(name, [], f"at least one of {name}")
    columns: list[Sequence[Any]] = []
    for column, values in (
        ("captions", captions),
        ("tags", tags),
        ("metadatas", metadatas),
        ("ids", ids),
    ):
        if values is not None and (isinstance(values, str) or len(values) != len(files)):
            expected = f"a list of {len(files)}, one for each of {name}"
            raise InvalidArgumentError.of(column, values, expected)
        columns.append(values if values is not None else [None] * len(files))
    found = []
    for file, caption, labels, more, id_ in zip(files, *columns, strict=True):
        item = _item(*_source(name, file, kinds), caption, labels, more, {})
        found.append(item if id_ is None else replace(item, id=id_))
    _check(found)
    return found


def untouched(item: Item, record: Record) -> bool:
    """Whether a file, and what stands beside it, is as a record of it says."""
    if "mtime" not in item.facts:
        return False
    before, now = record.metadata.get("mtime"), item.facts["mtime"]
    return (
        isinstance(before, float)
        and isinstance(now, float)
        and abs(before - now) < _CLOCK
        and record.metadata.get("size") == item.facts["size"]
        and (item.media.single or record.metadata.get("beside") == item.facts.get("beside"))
    )


def with_deleted(report: ImageReport, gone: Sequence[str]) -> ImageReport:
    """The report of a run that also deleted."""
    return replace(report, deleted=tuple(gone))


def _kind_of(name: str, kinds: Sequence[Media]) -> Media:
    """The kind that a file's name says; the first for a name that says nothing."""
    suffix = PurePath(name).suffix.lower()
    return next((kind for kind in kinds if suffix in kind.suffixes), kinds[0])


def _source(name: str, picture: Any, kinds: Sequence[Media]) -> tuple[Media, Any]:
    """Its kind, and a file with its size and time; everything else as it is.

    Raises:
        InvalidArgumentError: of no kind.
    """
    if isinstance(picture, os.PathLike) or (isinstance(picture, str) and not scheme_of(picture)):
        path = Path(os.path.abspath(os.path.expanduser(picture)))  # noqa: PTH100, PTH111 - links stay
        try:
            found = path.stat()
        except (OSError, ValueError):
            file = File(path, path.name, 0, 0.0)  # reading it says what is wrong
        else:
            file = File(path, path.name, found.st_size, found.st_mtime)
        media = _kind_of(path.name, kinds)
        return media, with_companions(file, media.companions)
    if isinstance(picture, str):
        return _kind_of(urlsplit(picture).path, kinds), picture
    taking = [kind for kind in kinds if kind.takes(picture)]
    if taking:
        return taking[0], picture
    expected = " or ".join(kind.expected for kind in kinds)
    raise InvalidArgumentError.of(name, type(picture).__name__, expected)


def _item(
    media: Media, source: Any, caption: Any, tags: Any, metadata: Any, facts: Mapping[str, Any]
) -> Item:
    """A file with what is said of it; one given as data has no id before it is read."""
    if caption is not None and not isinstance(caption, str):
        raise InvalidArgumentError.of("captions", caption, "strings")
    if isinstance(tags, str) or not all(isinstance(tag, str) and tag for tag in tags or ()):
        raise InvalidArgumentError.of("tags", tags, "lists of non-empty strings")
    said: dict[str, Any] = dict(metadata or {})
    reserved = RESERVED | media.keys | (frozenset() if media.single else SEGMENT_KEYS)
    if taken := sorted(reserved & said.keys()):
        raise InvalidArgumentError.of("metadata", taken, f"keys other than {sorted(reserved)}")
    if tags:
        said["tags"] = list(tags)
    if isinstance(source, File):
        said |= {"file_name": source.path.name, "folder": str(source.path.parent), **facts}
        said |= {"size": source.size, "mtime": source.mtime}
        if beside := media.beside(source):
            said["beside"] = beside
        path = str(source.path)
        id_ = source.id if media.single else path
        return Item(media, source.path, id_, path, caption or "", said)
    if isinstance(source, str) and not source.startswith("data:"):
        id_ = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return Item(media, source, id_ if media.single else source, source, caption or "", said)
    return Item(media, source, None, None, caption or "", said)


def _check(found: Sequence[Item]) -> None:
    """All that is said can be stored: raised before the first picture is read."""
    ids = [
        f"picture {position}" if item.id is None else item.id for position, item in enumerate(found)
    ]
    rows_of([item.caption for item in found], [dict(item.facts) for item in found], ids)


def _lookup(name: str, given: Any) -> Callable[[File], Any]:
    if given is None:
        return lambda _: None
    if callable(given):
        return lambda file: given(file.path)
    if not isinstance(given, Mapping):
        raise InvalidArgumentError.of(name, given, "a mapping by path, or a function of the path")
    return lambda file: given.get(file.relative, given.get(file.path.name))


def _is_text(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
