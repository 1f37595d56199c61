"""A collection whose vector files Chroma cannot read any more, by the words that Chroma has for it.

Chroma (1.5) writes them in place. A process that is killed meanwhile leaves them torn; of some
tears Chroma says so, of others the process that opens them dies, which nobody in it can catch.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from chromadb.errors import InternalError

from langchain_chroma_hybrid.errors import TornCollectionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# "Error finding id" is not among them: it is what a record of another process says, too.
SAID_OF_TORN_FILES = (
    "Failed to apply logs to the hnsw segment writer",
    "Failed to get hnsw segment writer",
    "Error constructing hnsw segment reader",
    "Error creating hnsw segment reader",
    "Error creating hnsw segment writer",
    "Error reading from hnsw segment reader",
    "Error getting embedding",
    "Error querying knn",
)

UNREADABLE = (InternalError, TornCollectionError)
"""What is raised where vectors cannot be read, for whatever reason."""


def is_torn(error: BaseException) -> bool:
    """Whether Chroma says that it cannot read its vector files."""
    text = str(error)
    return isinstance(error, InternalError) and any(said in text for said in SAID_OF_TORN_FILES)


@contextmanager
def told_if_torn(name: str, directory: Path | None) -> Iterator[None]:
    """What Chroma says of torn files of the collection `name`, as one error of ours.

    Raises:
        TornCollectionError: names the collection, its folder (None: a server's) and the way out.
    """
    try:
        yield
    except InternalError as error:
        if not is_torn(error):
            raise
        where = directory or "the server's folder"
        rescue = f"chroma-hybrid rescue {directory or 'FOLDER'}"
        raise TornCollectionError(
            f"collection {name!r}: Chroma cannot read its vector files in {where}, as after a kill "
            f"while it wrote them ({error}). Its texts and metadata are there: stop all that has "
            f"the folder open, and run `{rescue}`, which makes a whole copy of it"
        ) from error
