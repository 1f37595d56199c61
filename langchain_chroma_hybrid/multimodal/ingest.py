"""From pictures to rows: read in threads, described, embedded in batches, written by the engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_chroma_hybrid.core.values import OWN_KEYS
from langchain_chroma_hybrid.embeddings.images.pictures import Loaded, Picture, load, name_of
from langchain_chroma_hybrid.engine.chroma.rows import rows_of, with_vectors
from langchain_chroma_hybrid.errors import InvalidArgumentError, PictureError
from langchain_chroma_hybrid.multimodal.exif import facts
from langchain_chroma_hybrid.multimodal.report import ImageFailure

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.values import MetadataValue
    from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
    from langchain_chroma_hybrid.engine.chroma.rows import Rows

Ocr: TypeAlias = Callable[[Any], str | None]
"""An upright RGB PIL image to the text in it."""

IMAGE = "image"
_READERS = 4


@dataclass(frozen=True, slots=True)
class Item:
    """A picture that is to be in the collection.

    Attributes:
        id: record id; None means the digest of what is in it.
        uri: where it is found again; None for one that is nowhere.
        caption: what somebody says about it.
        facts: metadata that is known without a look inside, the user's own included.
    """

    picture: Picture
    id: str | None = None
    uri: str | None = None
    caption: str = ""
    facts: Mapping[str, MetadataValue] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.uri or self.id or name_of(self.picture)

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


@dataclass(frozen=True, slots=True)
class Read:
    """An item with its decoded picture and the text found in it."""

    item: Item
    loaded: Loaded
    ocr: str

    @property
    def id(self) -> str:
        """The item's id, or the digest of the picture."""
        return self.item.id or self.loaded.sha256[:32]

    @property
    def text(self) -> str:
        """What the lexical leg and a reader get: caption and OCR text."""
        return "\n".join(part for part in (self.item.caption, self.ocr) if part)

    @property
    def metadata(self) -> dict[str, Any]:
        """All that is known, in values that Chroma takes; the user's own win."""
        loaded = self.loaded
        inside: dict[str, Any] = {
            "kind": IMAGE,
            "width": loaded.width,
            "height": loaded.height,
            "sha256": loaded.sha256,
            "described": self.item.described,
            **facts(loaded.exif),
            **loaded.about,
        }
        if loaded.format:
            inside |= {"format": loaded.format, "size": loaded.size}
        if self.ocr:
            inside["ocr"] = self.ocr
        if self.item.uri is not None:
            inside["uri"] = self.item.uri
        return {**inside, **self.item.facts}


def read_batches(
    items: Sequence[Item],
    embeddings: MultimodalEmbeddings,
    ocr: Ocr | None,
    failures: list[ImageFailure],
) -> Iterator[tuple[list[Read], int]]:
    """Batches of pictures that could be read, with the number of items each was made from.

    The next batch is read while the caller has one. `ocr` is called here, never in a thread.
    """
    enough = None if embeddings.picture_size is None else 2 * embeddings.picture_size
    # OCR needs every pixel.
    enough = None if ocr is not None else enough
    source = iter(items)
    with ThreadPoolExecutor(_READERS, "picture") as pool:

        def ahead() -> list[tuple[Item, Future[Loaded]]]:
            batch = list(islice(source, embeddings.batch_size))
            return [
                (item, pool.submit(load, item.picture, embeddings.policy, enough)) for item in batch
            ]

        waiting = ahead()
        while waiting:
            coming = ahead()
            found = (_read(item, future, ocr, failures) for item, future in waiting)
            yield [each for each in found if each is not None], len(waiting)
            waiting = coming


def rows(batch: Sequence[Read], vectors: Any) -> Iterator[Rows]:
    """The rows of a batch with their vectors; those without URI apart, as Chroma wants it."""
    for with_uri in (True, False):
        chosen = [at for at, each in enumerate(batch) if (each.item.uri is not None) == with_uri]
        if not chosen:
            continue
        some = [batch[at] for at in chosen]
        texts, metadatas = [each.text for each in some], [each.metadata for each in some]
        plain = rows_of(texts, metadatas, [each.id for each in some])
        uris = [str(each.item.uri) for each in some] if with_uri else None
        yield with_vectors(replace(plain, uris=uris), [vectors[at] for at in chosen])


def _read(
    item: Item, future: Future[Loaded], ocr: Ocr | None, failures: list[ImageFailure]
) -> Read | None:
    """A decoded picture with its OCR text; None, and a failure noted, if it cannot be read."""
    try:
        loaded = future.result()
    except (PictureError, InvalidArgumentError) as error:
        failures.append(ImageFailure(item.name, str(error)))
        return None
    text = "" if ocr is None else ocr(loaded.image)
    if text is not None and not isinstance(text, str):
        raise InvalidArgumentError.of("ocr", text, "a function that returns a string or None")
    # Lone surrogates, which nothing can store.
    clean = (text or "").strip().encode("utf-8", "replace").decode("utf-8")
    return Read(item, loaded, clean)
