"""ImageCollection: pictures in a Chroma collection, with what is said about them beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal import blocks, items
from langchain_chroma_hybrid.multimodal.ingest import open_files
from langchain_chroma_hybrid.multimodal.media import Item, Media, Ocr, Reading, file_of
from langchain_chroma_hybrid.multimodal.pictures import Pictures
from langchain_chroma_hybrid.multimodal.report import ImageFailure, ImageReport
from langchain_chroma_hybrid.multimodal.retriever import MultimodalRetriever
from langchain_chroma_hybrid.multimodal.roots import Folder, Roots
from langchain_chroma_hybrid.multimodal.run import Run, first_records
from langchain_chroma_hybrid.multimodal.scan import find
from langchain_chroma_hybrid.vectorstores import HybridChroma

if TYPE_CHECKING:
    import os

    from langchain_core.documents import Document

    from langchain_chroma_hybrid.core.search import SearchResult
    from langchain_chroma_hybrid.embeddings.images.pictures import Picture
    from langchain_chroma_hybrid.engine.handle import CollectionHandle
    from langchain_chroma_hybrid.engine.index import HybridIndex

Progress: TypeAlias = Callable[[int, int], None]
Described: TypeAlias = Mapping[str, Any] | Callable[[Path], Any] | None
"""By path below the folder, or by file name; or a function of the path."""

LEXICAL_FIELDS = {"page_content": 1.0, "tags": 1.0, "file_name": 0.5}
"""What the lexical leg of a collection reads, with its boosts."""


class ImageCollection:
    """Pictures found by words, by another picture, or by both.

    ```python
    photos = ImageCollection.open("photos", MultimodalEmbeddings("clip-ViT-B-32"), "./db")
    photos.sync("pictures", captions={"cat.png": "Our old cat behind the house"})
    photos.search("old cat", k=5)
    photos.search(image="pictures/train.png")
    ```

    A record's vector is the picture's; its text is caption and OCR text, for the lexical leg and
    for whoever reads the answer. Its metadata has `kind` ("image"), `uri`, `file_name`, `folder`,
    `format`, `size` (bytes), `width`, `height`, `sha256`, `mtime`, and, where the file has them,
    `taken`, `taken_at`, `latitude`, `longitude`; from DICOM `modality`, `body_part`, `view`.

    The store may hold texts too (`store.add_texts`): queries of any kind find both.

    Args:
        store: a `HybridChroma` with `MultimodalEmbeddings`; `open` makes one.
        ocr: called with each upright RGB PIL image, gives the text in it, or None.
        roots: folders whose pictures `as_content_blocks` may open, beside those of `sync`,
            `add_folder` and `add` of this object.

    `root` is the folder of the `sync` or `add_folder` that saw the picture last.

    Thread safety: searches run side by side, with writes as well; one `add` or `sync` at a time.
    """

    def __init__(
        self,
        store: HybridChroma,
        *,
        ocr: Ocr | None = None,
        roots: Folder | Iterable[Folder] = (),
    ) -> None:
        if not isinstance(store, HybridChroma):
            raise InvalidArgumentError.of("store", type(store).__name__, "a HybridChroma")
        if not isinstance(store.embeddings, MultimodalEmbeddings):
            got = type(store.embeddings).__name__
            raise InvalidArgumentError.of("store", got, "a store with MultimodalEmbeddings")
        if ocr is not None and not callable(ocr):
            raise InvalidArgumentError.of("ocr", ocr, "a function of an image, or None")
        self._kinds: tuple[Media, ...] = (Pictures(),)
        self.store = store
        self.embeddings = store.embeddings
        self._ocr = ocr
        self._roots = Roots(roots)

    @classmethod
    def open(
        cls,
        name: str,
        embeddings: MultimodalEmbeddings,
        persist_directory: str | os.PathLike[str] | None = None,
        *,
        ocr: Ocr | None = None,
        roots: Folder | Iterable[Folder] = (),
        **options: Any,
    ) -> Self:
        """Open or create a collection by cosine, whose lexical leg reads `LEXICAL_FIELDS`.

        Args:
            name: of the Chroma collection.
            embeddings: a joint model.
            persist_directory: where Chroma keeps it; None means in memory.
            ocr: see the class.
            roots: see the class.
            **options: any other argument of `HybridChroma`.
        """
        options.setdefault("lexical_fields", LEXICAL_FIELDS)
        options.setdefault("collection_configuration", {"hnsw": {"space": "cosine"}})
        directory = None if persist_directory is None else str(persist_directory)
        return cls(HybridChroma(name, embeddings, directory, **options), ocr=ocr, roots=roots)

    # Writing

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
            folder: where the pictures are.
            patterns: such as `["*.png", "2024/*.jpg"]`; None means all known formats.
            recursive: also in the folders below.
            captions: texts by path below the folder, or by file name; or a function of the path.
            tags: lists of strings, in the same way; searched by words and by filters.
            metadata: mappings, in the same way.
            force: read and embed every file anew, as after a change of the model or of `ocr`.
            progress: called with (pictures done, pictures to do).

        Raises:
            InvalidArgumentError: no such folder, no picture in it that ever was, or a caption, tag
                or metadata that cannot be stored; nothing is written.
            WriteError: Chroma failed half-way; the next call goes on from there.
        """
        return self._folder(
            folder, patterns, recursive, (captions, tags, metadata), force, progress, prune=True
        )

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

    def add(
        self,
        pictures: Iterable[Picture],
        *,
        captions: Sequence[str | None] | None = None,
        tags: Sequence[Sequence[str]] | None = None,
        metadatas: Sequence[Mapping[str, Any] | None] | None = None,
        ids: Sequence[str] | None = None,
        force: bool = False,
        progress: Progress | None = None,
    ) -> ImageReport:
        """Add pictures, or replace those whose ids exist.

        Args:
            pictures: paths, URIs, data URIs, bytes, PIL images, arrays. Without `ids`, the id comes
                from the path or URI, or else from the content.
            captions: one for each picture.
            tags: one list of strings for each picture.
            metadatas: one for each picture.
            ids: one for each picture.
            force: as for `sync`.
            progress: as for `sync`.

        Raises:
            InvalidArgumentError: a list of another length, an entry that cannot be stored, or
                something that is no picture at all; nothing is written.
            WriteError: Chroma failed half-way.
        """
        listed = items.listed(self._kinds, list(pictures), captions, tags, metadatas, ids)
        for item in listed:
            self._roots.add_uri(item.uri)
        return self._handle.run(lambda index: self._bring_in(index, listed, [], force, progress))

    def delete(self, ids: Sequence[str] | None = None, **conditions: Any) -> None:
        """As `HybridChroma.delete`: by ids, `where` or `where_document`."""
        self.store.delete(list(ids) if ids is not None else None, **conditions)

    # Searching

    def search(self, text: str = "", *, image: Picture = None, **options: Any) -> list[Document]:
        """The best pictures (and texts) for words, a picture, or both; best first.

        Args:
            text: words; always taken as text.
            image: a picture to search with; here a string is a path or URI.
            **options: `image_weight` and all that `MultimodalRetriever.invoke` takes.
        """
        return self.as_retriever().invoke(text, image=image, **options)

    def explain(self, text: str = "", *, image: Picture = None, **options: Any) -> SearchResult:
        """The same search as a `SearchResult`: scores, each leg's view, matched terms, timings."""
        return self.as_retriever().search(text, image=image, **options)

    def query(
        self,
        add: Sequence[Any],
        subtract: Sequence[Any] = (),
        weights: Sequence[float] | None = None,
        **options: Any,
    ) -> list[Document]:
        """Search with a sum of texts and pictures; see `MultimodalRetriever.query`."""
        found = self.as_retriever().query(add, subtract, weights, **options)
        return [bridge.shown(hit) for hit in found.hits]

    def as_retriever(self, **options: Any) -> MultimodalRetriever:
        """A retriever over this collection, with any of its fields."""
        return MultimodalRetriever(vectorstore=self.store, **options)

    def as_content_blocks(
        self,
        documents: Sequence[Document],
        *,
        roots: Folder | Iterable[Folder] | None = None,
        max_bytes: int = 4_000_000,
        max_edge: int = 1024,
    ) -> list[dict[str, Any]]:
        """What a search returned, as message content for a model that sees; see `blocks`.

        Opens files that this object has added, those in folders that it has synced or was given as
        `roots`, and no others, whatever a record says; `roots` here takes the place of all these.
        """
        return blocks.as_content_blocks(
            documents,
            roots=self._roots if roots is None else roots,
            max_bytes=max_bytes,
            max_edge=max_edge,
            policy=self.embeddings.policy,
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
        """Bring in a folder's pictures; with `prune`, delete records whose files are gone."""
        root = Path(folder).expanduser().resolve()
        suffixes = frozenset().union(*(kind.suffixes for kind in self._kinds))
        files = find(root, patterns, recursive, suffixes)
        self._roots.add(root)

        def run(index: HybridIndex) -> ImageReport:
            before = index.match(parse({"root": str(root)})) if prune else []  # type: ignore[arg-type]  # a filter was given
            if not files and not before:
                raise InvalidArgumentError.of("folder", str(root), "a folder with pictures in it")
            listed, failures = items.of_files(self._kinds, root, files, *described)
            report = self._bring_in(index, listed, failures, force, progress)
            there = {item.id for item in listed}
            gone = sorted(id_ for id_ in before if file_of(id_) not in there)
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
        known = first_records(index, [(item.id, item) for item in listed if item.id is not None])
        fresh = [item for item in listed if force or not items.unchanged(item, known)]
        passed = {id(item) for item in fresh}
        reading = Reading(self.embeddings, self._ocr)
        run = Run(index, reading, known, force=force)
        done = len(listed) - len(fresh)
        size = getattr(self.embeddings, "batch_size", 1)
        for batch, count in open_files(fresh, reading, size, failures):
            run.write(batch)
            done += count
            if progress is not None:
                progress(done, len(listed))
        return ImageReport(
            tuple(run.added),
            tuple(run.updated),
            tuple(run.described),
            tuple(str(item.id) for item in listed if id(item) not in passed),
            (),
            (*failures, *run.failed),
            tuple(run.damaged),
        )

    @property
    def _handle(self) -> CollectionHandle:
        return bridge.handle_of(self.store)
