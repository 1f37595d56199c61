"""How many texts a model cuts off, which it does without a word."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentence_transformers import SentenceTransformer

_NO_LIMIT = 1_000_000  # tokenizers without a limit state a huge number
_log = logging.getLogger(__name__)


class TruncationCounter:
    """Counts texts that are longer than the model reads, and says so once.

    Works on a copy of the tokenizer: the cut and the padding are state of the original, which other
    threads use. Thread-safe.

    Attributes:
        limit: tokens that the model reads, special ones included; None for no limit.
        count: texts seen that were longer.
    """

    def __init__(self, model: SentenceTransformer) -> None:
        limit = model.max_seq_length
        self.limit = limit if isinstance(limit, int) and limit < _NO_LIMIT else None
        self.count = 0
        self._lock = threading.Lock()
        self._tokenizer: Any = _copy(getattr(model, "tokenizer", None)) if self.limit else None

    def look_at(self, texts: Sequence[str], prompt: str) -> None:
        """Count those of `texts` that are too long with `prompt` before them."""
        if self._tokenizer is None or self.limit is None:
            return
        # No tokenizer makes more tokens than bytes, so short texts need none.
        long = [prompt + text for text in texts if len(prompt) + len(text) > self.limit // 4]
        long = [text for text in long if len(text.encode()) + 2 > self.limit]
        over = sum(length > self.limit for length in self._lengths(long)) if long else 0
        if over:
            with self._lock:
                first = self.count == 0
                self.count += over
            if first:
                _log.warning(
                    "%d of %d texts are longer than the %d tokens that the model reads; it leaves "
                    "out the rest. Later ones are only counted: truncated_count",
                    over,
                    len(texts),
                    self.limit,
                )

    def _lengths(self, texts: list[str]) -> list[int]:
        if hasattr(self._tokenizer, "encode_batch_fast"):
            return [len(found.ids) for found in self._tokenizer.encode_batch_fast(texts)]
        return [len(self._tokenizer.encode(text, truncation=False)) for text in texts]


def _copy(tokenizer: Any) -> Any:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return tokenizer  # slow ones keep no such state
    copy = type(backend).from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy
