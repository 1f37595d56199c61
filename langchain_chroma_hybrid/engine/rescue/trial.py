"""Whether Chroma can read the vectors of collections, tried where it may die of it: in a child."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from langchain_chroma_hybrid.engine.chroma.torn import UNREADABLE
from langchain_chroma_hybrid.engine.chroma.vectors import Vectors
from langchain_chroma_hybrid.engine.rescue.reading import opened, pages_of_ids
from langchain_chroma_hybrid.engine.rescue.segments import Place
from langchain_chroma_hybrid.errors import RescueError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore

_CHILD = "from langchain_chroma_hybrid.engine.rescue.trial import main; main()"
_RAISED = 1  # the code of a Python process that ends by an exception
# So many records are looked for by their own vectors, among so many neighbours. Of a graph that is
# whole some are not found; of one whose links are torn hardly any.
_SOUGHT, _NEIGHBOURS, _FOUND_LEAST = 50, 100, 0.1


# Nothing that a model makes is shorter; how exactly Chroma tells that a vector is zero.
_TINY, _FROM_ZERO = 1e-12, 1e-4


class _NotWholeError(Exception):
    """Chroma reads the files without a word, and what it gives cannot be right."""


def unreadable(copy: Path, collections: Sequence[Place]) -> dict[Place, str]:
    """Those whose vectors cannot all be read and searched, each with the reason.

    A child process tries one after the other in `copy`, which may change by that; where it dies,
    another one goes on behind.

    Raises:
        RescueError: no child can do it.
    """
    found: dict[Place, str] = {}
    rest = list(collections)
    while rest:
        child = subprocess.run(  # noqa: S603  # ourselves
            [sys.executable, "-c", _CHILD],
            input=json.dumps([str(copy), rest]),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        told = [json.loads(line) for line in child.stdout.splitlines() if line.startswith("[")]
        found |= {rest[at]: why for at, why in told if why is not None}
        if len(told) == len(rest):
            break
        if child.returncode in (_RAISED, -getattr(signal, "SIGKILL", 0)):
            last = child.stderr.strip().rpartition("\n")[2] or "killed, as for want of memory"
            raise RescueError(f"path: collection {rest[len(told)].name!r} cannot be tried: {last}")
        found[rest[len(told)]] = f"the process that reads them dies (code {child.returncode})"
        rest = rest[len(told) + 1 :]
    return found


def main() -> None:
    """Try what stdin names, and print a line for each: its number, and what is wrong or null."""
    copy, collections = json.load(sys.stdin)
    for at, each in enumerate(collections):
        sys.stdout.write(f"{json.dumps([at, _problem(Path(copy), Place(*each))])}\n")
        sys.stdout.flush()


def _problem(copy: Path, place: Place) -> str | None:
    try:
        with opened(copy, place) as store:
            _try_all(store)
    except (*UNREADABLE, _NotWholeError) as error:
        return str(error.__cause__ or error)
    return None


def _try_all(store: ChromaStore) -> None:
    """Read every vector, and look for some records by their own.

    Raises:
        _NotWholeError: vectors are missing or no numbers, or hardly any record is found.
    """
    count, passed, sought, found = store.count(), 0, 0, 0
    step = max(1, count // _SOUGHT)
    for ids in pages_of_ids(store):
        page = store.get(ids=ids, include=["embeddings"])
        block = np.asarray(page["embeddings"], dtype=np.float32)
        if len(page["ids"]) != len(ids) or not np.isfinite(block).all():
            raise _NotWholeError("vectors are missing, or not numbers")
        _refuse_lost_lengths(store, page["ids"], block)
        for at in range(-passed % step, len(ids), step):
            sought += 1
            one = Vectors.of([page["ids"][at]], block[at : at + 1].copy())
            found += _is_found(store, one, count)
        passed += len(ids)
    if found < sought * _FOUND_LEAST:
        raise _NotWholeError(f"only {found} of {sought} records are found by their own vectors")


def _refuse_lost_lengths(store: ChromaStore, ids: Sequence[str], block: Any) -> None:
    """Raise where vectors that are read as zero still point somewhere.

    For cosine Chroma keeps directions and lengths apart, and reads any length without a word.
    To vectors that are zero, as some models embed nothing, everything is as far.

    Raises:
        _NotWholeError: they do.
    """
    lengths = np.linalg.norm(block.astype(np.float64), axis=1)
    odd = [id_ for id_, length in zip(ids, lengths, strict=True) if not _TINY < length < 1 / _TINY]
    if some := odd[:_SOUGHT]:
        ray = np.random.default_rng(0).normal(size=block.shape[1]).astype(np.float32)
        ray /= np.linalg.norm(ray)
        hits = store.query_among(ray, len(some), some) or ()
        if any(abs(hit.score - 1.0) > _FROM_ZERO for hit in hits):
            raise _NotWholeError(f"the lengths of {len(odd)} vectors are lost")


def _is_found(store: ChromaStore, one: Vectors, count: int) -> bool:
    """Whether a record is among its neighbours, or could not be, as these are all as near."""
    hits = store.query(one.block[0], min(count, _NEIGHBOURS), None)
    own = float(store.distances(one.block[0], one)[0])
    return any(hit.id == one.ids[0] for hit in hits) or bool(hits and hits[-1].score <= own)
