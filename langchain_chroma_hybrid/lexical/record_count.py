"""How many records an index holds, without asking it each time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex


class RecordCount:
    """The count of one index as of its last answer: asked anew when the version is another one.

    Thread safety: may be called from many threads.
    """

    def __init__(self) -> None:
        self._known: tuple[object, int] | None = None

    def of(self, lexical: LexicalIndex) -> int:
        """Number of records."""
        known, version = self._known, lexical.version()
        if known is None or known[0] != version:
            known = self._known = version, lexical.count()
        return known[1]
