"""Several processes for many documents."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentence_transformers import SentenceTransformer


class ProcessPool:
    """Sentence Transformers' own pool: started at first use, one call at a time.

    The processes are spawned, so a script that uses them needs `if __name__ == "__main__":`.

    Args:
        processes: how many, on the GPUs or else the CPU; or one device name for each.
    """

    def __init__(self, processes: int | Sequence[str]) -> None:
        count = processes if isinstance(processes, int) else len(processes)
        if isinstance(processes, bool | str) or count < 1:
            raise InvalidArgumentError.of(
                "processes", processes, "a number >= 1 or a list of devices"
            )
        self._processes = processes
        self._lock = threading.Lock()
        self._pool: dict[Any, Any] | None = None

    def encode_documents(self, model: SentenceTransformer, texts: list[str], **options: Any) -> Any:
        """`model.encode_document(texts, **options)` in the pool; after an error it starts anew."""
        with self._lock:  # results of two calls would meet in one queue
            if self._pool is None:
                self._pool = model.start_multi_process_pool(self._devices())
            try:
                return model.encode_document(texts, pool=self._pool, **options)
            except BaseException:
                self._stop(model)
                raise

    def close(self, model: SentenceTransformer) -> None:
        """Stop the processes. A later call starts new ones."""
        with self._lock:
            self._stop(model)

    def _stop(self, model: SentenceTransformer) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            model.stop_multi_process_pool(pool)

    def _devices(self) -> list[str]:
        if not isinstance(self._processes, int):
            return list(self._processes)
        gpus = require("torch", "local").cuda.device_count()
        return [f"cuda:{n % gpus}" if gpus else "cpu" for n in range(self._processes)]
