"""Which folder below a data folder holds the vectors of which collection.

Chroma tells that to nobody, so that this alone reads `chroma.sqlite3`: of a copy, and read-only.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from langchain_chroma_hybrid.errors import RescueError

if TYPE_CHECKING:
    from pathlib import Path

_ASK = """
    SELECT databases.tenant_id, databases.name, collections.name, segments.id
    FROM collections
    JOIN databases ON databases.id = collections.database_id
    JOIN segments ON segments.collection = collections.id AND segments.scope = 'VECTOR'
    ORDER BY 1, 2, 3
"""


class Place(NamedTuple):
    """A collection, and the name of the folder with its vectors, which need not be there yet."""

    tenant: str
    database: str
    name: str
    folder: str


def places(copy: Path) -> list[Place]:
    """The collections of all tenants and databases in a copy of a data folder.

    Raises:
        RescueError: it is of a version of Chroma that keeps this otherwise.
    """
    try:
        database = f"{(copy / 'chroma.sqlite3').as_uri()}?mode=ro"
        with closing(sqlite3.connect(database, uri=True)) as db:
            return [Place(*row) for row in db.execute(_ASK)]
    except sqlite3.Error as error:
        raise RescueError(
            f"path: which vector folder is whose cannot be read ({error}): "
            "another version of Chroma has written it"
        ) from error
