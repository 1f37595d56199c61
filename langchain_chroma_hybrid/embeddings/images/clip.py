"""Texts, pictures and sounds in one space: CLIP, CLAP and their kin, or a user's own functions."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.embeddings.base import CheckedEmbeddings, Vectors, check_vectors
from langchain_chroma_hybrid.embeddings.function import EmbedTexts, FunctionEmbeddings
from langchain_chroma_hybrid.embeddings.images.pictures import (
    Picture,
    PicturePolicy,
    check_pictures,
    load,
)
from langchain_chroma_hybrid.embeddings.media.sounds import Hearing, Sound, load_windows
from langchain_chroma_hybrid.embeddings.media.video import Video, load_frames
from langchain_chroma_hybrid.embeddings.sides import FunctionSide, ModelSide, pooled
from langchain_chroma_hybrid.embeddings.text.sentence_transformer import (
    SentenceTransformerEmbeddings,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from PIL.Image import Image
    from sentence_transformers import SentenceTransformer

_DECODERS = 4  # threads; Pillow frees the GIL while it decodes
# Options of the text model that its picture model shares when it is another one.
_SHARED = (
    "device",
    "local_files_only",
    "safetensors_only",
    "trust_remote_code",
    "truncate_dim",
)


class MultimodalEmbeddings(CheckedEmbeddings):
    """A joint model of texts and pictures, or sounds, or both, as LangChain `Embeddings`.

    ```python
    embeddings = MultimodalEmbeddings("clip-ViT-B-32")
    embeddings.embed_query("a red bicycle")
    embeddings.embed_image(["pictures/cat.png"])
    ```

    With `embed_audio` for a model that hears, such as CLAP, and `embed_video` for one that sees.

    A text is always text: one that looks like a path or an address is never opened. Pictures are
    read in threads while the model computes, and embedded in batches without gradients. Vectors are
    float32. May be shared between threads.

    Args:
        model: Hub name, path of a folder, or a loaded `SentenceTransformer`: CLIP, SigLIP, CLAP.
        image_model: where pictures have a model of their own in the same space, as for
            `sentence-transformers/clip-ViT-B-32-multilingual-v1` with `clip-ViT-B-32`.
        text_fn: in place of `model`: takes a list of texts, gives vectors `(n, d)`.
        image_fn: with `text_fn`: takes a list of RGB PIL images, gives vectors `(n, d)`.
        audio_fn: with `text_fn`: takes a list of float32 arrays `(n,)`, mono, at `sampling_rate`,
            none longer than `window`; gives vectors `(n, d)`.
        batch_size: texts, pictures or sounds encoded at a time.
        normalize: scale vectors to length 1, as weights between text and picture need.
        policy: what may be opened; files and data URIs only, unless it says more.
        fingerprint: with `text_fn`: a name for the model behind the functions.
        sampling_rate: samples a second that `audio_fn` wants; a model says it itself.
        window: seconds that `audio_fn` hears at once; a model says it itself.
        **options: any other option of `SentenceTransformerEmbeddings`, but for those of ONNX.

    Raises:
        InvalidArgumentError: neither a model nor functions, or an option that cannot be used.
            What only loading can tell (such as a model of texts alone) is raised at first use.
        MissingDependencyError: at first use, without the extras `local` and `image` or `media`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | SentenceTransformer | None = None,
        *,
        image_model: str | os.PathLike[str] | SentenceTransformer | None = None,
        text_fn: EmbedTexts | None = None,
        image_fn: Callable[[list[Any]], Any] | None = None,
        audio_fn: Callable[[list[Any]], Any] | None = None,
        batch_size: int = 32,
        normalize: bool = True,
        policy: PicturePolicy | None = None,
        fingerprint: str | None = None,
        sampling_rate: int = 16_000,
        window: float = 10.0,
        **options: Any,
    ) -> None:
        if options.get("backend", "torch") != "torch":
            raise InvalidArgumentError.of("backend", options["backend"], "'torch', for pictures")
        functions = text_fn is not None and (image_fn is not None or audio_fn is not None)
        if (model is None) != functions:
            expected = "a model, or text_fn with image_fn or audio_fn, and not both ways at once"
            raise InvalidArgumentError.of("model", model, expected)
        for name, number in (("sampling_rate", sampling_rate), ("window", window)):
            if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
                raise InvalidArgumentError.of(name, number, "a number above 0")
        self.batch_size, self.normalize = batch_size, normalize
        self.policy = policy or PicturePolicy()
        self._hearing = Hearing(int(sampling_rate), float(window))
        self.text: CheckedEmbeddings
        self._images: ModelSide | FunctionSide
        self._sounds: ModelSide | FunctionSide
        if model is None:
            self.text = FunctionEmbeddings(
                text_fn,  # type: ignore[arg-type]  # given, as checked above
                batch_size=batch_size,
                fingerprint=fingerprint,
                **options,
            )
            self._images = FunctionSide("image_fn", image_fn)
            self._sounds = FunctionSide("audio_fn", audio_fn)
            return
        self.text = SentenceTransformerEmbeddings(model, batch_size=batch_size, **options)
        own = {name: options[name] for name in _SHARED if name in options}
        pictures = (
            self.text
            if image_model is None
            else SentenceTransformerEmbeddings(image_model, batch_size=batch_size, **own)
        )
        self._images = ModelSide(pictures, "image")
        self._sounds = ModelSide(self.text, "audio")

    @property
    def image_source(self) -> str | None:
        """Name or path of a picture model of its own; None where there is none."""
        if isinstance(self._images, ModelSide) and self._images.embeddings is not self.text:
            return self._images.embeddings.source.name
        return None

    @property
    def sees(self) -> bool:
        """Whether pictures can be embedded; loads the model."""
        return self._images.there

    @property
    def hears(self) -> bool:
        """Whether sounds can be embedded; loads the model."""
        return self._sounds.there

    @property
    def dimension(self) -> int | None:
        """Length of the vectors; None before it is known."""
        return self.text.dimension

    @property
    def fingerprint(self) -> str | None:
        """New for a retrained model; loads it. None for functions that were given none."""
        names = [self.text.fingerprint, self._images.fingerprint]
        if None in names:
            return None if names[0] is None else names[0]
        return hashlib.sha256(f"{names} {self.normalize}".encode()).hexdigest()[:32]

    @property
    def weights_fingerprint(self) -> str | None:
        """None: two models may be at work."""
        return None

    @property
    def model_name(self) -> str:
        """Hub name or path of the model for texts; empty for functions."""
        return getattr(self.text, "model_name", "")

    @property
    def query_fingerprint(self) -> str | None:
        """New for a retrained model of texts; a picture model of its own is not loaded."""
        name = self.text.query_fingerprint
        return None if name is None else f"{name}/{self.normalize}"

    @property
    def picture_size(self) -> int | None:
        """Shorter edge, in pixels, that the model looks at; None when nobody says. Loads it."""
        return _edge(self._images.processor)

    @property
    def hearing(self) -> Hearing:
        """How the model hears; loads it."""
        extractor = self._sounds.processor
        if extractor is None:
            return self._hearing
        rate = int(extractor.sampling_rate)
        longest = getattr(extractor, "nb_max_samples", self._hearing.window * rate)
        return Hearing(rate, longest / rate)

    def image_vectors(self, pictures: Sequence[Picture]) -> Vectors:
        """Embed pictures, shape `(n, d)`, in the order given.

        Raises:
            PictureError: one cannot be read; names it.
            InvalidArgumentError: no list of pictures, or the model knows texts only.
            EmbeddingError: the model gave something other than one finite vector per picture.
        """
        listed = check_pictures(pictures)
        # Twice what the model looks at leaves its own resampling the last word.
        enough = None if self.picture_size is None else 2 * self.picture_size
        found: list[Vectors] = []
        with ThreadPoolExecutor(_DECODERS, "picture") as pool:
            for batch in _ahead(
                pool, lambda one: load(one, self.policy, enough).image, listed, self.batch_size
            ):
                found.append(self.encode_images(batch))  # noqa: PERF401 - reads ahead meanwhile
        return np.concatenate(found)

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        """Embed RGB PIL images that are upright already, shape `(n, d)`."""
        got = self._images.encode(list(images), self.batch_size)
        return self._unit(check_vectors(got, len(images), self.dimension))

    def embed_image(self, uris: Sequence[Picture]) -> list[list[float]]:
        """`image_vectors` as lists of floats, under the name that Chroma's classes look for."""
        vectors: list[list[float]] = self.image_vectors(uris).tolist()
        return vectors

    async def aembed_image(self, uris: Sequence[Picture]) -> list[list[float]]:
        """`embed_image` without holding up the event loop."""
        return await asyncio.to_thread(self.embed_image, uris)

    def audio_vectors(self, sounds: Sequence[Sound]) -> Vectors:
        """Embed sounds, shape `(n, d)`: of each the mean of its windows; silent ones are left out.

        Raises:
            MediaError: one cannot be read, or is silent; names it.
            InvalidArgumentError: no list of sounds, or the model does not hear.
            EmbeddingError: the model gave something other than one finite vector per window.
        """
        listed, hearing = check_pictures(sounds, "sounds"), self.hearing
        windows = (load_windows(sound, self.policy, *hearing) for sound in listed)
        return self._means(windows, self.encode_sounds)

    def video_vectors(self, videos: Sequence[Video]) -> Vectors:
        """Embed what is seen in videos, shape `(n, d)`: of each the mean of its frames.

        Frames are taken every second and where the scene changes.

        Raises:
            MediaError: one cannot be read; names it.
            InvalidArgumentError: no list of videos, or the model does not see.
            EmbeddingError: the model gave something other than one finite vector per frame.
        """
        listed, size = check_pictures(videos, "videos"), self.picture_size
        frames = (load_frames(video, self.policy, size) for video in listed)
        return self._means(frames, self.encode_images)

    def encode_sounds(self, sounds: Sequence[Any]) -> Vectors:
        """Embed float32 arrays `(n,)` as `hearing` says, shape `(n, d)`."""
        given: list[Any] = list(sounds)
        if isinstance(self._sounds, ModelSide):
            rate = self.hearing.sampling_rate
            given = [{"array": sound, "sampling_rate": rate} for sound in given]
        got = self._sounds.encode(given, self.batch_size)
        return self._unit(check_vectors(got, len(given), self.dimension))

    def embed_audio(self, sounds: Sequence[Sound]) -> list[list[float]]:
        """`audio_vectors` as lists of floats."""
        vectors: list[list[float]] = self.audio_vectors(sounds).tolist()
        return vectors

    async def aembed_audio(self, sounds: Sequence[Sound]) -> list[list[float]]:
        """`embed_audio` without holding up the event loop."""
        return await asyncio.to_thread(self.embed_audio, sounds)

    def embed_video(self, videos: Sequence[Video]) -> list[list[float]]:
        """`video_vectors` as lists of floats."""
        vectors: list[list[float]] = self.video_vectors(videos).tolist()
        return vectors

    async def aembed_video(self, videos: Sequence[Video]) -> list[list[float]]:
        """`embed_video` without holding up the event loop."""
        return await asyncio.to_thread(self.embed_video, videos)

    def _encode_documents(self, texts: list[str]) -> Any:
        return self._unit(self.text.document_vectors(texts))

    def _encode_query(self, text: str) -> Any:
        return self._unit(self.text.query_vector(text))

    def _means(
        self, files: Iterable[Iterable[Any]], encode: Callable[[list[Any]], Vectors]
    ) -> Vectors:
        """The mean direction of the parts of each file; they are embedded as they come."""
        parts = ((at, part) for at, file in enumerate(files) for part in file)
        rows: dict[int, list[Vectors]] = {}
        while batch := list(islice(parts, self.batch_size)):
            vectors = encode([part for _, part in batch])
            for (at, _), vector in zip(batch, vectors, strict=True):
                rows.setdefault(at, []).append(vector)
        return np.stack([pooled(each) for each in rows.values()])

    def _unit(self, vectors: Vectors) -> Vectors:
        if not self.normalize:
            return vectors
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        scaled: Vectors = vectors / np.maximum(lengths, np.float32(1e-12))
        return scaled


def _edge(processor: Any) -> int | None:
    """The shorter edge that an image processor scales to."""
    size = getattr(processor, "size", None)
    if size is None:
        return None
    edges = [size.get(name) for name in ("shortest_edge", "height", "width")]
    return max((int(edge) for edge in edges if edge), default=None)


def _ahead(
    pool: ThreadPoolExecutor, work: Callable[[Any], Any], items: Sequence[Any], size: int
) -> Iterator[list[Any]]:
    """Batches of results in order; the next batch is worked on while the caller has one."""
    batches = [items[at : at + size] for at in range(0, len(items), size)]
    waiting = [pool.submit(work, item) for item in batches[0]]
    for following in [*batches[1:], []]:
        coming = [pool.submit(work, item) for item in following]
        yield [future.result() for future in waiting]
        waiting = coming
