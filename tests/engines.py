"""Every engine of the factory, by what a test's name says of it."""

from __future__ import annotations

import tempfile
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_chroma_hybrid import Analyzer
from langchain_chroma_hybrid.lexical.factory import open_index
from tests.opensearch import any_url
from tests.postgres import any_dsn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_chroma_hybrid.lexical.protocol import LexicalIndex

ENGINES = {
    "tantivy on disk": "tantivy:FOLDER",
    "tantivy in RAM": "tantivy:",
    "rank_bm25": "rank_bm25:okapi",
    "PostgreSQL": "postgresql://",
    "OpenSearch": "opensearch+http://",
}


@cache
def in_postgres() -> LexicalIndex:
    """One for all tests of this process: to make tables takes longer than to empty them."""
    dsn = any_dsn()
    sign = "&" if "?" in dsn else "?"
    address = f"{dsn}{sign}schema=engines&allow_unsafe=true"
    return open_index(None, address, analyzer=Analyzer())


@cache
def in_opensearch() -> LexicalIndex:
    """The same there."""
    return open_index(
        None, f"opensearch+{any_url('OpenSearch')}/lch-engines?replicas=0", analyzer=Analyzer()
    )


SHARED = {"postgresql://": in_postgres, "opensearch+http://": in_opensearch}


@contextmanager
def empty_index(engine: str) -> Iterator[LexicalIndex]:
    """An empty index of an engine, as the factory opens it."""
    address = ENGINES[engine]
    if address in SHARED:
        index = SHARED[address]()
        index.clear()
        yield index
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "index") if address.endswith("FOLDER") else None
        with closing(open_index(place, address, analyzer=Analyzer())) as index:
            yield index
