"""What became of each file of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageFailure:
    """A file that could not be used: which one, and why. As a string both, the name once."""

    name: str
    reason: str

    def __str__(self) -> str:
        return self.reason if self.name in self.reason else f"{self.name}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What a run did, by file: a picture's record id; what those of a sound or video begin with.

    Attributes:
        added: files that were new.
        updated: files whose content had changed; they were embedded again.
        described: files whose caption, tags or other metadata alone had changed, or that were
            only touched or moved in time; their vectors stay.
        unchanged: files that were passed over.
        deleted: files that are gone (`sync` only).
        failed: what could not be read, and why. A file that was fine before stays as it was.
        damaged: what could be read in part, and why not all of it; the part is in the collection.
    """

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    failed: tuple[ImageFailure, ...] = ()
    damaged: tuple[ImageFailure, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all files of the run that are in the collection now."""
        return (*self.added, *self.updated, *self.described, *self.unchanged)
