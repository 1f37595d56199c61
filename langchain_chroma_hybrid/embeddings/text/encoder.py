"""A loaded model and how to call it: prompts, text that stays text, dimensions, digests."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.embeddings.text.fingerprint import fingerprint, model_digest
from langchain_chroma_hybrid.embeddings.text.limits import TruncationCounter
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from langchain_chroma_hybrid.embeddings.text.pool import ProcessPool


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """What changes vectors, and how documents are batched. Prompts: None takes the model's own."""

    query_prompt: str | None = None
    document_prompt: str | None = None
    normalize: bool = False
    truncate_dim: int | None = None
    batch_size: int = 32
    show_progress: bool = False

    def vectors(self) -> dict[str, Any]:
        """Arguments of `encode_*` that both sides share."""
        return {"normalize_embeddings": self.normalize, "truncate_dim": self.truncate_dim}


class Encoder:
    """`encode_query` and `encode_document` of one loaded model. May be called from several threads.

    Attributes:
        model: the model, on whatever backend.
        digest, fingerprint: see `embeddings.fingerprint`; the second also knows the options.
        dimension: length of the vectors; None for a model that does not say.
        truncation: texts that were too long for the model.
    """

    def __init__(self, model: SentenceTransformer, options: EncodeOptions) -> None:
        self.model = model
        self.truncation = TruncationCounter(model)
        self._options = options
        self._query_prompt = _prompt(model, "query", options.query_prompt)
        self._document_prompt = _prompt(model, "document", options.document_prompt)
        self.dimension = _dimension(model, options.truncate_dim)
        self.digest = model_digest(model)
        self.fingerprint = fingerprint(
            self.digest,
            max_seq_length=model.max_seq_length,
            document_prompt=self._document_prompt,
            normalize=options.normalize,
            truncate_dim=options.truncate_dim or model.truncate_dim,
        )
        self._wraps = any(kind not in ("text", "message") for kind in model.modalities)
        self._turn = _tokenizer_turns(model)

    def query(self, text: str) -> Any:
        """The vector of one query, shape `(1, d)`."""
        self.truncation.look_at([text], self._query_prompt)
        with self._turn:
            return self.model.encode_query(
                self._inputs([text]),
                prompt=self._options.query_prompt,
                show_progress_bar=False,
                **self._options.vectors(),
            )

    def documents(self, texts: list[str], pool: ProcessPool | None = None) -> Any:
        """The vectors of documents, shape `(n, d)`; more than one batch goes to `pool`."""
        self.truncation.look_at(texts, self._document_prompt)
        inputs = self._inputs(texts)
        options = self._options.vectors() | {
            "prompt": self._options.document_prompt,
            "batch_size": self._options.batch_size,
            "show_progress_bar": self._options.show_progress,
        }
        if pool is not None and len(texts) > self._options.batch_size:
            return pool.encode_documents(self.model, inputs, **options)
        with self._turn:
            return self.model.encode_document(inputs, **options)

    def _inputs(self, texts: list[str]) -> Any:
        """Texts as text: a multimodal model opens a bare string that looks like a media path."""
        return [{"text": text} for text in texts] if self._wraps else texts


def _prompt(model: SentenceTransformer, kind: str, given: str | None) -> str:
    if given is not None:
        return given
    name = kind if kind in model.prompts else model.default_prompt_name
    return (model.prompts.get(name) or "") if name is not None else ""


def _dimension(model: SentenceTransformer, truncate_dim: int | None) -> int | None:
    full = model.get_embedding_dimension()
    if full is None or truncate_dim is None:
        return full
    if truncate_dim > full:
        raise InvalidArgumentError.of("truncate_dim", truncate_dim, f"at most the model's {full}")
    return truncate_dim


def _tokenizer_turns(model: SentenceTransformer) -> AbstractContextManager[Any]:
    """A lock where queries and documents are cut differently, which is tokenizer state."""
    first = next(iter(model.children()))
    lengths = {getattr(first, name, None) for name in ("query_length", "document_length")}
    return threading.Lock() if len(lengths) > 1 else nullcontext()
