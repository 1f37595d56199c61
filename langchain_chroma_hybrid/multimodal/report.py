"""What became of each picture of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageFailure:
    """A picture that could not be used: which one, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What a run did, by record id.

    Attributes:
        added: pictures that were new.
        updated: pictures whose content had changed; they were embedded again.
        described: pictures whose caption, tags or other metadata alone had changed, or that were
            only touched or moved in time; their vectors stay.
        unchanged: pictures that were passed over.
        deleted: pictures whose files are gone (`sync` only).
        failed: what could not be read, and why. A picture that was fine before stays as it was.
    """

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    failed: tuple[ImageFailure, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of all pictures of the run that are in the collection now."""
        return (*self.added, *self.updated, *self.described, *self.unchanged)
