"""The commands about records: `list`, `get`, `facets`, `export` and `delete`."""

from __future__ import annotations

import os
import sys
from collections import Counter
from contextlib import contextmanager
from dataclasses import fields
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._files import replacing
from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.cli.filling import in_step
from langchain_chroma_hybrid.cli.opening import client_of, json_option, open_store, store_in
from langchain_chroma_hybrid.cli.options import Place
from langchain_chroma_hybrid.cli.output import (
    Printed,
    line,
    note,
    pairs,
    show_all,
    table,
)
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.engine.chroma.clients import collection_names
from langchain_chroma_hybrid.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from langchain_chroma_hybrid.cli.options import Format, Server, Sure
    from langchain_chroma_hybrid.vectorstores import HybridChroma

_PAGE = 500


def list_collections(server: Server, kind: Format) -> None:
    """Print a row for each collection."""
    client = client_of(server)
    place = Place(**{field.name: getattr(server, field.name) for field in fields(server)})
    names = collection_names(client)
    found = [{**_collection(store_in(client, name, place)), "collection": name} for name in names]
    if kind != "table":
        show_all(found, kind)
    elif found:
        columns = {"collection": "text", "records": "number", "embeddings": "text", "index": "wide"}
        table(columns, [[str(value) for value in each.values()] for each in found])
    else:
        note("no collections here; `chroma-hybrid add PATH` makes one")


def get(ids: Sequence[str], place: Place, kind: Format) -> bool:
    """Print records in the order of their ids; whether all are there."""
    store = open_store(place)
    wanted = list(dict.fromkeys(ids))
    found = {row["id"]: row for row in _rows(store, wanted, vectors=False)}
    missing = [id_ for id_ in wanted if id_ not in found]
    if missing:
        note(f"no record {', '.join(map(repr, missing))} in {store._collection_name!r}")  # noqa: SLF001  # no public name
    there = [found[id_] for id_ in wanted if id_ in found]
    if kind != "table":
        show_all(there, kind)
    else:
        for row in there:
            metadata = row.pop("metadata")
            pairs({**row, **{f"metadata.{key}": value for key, value in metadata.items()}})
    return not missing


def facets(keys: Sequence[str], place: Place, kind: Format, *, where: str | None, k: int) -> bool:
    """Print how often each value of metadata keys occurs; without keys, which there are."""
    condition = json_option("--where", where)
    parse(condition, names=("--where", ""))
    store = open_store(place)
    counts: dict[str, Counter[tuple[type, Any]]] = {}
    records: Counter[str] = Counter()
    for row in _rows(store, _ids(store, condition), vectors=False, texts=False):
        for name, value in row["metadata"].items():
            records[name] += 1
            if name in keys:
                values = set(value) if isinstance(value, list) else (value,)
                counts.setdefault(name, Counter()).update((type(v), v) for v in values)
    if not keys:
        found = [{"key": name, "records": n} for name, n in sorted(records.items())]
    else:
        found = [row for key in keys for row in _counted(key, counts.get(key, Counter()), k)]
    for key in keys:
        if key not in records:
            note(_unknown(key, sorted(records)))
    if kind != "table":
        show_all(found, kind)
    elif found:
        columns = {name: "wide" if name == "value" else "text" for name in found[0]}
        table(columns, [map(_text, row.values()) for row in found])
    return all(key in records for key in keys) and bool(found)


def export(
    place: Place,
    kind: Format,
    *,
    output: Path | None,
    where: str | None,
    vectors: bool,
) -> None:
    """Write all records that pass, as `add` reads them."""
    condition = json_option("--where", where)
    parse(condition, names=("--where", ""))
    if vectors and kind == "csv":
        raise InvalidArgumentError("--vectors: only with --format jsonl, not in a spreadsheet")
    store = open_store(place)
    ids = _ids(store, condition)
    columns = None
    if kind == "csv":
        found = (row["metadata"] for row in _rows(store, ids, vectors=False, texts=False))
        keys = sorted(set(chain.from_iterable(found)))
        columns = ["id", "text", "uri", *(f"metadata.{key}" for key in keys)]
    count = 0
    with _opened(output) as file, Printed(kind, file, columns) as out:
        for count, row in enumerate(_rows(store, ids, vectors=vectors), 1):  # noqa: B007  # told below
            out.add(row)
    note(f"{count} records written")


def delete(
    ids: Sequence[str], place: Place, sure: Sure, kind: Format, filters: Mapping[str, str | None]
) -> bool:
    """Delete what is named or passes, once the user says so; whether there was any."""
    where = json_option("--where", filters["where"])
    document = json_option("--where-document", filters["where_document"])
    parse(where, document, names=("--where", "--where-document"))
    if not ids and not where and not document:
        expected = "ids, or a filter that says which records: all would go"
        raise InvalidArgumentError.of("--where", filters["where"], expected)
    store = open_store(place)
    named = list(dict.fromkeys(ids)) or None
    found: list[str] = store.get(
        ids=named, where=where, where_document=document, include=[]  # type: ignore[arg-type]  # a plain mapping
    )["ids"]
    for id_ in named or ():
        if id_ not in found:
            note(f"no record {id_!r} that could be deleted")
    if found:
        sure.ask(f"Delete {_counted_records(found)} of {store._collection_name!r}?")  # noqa: SLF001  # as above
        store.delete(found)
        in_step(store)
    if kind != "table":
        show_all([{"deleted": len(found)}], kind)
    else:
        line(f"{_counted_records(found)} deleted")
    return bool(found)


def _collection(store: HybridChroma) -> dict[str, Any]:
    """What `list` prints of one."""
    handle = bridge.handle_of(store)
    about = handle.about()
    behind = f"{about.indexed} of {about.records} records: `sync` brings in the rest"
    problem = about.problem or (behind if about.indexed != about.records else None)
    return {
        "collection": about.collection,
        "records": about.records,
        "embeddings": str(about.model or handle.embedding_function or "-"),
        "index": problem or "in step",
    }


def _ids(store: HybridChroma, where: dict[str, Any] | None) -> list[str]:
    """Of all that pass now, in the order in which they came."""
    ids: list[str] = store.get(where=where, include=[])["ids"]
    return ids


def _rows(
    store: HybridChroma, ids: Sequence[str], *, vectors: bool, texts: bool = True
) -> Iterator[dict[str, Any]]:
    """Records as `add` reads them, page by page; those that were deleted meanwhile are left out."""
    columns = ["metadatas", *(["documents", "uris"] if texts else ())]
    columns += ["embeddings"] if vectors else []
    for start in range(0, len(ids), _PAGE):
        page = list(ids[start : start + _PAGE])
        found = store.get(ids=page, include=columns)
        places = {id_: place for place, id_ in enumerate(found["ids"])}
        for id_ in page:
            if id_ in places:
                yield _row(id_, {name: found[name][places[id_]] for name in columns})


def _row(id_: str, values: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = {"id": id_, "text": values.get("documents")}
    row["metadata"] = dict(sorted((values["metadatas"] or {}).items()))
    if values.get("uris") is not None:
        row["uri"] = values["uris"]
    if "embeddings" in values:
        row["embedding"] = [float(number) for number in values["embeddings"]]
    return row


@contextmanager
def _opened(output: Path | None) -> Iterator[TextIO]:
    """Stdout, a file that is there whole or not at all, or a device."""
    if output is None or str(output) == "-":
        yield sys.stdout
        return
    try:
        if output.exists() and not output.is_file():
            with output.open("w", encoding="utf-8") as file:
                yield file
            return
        with replacing(Path(os.path.realpath(output))) as file:
            yield file
    except OSError as error:
        why = f"--output: {output} cannot be written: {error.strerror}"
        raise OSError(error.errno, why) from error


def _counted(
    key: str, counts: Counter[tuple[type, Any]], k: int
) -> Iterator[dict[str, Any]]:
    """The commonest values of a key, and how many more there are."""
    order = sorted(counts.items(), key=lambda each: (-each[1], str(each[0][1])))
    for (_, value), times in order[:k]:
        yield {"key": key, "value": value, "records": times}
    if len(order) > k:
        note(f"{key}: {len(order) - k} more values; -k shows them")


def _unknown(key: str, keys: Sequence[str]) -> str:
    meant = get_close_matches(key, keys, 1)
    guess = f"; did you mean {meant[0]!r}?" if meant else ""
    return f"no record has {key!r}; there are: {', '.join(keys) or 'no keys at all'}{guess}"


def _counted_records(found: Sequence[str]) -> str:
    return "1 record" if len(found) == 1 else f"{len(found)} records"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
