"""What a crash of the server may have taken from pg_textsearch: before 1.4 it says nothing of it.

Looked at on every new connection, since a crash ends all of them.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg import Connection

    from langchain_chroma_hybrid.lexical.postgres.schema import Names

APPLICATION = "chroma-hybrid"
"""The name of our sessions."""

_LOG = logging.getLogger(__name__)
_MOST_LIKE_IT = 5_000
_END_OTHERS = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = %s and datname = current_database() and usename = current_user
        and pid <> pg_backend_pid()
"""
_COUNTS = """
    select total - textless, bm25_summarize_index('{schema}.{name}_bm25')
    from {schema}.indexes where name = '{name}'
"""
_MAY_COUNT = "select has_function_privilege('bm25_summarize_index(text)', 'execute')"
_PROBES = """
    select r.key, w.token, w.n from (
        (select key, words from {schema}.{name}_records where has_text order by seq desc limit 1)
        union all
        (select key, words from {schema}.{name}_records where has_text order by seq limit 1)
    ) r, lateral (
        select token, n from {schema}.{name}_words
        where token = any(r.words[1:500]) and substr(token, 2, 2) <> 'zz'
        order by n, token limit 1
    ) w
"""
_FOUND = """
    select exists(select from (
        select key from {schema}.{name}_records
        order by indexed <@> to_bm25query(%(token)s, '{schema}.{name}_bm25') limit %(most)s
    ) r where key = %(key)s)
"""


def mend(connection: Connection[Any], names: Names) -> None:
    """Build the index of pg_textsearch anew."""
    _under_lock(connection, names, lambda: True)


def check(connection: Connection[Any], names: Names) -> None:
    """See that pg_textsearch still has what was acknowledged, and build its index anew if not."""
    if not _whole(connection, names):
        # Unless somebody has done so meanwhile.
        _under_lock(connection, names, lambda: not _whole(connection, names))


def _under_lock(connection: Connection[Any], names: Names, lost: Callable[[], bool]) -> None:
    """Build the index anew if it has lost something; the session may have the lock already."""
    with connection.transaction():
        connection.execute("set local statement_timeout = 0")
        connection.execute("select pg_advisory_xact_lock(%s)", [names.lock])
        if lost():
            _LOG.warning("pg_textsearch has lost records after a crash: its index is built anew")
            connection.execute(names.fill("reindex index {schema}.{name}_bm25"))
            # Before 1.3 sessions go on writing to the index that they know.
            connection.execute(_END_OTHERS, [APPLICATION])


def _whole(connection: Connection[Any], names: Names) -> bool:
    """Whether the index has as many records as the table, and the newest and an old one of it."""
    there = names.fill("select to_regclass('{schema}.{name}_records')")
    if connection.execute(there).fetchone() == (None,):
        return True
    if connection.execute(_MAY_COUNT).fetchone() == (True,):  # who only reads may not
        row = connection.execute(names.fill(_COUNTS)).fetchone()
        counted = row and re.search(r"total_docs: (\d+)", row[1])
        if row and counted and int(counted[1]) < row[0]:
            return False
    probes = connection.execute(names.fill(_PROBES)).fetchall()
    return all(_finds(connection, names, *probe) for probe in probes)


def _finds(connection: Connection[Any], names: Names, key: bytes, token: str, n: int) -> bool:
    if n > _MOST_LIKE_IT:
        return True
    values = {"token": token, "most": n + 16, "key": key}
    row = connection.execute(names.fill(_FOUND), values).fetchone()
    return row is not None and bool(row[0])
