"""The steps of a write by name, so that tests can stop the program at each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Each is passed in this order by a write; the last two only where a collection ends.
FAILPOINTS = (
    "journal opened",
    "journal written",
    "journal synced",
    "chroma written",
    "index locked",
    "index read",
    "index applied",
    "journal done",
    "collection deleted",
    "index removed",
)
# The steps of an upgrade, after the pages of the new index, each of which is "index applied".
OF_UPGRADES = ("successor built", "successor in step", "successor in place")
# The steps of a rescue; vectors are written batch by batch.
OF_RESCUES = (
    "collections tried", "folder copied", "vectors written", "folder filled", "folder in place",
)  # fmt: skip

# The steps of a migration to another model, each in this order; batches come several times.
OF_MIGRATIONS = (
    "migration noted",
    "target made",
    "batch written",
    "batch copied",
    "writers wait",
    "index copied",
    "index carried",
    "switched",
    "migration done",
)
# What follows where names are exchanged, or the old collection is dropped.
OF_NAMES = ("names noted", "old renamed", "new renamed", "old dropped")

watcher: Callable[[str], None] | None = None


def reach(step: str) -> None:
    """Tell a test, if one is watching, that `step` has just been done."""
    if watcher is not None:
        watcher(step)
