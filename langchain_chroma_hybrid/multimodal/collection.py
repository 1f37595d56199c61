"""ImageCollection: pictures in a Chroma collection, with what is said about them beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal.files import LEXICAL_FIELDS, FileCollection
from langchain_chroma_hybrid.multimodal.media import Ocr, Reading
from langchain_chroma_hybrid.multimodal.pictures import IMAGE, Pictures
from langchain_chroma_hybrid.multimodal.retriever import MultimodalRetriever
from langchain_chroma_hybrid.vectorstores import HybridChroma

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_core.documents import Document

    from langchain_chroma_hybrid.embeddings.images.pictures import Picture
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.multimodal.files import Progress
    from langchain_chroma_hybrid.multimodal.media import Item
    from langchain_chroma_hybrid.multimodal.report import ImageReport
    from langchain_chroma_hybrid.multimodal.roots import Folder

__all__ = ["LEXICAL_FIELDS", "ImageCollection"]


class ImageCollection(FileCollection):
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

    what = _argument = "pictures"
    known: ClassVar[Mapping[str, Any] | None] = {"kind": IMAGE}

    @known_keywords
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
        super().__init__(store, (Pictures(),), Reading(store.embeddings, ocr), roots)

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
        store = cls._opened(name, embeddings, persist_directory, options)
        return cls(store, ocr=ocr, roots=roots)

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

    @known_keywords
    def add(  # the argument's name is older than that of `FileCollection`
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
        """Add pictures, or replace those whose ids exist; see `FileCollection.add`."""
        return super().add(
            pictures,
            captions=captions,
            tags=tags,
            metadatas=metadatas,
            ids=ids,
            force=force,
            progress=progress,
        )

    def _bring_in(self, index: HybridIndex, listed: Sequence[Item], *more: Any) -> ImageReport:
        if not self.embeddings.sees:
            expected = "a joint model of texts and pictures"
            raise InvalidArgumentError.of("store", "one that does not see", expected)
        return super()._bring_in(index, listed, *more)
