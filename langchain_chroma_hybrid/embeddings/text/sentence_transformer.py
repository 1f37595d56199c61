"""Any Sentence Transformers or Hugging Face text encoder as LangChain `Embeddings`."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.base import CheckedEmbeddings
from langchain_chroma_hybrid.embeddings.cache import VectorCache
from langchain_chroma_hybrid.embeddings.text.encoder import EncodeOptions, Encoder
from langchain_chroma_hybrid.embeddings.text.loading import POOLINGS, Pooling, Source, load, resolve
from langchain_chroma_hybrid.embeddings.text.pool import ProcessPool
from langchain_chroma_hybrid.embeddings.text.threads import QueryLane, QueryThreads
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from sentence_transformers import SentenceTransformer

Backend: TypeAlias = Literal["torch", "onnx"]
_CACHE_STEP = 8  # batches between two writes to the cache


class SentenceTransformerEmbeddings(CheckedEmbeddings):
    """A model by Hub name, by folder (fine-tuned or a plain Hugging Face encoder), or loaded.

    Queries go through `encode_query`, documents through `encode_document`, with the prompts and
    routes that the model stores for each. Texts are not changed; a text is never opened as a file
    or URL, also by models that take pictures. Vectors are float32. The model is loaded at first
    use, once, whatever the number of threads; the object may be shared between threads.

    Args:
        model: Hub name, path of a folder, or a `SentenceTransformer`.
        backend: `torch`, or `onnx`: exported at first use and kept, for a fraction of the time per
            query on a CPU (extra `onnx`; docs/embeddings.md has times and quality).
        quantize: with `onnx`, int8 weights; False keeps float32.
        onnx_folder: where exported models are kept; None means the user's cache folder.
        query_prompt: put before each query; None takes the model's own, `""` none.
        document_prompt: put before each document; None takes the model's own, `""` none.
        pooling: `mean`, `cls` or `max`, for a plain Hugging Face encoder; None takes what is
            stored, or mean.
        normalize: scale vectors to length 1, after truncation. A model that does so itself needs
            this only together with `truncate_dim`.
        truncate_dim: keep the first so many numbers of a Matryoshka model's vectors.
        max_seq_length: tokens to read of a text; None takes the model's limit.
        device: such as `cpu` or `cuda:0`; None takes a GPU if there is one.
        batch_size: documents encoded at a time.
        processes: encode more than one batch of documents in so many processes, or in one on each
            of the devices named. Stop them with `close()` or a `with` block.
        query_threads: torch threads of a single query on a CPU: `auto` measures while running,
            `default` leaves torch as it is, a number fixes it. `QueryLane` says what is touched.
        show_progress: a progress bar for documents.
        cache: file, or `VectorCache`, of document vectors.
        precision: `float32`, the only one that Chroma stores.
        revision: branch, tag or commit on the Hub.
        local_files_only: never ask the Hub.
        trust_remote_code: run Python code that comes with the model.
        model_kwargs: handed to the transformer when it is loaded.
        safetensors_only: load nothing that could run code: no pickles, no modules but Sentence
            Transformers' own, whatever `trust_remote_code` and `model_kwargs` say.

    Raises:
        InvalidArgumentError: an argument, a path or a folder that cannot be used. What only loading
            can tell is raised at first use.
        MissingDependencyError: at first use, without the extra `local` (or `onnx`).
    """

    @known_keywords
    def __init__(
        self,
        model: str | os.PathLike[str] | SentenceTransformer,
        *,
        backend: Backend = "torch",
        quantize: bool = True,
        onnx_folder: str | os.PathLike[str] | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        pooling: Pooling | None = None,
        normalize: bool = False,
        truncate_dim: int | None = None,
        max_seq_length: int | None = None,
        device: str | None = None,
        batch_size: int = 32,
        processes: int | Sequence[str] | None = None,
        query_threads: QueryThreads = "auto",
        show_progress: bool = False,
        cache: str | os.PathLike[str] | VectorCache | None = None,
        precision: Literal["float32"] = "float32",
        revision: str | None = None,
        local_files_only: bool = False,
        trust_remote_code: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        safetensors_only: bool = False,
    ) -> None:
        _one_of("backend", backend, ("torch", "onnx"))
        _one_of("precision", precision, ("float32",))
        _one_of("pooling", pooling, (None, *POOLINGS))
        _positive(batch_size=batch_size, truncate_dim=truncate_dim, max_seq_length=max_seq_length)
        if processes is not None and backend == "onnx":
            raise InvalidArgumentError.of(
                "processes", processes, "None with backend='onnx', which uses threads"
            )
        if device not in (None, "cpu") and backend == "onnx":
            raise InvalidArgumentError.of("device", device, "'cpu' with backend='onnx'")
        loaded = model if hasattr(model, "encode_document") else None
        self.source = Source(
            "" if loaded is not None else resolve(model),  # type: ignore[arg-type] # told apart by `loaded`
            revision=revision,
            pooling=pooling,
            device=device,
            max_seq_length=max_seq_length,
            local_files_only=local_files_only,
            trust_remote_code=trust_remote_code,
            model_kwargs=dict(model_kwargs or {}),
            safetensors_only=safetensors_only,
        )
        if loaded is not None and self.source != Source(""):
            raise InvalidArgumentError.of(
                "model", type(model).__name__, "a name or path with these load options"
            )
        self.options = EncodeOptions(
            query_prompt, document_prompt, normalize, truncate_dim, batch_size, show_progress
        )
        self.backend, self.quantize, self.onnx_folder = backend, quantize, onnx_folder
        self.query_threads = query_threads
        self.cache = (
            cache if cache is None or isinstance(cache, VectorCache) else VectorCache(cache)
        )
        self._given: Any = loaded
        self._pool = ProcessPool(processes) if processes is not None else None
        self._lane = QueryLane(query_threads if backend == "torch" else "default")
        self._lock = threading.Lock()
        self._encoder: Encoder | None = None

    @property
    def model(self) -> SentenceTransformer:
        """The loaded model; loads it."""
        return self._ready().model

    @property
    def dimension(self) -> int | None:
        """Length of the vectors; None before the model is loaded."""
        return self._encoder.dimension if self._encoder is not None else None

    @property
    def fingerprint(self) -> str:
        """32 hex digits: new after retraining, equal for a moved folder. Loads the model.

        The backend is not part of it: documents embedded by torch may be searched through ONNX.
        """
        return self._ready().fingerprint

    @property
    def query_fingerprint(self) -> str:
        """The same with the prompt of queries and the way in which they are computed."""
        return f"{self.fingerprint}/{self._way}/{self.options.query_prompt}"

    @property
    def weights_fingerprint(self) -> str:
        """The same for the weights, tokenizer and modules alone. Loads the model."""
        return self._ready().digest

    @property
    def model_name(self) -> str:
        """Hub name or path; empty for a model that was given."""
        return str(self.source.name)

    @property
    def computed_by(self) -> str:
        """`torch`, `onnx` or `onnx-int8`."""
        return self._way

    @property
    def _way(self) -> str:
        return f"{self.backend}-int8" if self.backend == "onnx" and self.quantize else self.backend

    @property
    def truncated_count(self) -> int:
        """Texts so far that were longer than the model reads; the first is also logged."""
        return self._encoder.truncation.count if self._encoder is not None else 0

    def close(self) -> None:
        """Stop the processes, if any run. The object stays usable."""
        if self._pool is not None and self._encoder is not None:
            self._pool.close(self._encoder.model)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self) -> Encoder:
        if self._encoder is None:
            with self._lock:
                if self._encoder is None:
                    self._encoder = self._load()
        return self._encoder

    def _load(self) -> Encoder:
        """The encoder of the given or the named model; with the backend `onnx`, converted to it."""
        encoder = Encoder(
            self._given if self._given is not None else load(self._placed()), self.options
        )
        if self.backend == "onnx":
            from langchain_chroma_hybrid.embeddings.onnx import backend  # noqa: PLC0415 - needs torch

            encoder.model = backend.convert(
                encoder.model,
                encoder.digest,
                quantize=self.quantize,
                folder=self.onnx_folder,
                query_threads=_onnx_threads(self.query_threads),
            )
        elif encoder.model.device.type != "cpu":
            self._lane = QueryLane("default")
        return encoder

    def _placed(self) -> Source:
        return replace(self.source, device="cpu") if self.backend == "onnx" else self.source

    def _encode_query(self, text: str) -> Any:
        encoder = self._ready()
        return self._lane.run(lambda: encoder.query(text))

    def _encode_documents(self, texts: list[str]) -> Any:
        """Vectors, through the cache if there is one, where each backend and int8 is kept apart."""
        encoder = self._ready()
        if self.cache is None:
            return encoder.documents(texts, self._pool)
        return self.cache.embed(
            f"{encoder.fingerprint}/{self._way}",
            texts,
            lambda some: encoder.documents(some, self._pool),
            self.options.batch_size * _CACHE_STEP,
        )


def _onnx_threads(threads: QueryThreads) -> int | None:
    """Threads of onnxruntime for one text; one suits small models and busy machines."""
    if threads == "auto":
        return 1
    return None if threads == "default" else threads


def _one_of(name: str, got: object, choices: Sequence[object]) -> None:
    if got not in choices:
        raise InvalidArgumentError.of(name, got, " or ".join(repr(choice) for choice in choices))


def _positive(**numbers: int | None) -> None:
    for name, number in numbers.items():
        if number is not None and (
            isinstance(number, bool) or not isinstance(number, int) or number < 1
        ):
            raise InvalidArgumentError.of(name, number, "a number >= 1")
