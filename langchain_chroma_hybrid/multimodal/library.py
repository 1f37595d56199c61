"""MediaCollection: pictures, sound and video in one Chroma collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from langchain_chroma_hybrid.core.checks import items
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal.files import FileCollection
from langchain_chroma_hybrid.multimodal.media import Media, Ocr, Reading
from langchain_chroma_hybrid.multimodal.moments import MediaRetriever
from langchain_chroma_hybrid.multimodal.pictures import Pictures
from langchain_chroma_hybrid.multimodal.recordings import Recordings, Segmentation
from langchain_chroma_hybrid.vectorstores import HybridChroma

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from langchain_core.embeddings import Embeddings

    from langchain_chroma_hybrid.multimodal.roots import Folder
    from langchain_chroma_hybrid.multimodal.speech import Speech

_OF_MEDIA = ("beside", "companions", "expected", "keys", "open", "single", "suffixes", "takes")


class MediaCollection(FileCollection):
    """Pictures, sound and video, found by what is seen, heard and said in them, to the second.

    ```python
    archive = MediaCollection.open("archive", MultimodalEmbeddings("clip-ViT-B-32"), "./db")
    archive.sync("clips")
    archive.search("where the garden is mentioned", k=5)
    archive.search(image="pictures/train.png")
    ```

    A picture is one record, as in `ImageCollection`. A sound or video is a record for each segment,
    whose id is `path#t=12.0,20.0`. Its vector is that of what the model can embed: frames, sound,
    or both; else of what is said. Its text is what is said in it, from a transcript beside the file
    (`clip.srt`, `clip.en.vtt`, `.ass`, Whisper's `.json`) or by `speech`; then caption and OCR
    text. Its metadata has `kind` ("image", "audio" or "video"), `uri`, `start`, `end` (seconds),
    `media` (one for all segments of a file), `part` (their number), `file_name` and the others of
    `ImageCollection`.

    Args:
        store: a `HybridChroma`; `open` makes one. Its embeddings may know texts alone: then only
            what is said is found.
        ocr: called with each picture and frame, an upright RGB PIL image; gives the text, or None.
        speech: called with mono float32 samples and their rate for files without transcript; gives
            `(start, end, text)` for each cue, or one string. `Whisper()` is one.
        segmentation: how recordings are cut.
        media: further kinds of files, before those that are built in.
        roots: folders whose files `as_content_blocks` may open, beside those of `sync`,
            `add_folder` and `add` of this object.

    Raises:
        InvalidArgumentError: one of these is something else.

    Thread safety: searches run side by side, with writes as well; one `add` or `sync` at a time.
    """

    what = "pictures, sound or video"

    @known_keywords
    def __init__(
        self,
        store: HybridChroma,
        *,
        ocr: Ocr | None = None,
        speech: Speech | None = None,
        segmentation: Segmentation | None = None,
        media: Sequence[Media] = (),
        roots: Folder | Iterable[Folder] = (),
    ) -> None:
        if not isinstance(store, HybridChroma):
            raise InvalidArgumentError.of("store", type(store).__name__, "a HybridChroma")
        if segmentation is not None and not isinstance(segmentation, Segmentation):
            raise InvalidArgumentError.of("segmentation", segmentation, "a Segmentation, or None")
        further = items("media", media, "a list of Media")
        for each in further:
            if missing := [name for name in _OF_MEDIA if not hasattr(each, name)]:
                expected = f"objects of the protocol Media ({', '.join(missing)} not found)"
                raise InvalidArgumentError.of("media", each, expected)
        kinds: list[Media] = [*further, Recordings(segmentation), Pictures()]
        reading = Reading(store.embeddings, ocr, speech)  # type: ignore[arg-type]  # it has some
        super().__init__(store, kinds, reading, roots)

    @classmethod
    def open(
        cls,
        name: str,
        embeddings: Embeddings,
        persist_directory: str | os.PathLike[str] | None = None,
        *,
        ocr: Ocr | None = None,
        speech: Speech | None = None,
        segmentation: Segmentation | None = None,
        media: Sequence[Media] = (),
        roots: Folder | Iterable[Folder] = (),
        **options: Any,
    ) -> Self:
        """Open or create a collection by cosine, whose lexical leg reads `LEXICAL_FIELDS`.

        Args:
            name: of the Chroma collection.
            embeddings: a joint model, or one of texts alone.
            persist_directory: where Chroma keeps it; None means in memory.
            ocr: see the class.
            speech: see the class.
            segmentation: see the class.
            media: see the class.
            roots: see the class.
            **options: any other argument of `HybridChroma`.
        """
        return cls(
            cls._opened(name, embeddings, persist_directory, options),
            ocr=ocr,
            speech=speech,
            segmentation=segmentation,
            media=media,
            roots=roots,
        )

    def as_retriever(self, **options: Any) -> MediaRetriever:
        """A retriever over this collection, with any of its fields."""
        return MediaRetriever(vectorstore=self.store, **options)
