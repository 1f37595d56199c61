"""What collections of files share: scanning, incremental sync, search, message content."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
from langchain_chroma_hybrid.embeddings.images.pictures import PicturePolicy
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal import blocks, items
from langchain_chroma_hybrid.multimodal.ingest import open_files
from langchain_chroma_hybrid.multimodal.media import Item, Media, Reading, file_of
from langchain_chroma_hybrid.multimodal.report import ImageFailure, ImageReport
from langchain_chroma_hybrid.multimodal.roots import Folder, Roots
from langchain_chroma_hybrid.multimodal.run import Run, first_records, segment_ids
from langchain_chroma_hybrid.multimodal.scan import find
from langchain_chroma_hybrid.vectorstores import HybridChroma

if TYPE_CHECKING:
    import os

    from langchain_core.documents import Document

    from langchain_chroma_hybrid.core.search import SearchResult
    from langchain_chroma_hybrid.engine.handle import CollectionHandle
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.multimodal.retriever import MultimodalRetriever

Progress: TypeAlias = Callable[[int, int], None]
Described: TypeAlias = Mapping[str, Any] | Callable[[Path], Any] | None
"""By path below the folder, or by file name; or a function of the path."""

LEXICAL_FIELDS = {"page_content": 1.0, "tags": 1.0, "file_name": 0.5}
"""What the lexical leg of a collection reads, with its boosts."""


class FileCollection(ABC):
    """Files of some kinds in a Chroma collection, `store`. See its subclasses."""

    what: ClassVar[str]
    """What is in it, for messages."""
    _argument: ClassVar[str] = "files"
    """What `add` calls that which it takes."""
    known: ClassVar[Mapping[str, Any] | None] = None
    """Which records `sync` may delete, as a filter; None means all of its folder."""

    def __init__(
        self,
        store: HybridChroma,
        kinds: Sequence[Media],
        reading: Reading,
        roots: Folder | Iterable[Folder],
    ) -> None:
        for name in ("ocr", "speech"):
            given = getattr(reading, name)
            if given is not None and not callable(given):
                raise InvalidArgumentError.of(name, given, "a function, or None")
        self.store = store
        self._kinds, self._reading = tuple(kinds), reading
        self._roots = Roots(roots)

    @property
    def embeddings(self) -> Any:
        """The store's."""
        return self.store.embeddings

    @classmethod
    def _opened(
        cls,
        name: str,
        embeddings: Any,
        directory: str | os.PathLike[str] | None,
        options: dict[str, Any],
    ) -> HybridChroma:
        """A store by cosine, whose lexical leg reads `LEXICAL_FIELDS`."""
        options.setdefault("lexical_fields", LEXICAL_FIELDS)
        options.setdefault("collection_configuration", {"hnsw": {"space": "cosine"}})
        path = None if directory is None else str(directory)
        return HybridChroma(name, embeddings, path, **options)

    # Writing

    @known_keywords
    def sync(
        self,
        folder: str | os.PathLike[str],
        *,
        patterns: Sequence[str] | None = None,
        recursive: bool = True,
        captions: Described = None,
        tags: Described = None,
        metadata: Described = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> ImageReport:
        """Make the collection hold what the folder holds: new, changed and deleted files.

        A file of the same size and time is not opened. One whose content is the same keeps its
        vector. What other calls added is not touched.

        Args:
            folder: where the files are.
            patterns: such as `["*.png", "2024/*.jpg"]`; None means all known formats.
            recursive: also in the folders below.
            captions: texts by path below the folder, or by file name; or a function of the path.
            tags: lists of strings, in the same way; searched by words and by filters.
            metadata: mappings, in the same way.
            force: read and embed every file anew, as after a change of model, `ocr` or `speech`.
            progress: called with (files done, files to do).

        Raises:
            InvalidArgumentError: no such folder, no file in it that ever was, or a caption, tag
                or metadata that cannot be stored; nothing is written.
            WriteError: Chroma failed half-way; the next call goes on from there.
        """
        return self._folder(
            folder, patterns, recursive, (captions, tags, metadata), force, progress, prune=True
        )

    @known_keywords
    def add_folder(
        self,
        folder: str | os.PathLike[str],
        *,
        patterns: Sequence[str] | None = None,
        recursive: bool = True,
        captions: Described = None,
        tags: Described = None,
        metadata: Described = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> ImageReport:
        """`sync` that deletes nothing."""
        return self._folder(
            folder, patterns, recursive, (captions, tags, metadata), force, progress, prune=False
        )

    @known_keywords
    def add(
        self,
        files: Iterable[Any],
        *,
        captions: Sequence[str | None] | None = None,
        tags: Sequence[Sequence[str]] | None = None,
        metadatas: Sequence[Mapping[str, Any] | None] | None = None,
        ids: Sequence[str] | None = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> ImageReport:
        """Add files and what is as good as one, or replace those whose ids exist.

        Args:
            files: paths, URIs, data URIs, bytes; for pictures PIL images and arrays as well, for
                sound `(samples, sampling rate)`. Without `ids`, the id comes from the path or URI,
                or else from the content.
            captions: one for each file.
            tags: one list of strings for each file.
            metadatas: one for each file.
            ids: one for each file.
            force: as for `sync`.
            progress: as for `sync`.

        Raises:
            InvalidArgumentError: a list of another length, an entry that cannot be stored, or
                something of no kind at all; nothing is written.
            WriteError: Chroma failed half-way.
        """
        listed = items.listed(
            self._argument, self._kinds, files, captions, tags, metadatas, ids
        )
        for item in listed:
            self._roots.add_uri(item.uri)
        return self._handle.run(lambda index: self._bring_in(index, listed, [], force, progress))

    def delete(self, ids: Sequence[str] | None = None, **conditions: Any) -> None:
        """As `HybridChroma.delete`: by ids, `where` or `where_document`.

        The id of a sound or video, as reports have it, stands for all its segments.
        """
        if ids is None:
            self.store.delete(None, **conditions)
            return
        files = [each for each in ids if isinstance(each, str)]
        parts = self._handle.run(lambda index: segment_ids(index, files))
        self.store.delete([*ids, *(set(parts) - set(files))], **conditions)

    # Searching

    def search(
        self, text: str = "", *, image: Any = None, audio: Any = None, **options: Any
    ) -> list[Document]:
        """The best files (and texts) for words, a picture, a sound, or several; best first.

        Args:
            text: words; always taken as text.
            image: a picture to search with; here a string is a path or URI.
            audio: a sound to search with, for a model that hears; the same.
            **options: `image_weight`, `audio_weight` and all that the retriever's `invoke` takes.
        """
        return self.as_retriever().invoke(text, image=image, audio=audio, **options)

    def explain(
        self, text: str = "", *, image: Any = None, audio: Any = None, **options: Any
    ) -> SearchResult:
        """The same search as a `SearchResult`: scores, each leg's view, matched terms, timings."""
        return self.as_retriever().search(text, image=image, audio=audio, **options)

    @abstractmethod
    def as_retriever(self, **options: Any) -> MultimodalRetriever:
        """A retriever over this collection, with any of its fields."""

    @known_keywords
    def as_content_blocks(
        self,
        documents: Sequence[Document],
        *,
        roots: Folder | Iterable[Folder] | None = None,
        max_bytes: int = 4_000_000,
        max_edge: int = 1024,
        frames: int = 3,
        sounds: bool = True,
    ) -> list[dict[str, Any]]:
        """What a search returned, as content for a model that sees or hears; see `blocks`.

        Opens files that this object has added, those in folders that it has synced or was given as
        `roots`, and no others, whatever a record says; `roots` here takes the place of all these.
        """
        model = self.embeddings
        policy = model.policy if isinstance(model, MultimodalEmbeddings) else PicturePolicy()
        return blocks.as_content_blocks(
            documents,
            roots=self._roots if roots is None else roots,
            max_bytes=max_bytes,
            max_edge=max_edge,
            frames=frames,
            sounds=sounds,
            policy=policy,
        )

    # How

    def _folder(
        self,
        folder: str | os.PathLike[str],
        patterns: Sequence[str] | None,
        recursive: bool,
        described: tuple[Described, Described, Described],
        force: bool,
        progress: Progress | None,
        *,
        prune: bool,
    ) -> ImageReport:
        """Bring in a folder's files; with `prune`, delete records whose files are gone."""
        root = Path(folder).expanduser().resolve()
        suffixes = {suffix for kind in self._kinds for suffix in kind.suffixes}
        companions = [suffix for kind in self._kinds for suffix in kind.companions]
        files = find(root, patterns, recursive, suffixes, companions)
        self._roots.add(root)

        def run(index: HybridIndex) -> ImageReport:
            own = [{"root": str(root)}, *([self.known] if self.known else ())]
            before = index.match(parse({"$and": own} if own[1:] else own[0])) if prune else []  # type: ignore[arg-type]  # a filter was given
            if not files and not before:
                expected = f"a folder with {self.what} in it"
                raise InvalidArgumentError.of("folder", str(root), expected)
            listed, failures = items.of_files(self._kinds, root, files, *described)
            report = self._bring_in(index, listed, failures, force, progress)
            there = {item.id for item in listed}
            gone = sorted(id_ for id_ in before if not {id_, file_of(id_)} & there)
            if gone:
                index.delete(gone)
            return items.with_deleted(report, sorted({file_of(id_) for id_ in gone}))

        return self._handle.run(run)

    def _bring_in(
        self,
        index: HybridIndex,
        listed: Sequence[Item],
        failures: list[ImageFailure],
        force: bool,
        progress: Progress | None,
    ) -> ImageReport:
        """Write what is new or changed, with `force` all; what cannot be read is only reported."""
        if progress is not None and not callable(progress):
            raise InvalidArgumentError.of("progress", progress, "a function, or None")
        known = first_records(index, [(item.id, item) for item in listed if item.id is not None])
        run = Run(index, self._reading, known, force=force)
        fresh, unchanged = [], []
        for item in listed:
            record = None if force else known.get(item.id or "")
            if record is None or not items.untouched(item, record):
                fresh.append(item)
            elif record.metadata.get("described") == item.described:
                unchanged.append(str(item.id))
            elif item.media.single:
                fresh.append(item)
            else:
                run.describe(str(item.id), item)
        if fresh:
            index.guard.check(writes=True)
            run.expect(fresh)
        done = len(listed) - len(fresh)
        size = getattr(self.embeddings, "batch_size", 1)
        for batch, count in open_files(fresh, self._reading, size, failures):
            run.write(batch)
            done += count
            if progress is not None:
                progress(done, len(listed))
        return ImageReport(
            tuple(run.added),
            tuple(run.updated),
            tuple(run.described),
            tuple(unchanged),
            (),
            (*failures, *run.failed),
            tuple(run.damaged),
        )

    @property
    def _handle(self) -> CollectionHandle:
        return bridge.handle_of(self.store)
