"""What the strategies for filtered neighbours cost, as far as it can be told beforehand."""

from __future__ import annotations


class Cost:
    """Estimated milliseconds. Only their order matters, which machines share.

    Fitted to `benchmarks/latency.py` at 20,000 and 100,000 records of 384 dimensions.
    """

    @staticmethod
    def exact(passing: int, unread: int, *, remembered: bool = True) -> float:
        """Rank so many vectors, of which so many are to be read.

        If they are remembered, a third of the reading counts: the next query finds them read.
        """
        return 0.5 + 0.0001 * passing + (1 / 3 if remembered else 1.0) * Cost.reading(unread)

    @staticmethod
    def reading(unread: int) -> float:
        """Have Chroma hand over so many vectors."""
        return 0.045 * unread

    ASKING = 1.0
    """One question to a lexical index on another machine."""

    @staticmethod
    def neighbours(n: int) -> float:
        """Ask for so many neighbours without a filter, and see which of them pass."""
        return 1.5 + 0.008 * n

    @staticmethod
    def affordable(milliseconds: float) -> int:
        """Neighbours that can be asked for in that time."""
        return max(0, int((milliseconds - 1.5) / 0.008))

    @staticmethod
    def ids(total: int, passing: int) -> float:
        """Ask for neighbours among so many ids: a walk until enough of them came by."""
        return 3.0 + 0.002 * passing + 0.0008 * total * min(1.0, 200 / max(1, passing))

    @staticmethod
    def chroma(total: int, passing: int) -> float:
        """Chroma's own filter over so many records, of which so many pass."""
        return 3.0 + 0.0008 * total + 0.003 * passing
