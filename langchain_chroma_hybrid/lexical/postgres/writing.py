"""Writing records, and what their readers have to know, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import IndexFormatError
from langchain_chroma_hybrid.lexical.postgres.rows import Row
from langchain_chroma_hybrid.lexical.postgres.schema import COLUMNS, INFO, Info, make_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from psycopg import Connection

    from langchain_chroma_hybrid.lexical.postgres.schema import Names

_PART = 2_000_000  # characters that are sent at once: some seconds of a statement
_CHANGE = """
    insert into {schema}.{name}_words as w (token, n)
    select token, %(by)s * count(*) from changed, unnest(words) token group by token
    on conflict (token) do update set n = w.n + excluded.n
"""
_SUMS = """
    select count(*), count(*) filter (where not has_text),
        (select coalesce(array_agg(s order by f), '{{}}') from (
            select f, sum(l)::bigint s from changed, unnest(lengths) with ordinality x(l, f)
            group by f) y)
    from changed
"""
_DELETE = f"""
    with changed as (
        delete from {{schema}}.{{name}}_records where key = any(%(keys)s::bytea[])
        returning words, lengths, has_text
    ), counted as ({_CHANGE}) {_SUMS}
"""
_INSERT = f"""
    with changed as (
        insert into {{schema}}.{{name}}_records
        select key, long_id, %(seq)s, digest, words <> '', terms, indexed,
            string_to_array(words, ' '), string_to_array(counts, ' ')::int[],
            string_to_array(lengths, ' ')::int[], string_to_array(facts, ' '), numbers::jsonb
        from unnest(%(key)s::bytea[], %(long_id)s::bytea[], %(digest)s::bigint[], %(terms)s::text[],
            %(indexed)s::text[], %(words)s::text[], %(counts)s::text[], %(lengths)s::text[],
            %(facts)s::text[], %(numbers)s::text[])
            u(key, long_id, digest, terms, indexed, words, counts, lengths, facts, numbers)
        returning words, lengths, has_text
    ), counted as ({_CHANGE}) {_SUMS}
"""
_BEGIN = f"""
    update {{schema}}.indexes set version = version + 1, used = now()
    where name = '{{name}}' returning {INFO}
"""
_ADD = """
    update {schema}.indexes i set total = total + %(by)s * %(total)s,
        textless = textless + %(by)s * %(textless)s,
        lengths = array(select a + %(by)s * coalesce(b, 0)
            from unnest(lengths, %(lengths)s::bigint[]) with ordinality x(a, b, f) order by f),
        unused = array(select f::int - 1
            from unnest(lengths, %(lengths)s::bigint[]) with ordinality x(a, b, f)
            where a + %(by)s * coalesce(b, 0) = 0 order by f)
    where name = '{name}'
"""
_CLEAR = f"""
    update {{schema}}.indexes set version = version + 1, used = now(), total = 0, textless = 0,
        lengths = array_fill(0::bigint, array[cardinality(lengths)]),
        unused = array(select generate_series(0, cardinality(lengths) - 1))
    where name = '{{name}}' returning {INFO}
"""


def write(
    connection: Connection[Any],
    names: Names,
    rows: Iterable[Row],
    keys: Sequence[bytes],
    begun: Callable[[Info], None],
) -> Info:
    """Put rows in the place of what is under `keys`; `begun` is told of the commit to be."""
    with connection.transaction():
        info = info_of(connection.execute(names.fill(_BEGIN)).fetchone())
        begun(info)
        _change(connection, names, _DELETE, {"keys": list(keys), "by": -1})
        for part in _parts(rows):
            _change(connection, names, _INSERT, _columns(part, info.version))
        connection.execute(names.fill("delete from {schema}.{name}_words where n <= 0"))
        query = names.fill(f"select {INFO} from {{schema}}.indexes where name = '{{name}}'")
        return info_of(connection.execute(query).fetchone())


def _change(
    connection: Connection[Any], names: Names, statement: str, values: dict[str, Any]
) -> None:
    """Take rows away or put some in, and add up what has changed."""
    sums = connection.execute(names.fill(statement), values).fetchone()
    if sums is not None and sums[0]:
        changed = dict(zip(("total", "textless", "lengths"), sums, strict=True))
        connection.execute(names.fill(_ADD), {**changed, "by": values["by"]})


def clear(connection: Connection[Any], names: Names, begun: Callable[[Info], None]) -> Info:
    """Remove all records at once."""
    with connection.transaction():
        begun(info := info_of(connection.execute(names.fill(_CLEAR)).fetchone()))
        # After `truncate` pg_textsearch 1.0 goes on with what it had in memory.
        make_tables(connection, names)
        return info


def info_of(row: Sequence[Any] | None) -> Info:
    """The first columns of a row, if there is one."""
    if row is None:
        raise IndexFormatError("the lexical index was removed: open the collection anew")
    return Info(*row[:COLUMNS])


def _columns(rows: Sequence[Row], seq: int) -> dict[str, Any]:
    columns = map(list, zip(*rows, strict=True))
    return {"seq": seq, "by": 1, **dict(zip(Row._fields, columns, strict=True))}


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in parts that a statement can take."""
    part: list[Row] = []
    size = 0
    for row in rows:
        part.append(row)
        size += len(row.terms) + len(row.indexed) + len(row.words) + len(row.facts)
        if size > _PART:
            yield part
            part, size = [], 0
    if part:
        yield part
