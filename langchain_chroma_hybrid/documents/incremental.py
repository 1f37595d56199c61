"""Files in a collection: what is new is embedded, what is gone goes, nothing is done twice."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from langchain_core.indexing import index

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.documents.reading import in_words
from langchain_chroma_hybrid.documents.record_manager import SqliteRecordManager
from langchain_chroma_hybrid.documents.records import read_records
from langchain_chroma_hybrid.documents.writing import write_records
from langchain_chroma_hybrid.engine.places import files_note
from langchain_chroma_hybrid.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_core.documents import Document

    from langchain_chroma_hybrid.documents.reading import ReadFile
    from langchain_chroma_hybrid.documents.records import GivenRecord
    from langchain_chroma_hybrid.vectorstores import HybridChroma

Became: TypeAlias = Literal["added", "changed", "unchanged", "removed", "skipped"]
_BATCH = 100
_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one file.

    Attributes:
        added, removed, unchanged: how many of its records.
        problem: why it was skipped.
        failed: skipping it is an error: it was named and is of no known kind, or cannot be read.
    """

    source: str
    became: Became
    added: int = 0
    removed: int = 0
    unchanged: int = 0
    problem: str | None = None
    failed: bool = False


class FileIndex:
    """The files of a collection, and which of its records came out of each.

    What is known of them lies beside the lexical index, in `files/<id of the collection>.sqlite3`,
    and goes with the collection.

    Args:
        store: where they go; it needs embeddings.
        embeds: called before the first text is embedded; raises where nothing can.
        encoding: of JSON lines, as for `read_files`.
    """

    @known_keywords
    def __init__(
        self,
        store: HybridChroma,
        *,
        embeds: Callable[[], None] = lambda: None,
        encoding: str = "utf-8",
    ) -> None:
        self._store, self._embeds, self._encoding = store, embeds, encoding
        about = bridge.handle_of(store).about()
        file = None if about.folder is None else files_note(about.folder)
        self._known = SqliteRecordManager(file, about.id)

    def close(self) -> None:
        """Give the file back; may be called twice."""
        self._known.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add(self, file: ReadFile) -> Change:
        """Bring in what a file holds now, and take out what it held before.

        A file that cannot be read leaves what is known of it. If the writing fails, what was new is
        taken out again.

        Raises:
            Exception: what kept the collection from being written, or its model from embedding.
        """
        source = str(file.path)
        if file.state == "empty":
            gone = self.forget(source)
            return Change(source, "skipped", removed=gone, problem=file.problem, failed=True)
        if file.state != "read":
            failed = file.named or file.state == "failed"
            return Change(source, "skipped", problem=file.problem, failed=failed)
        try:
            if file.path.suffix.lower() in _LINES:
                return self.add_records(read_records(file.path, encoding=self._encoding), source)
            return self._passages(file.documents, source)
        except (DocumentError, FileNotFoundError) as error:  # changed since it was looked at
            return Change(source, "skipped", problem=in_words(error), failed=True)

    def add_records(self, records: Iterable[GivenRecord], source: str | None) -> Change:
        """Bring in records as they are; with a source, what it gave before and gives no more goes.

        If that fails, records that were there before under the same ids stay as they are by then:
        each whole, some as they were, some as given, of which a note of the error tells.

        Raises:
            DocumentError, Exception: as for `add`.
        """
        known, start = self._keys(source), self._known.get_time()
        added = unchanged = changed = 0
        rest = iter(records)
        with self._undone(source, known), _told(source, lambda: changed):
            while batch := list(islice(rest, _BATCH)):
                if any(record.embedding is None for record in batch):
                    self._embeds()
                new, other = write_records(self._store, batch)
                added, unchanged = added + new, unchanged + len(batch) - new
                changed += other
                ids = [record.id for record in batch]
                if source is not None:
                    self._known.update(ids, group_ids=[source] * len(ids), time_at_least=start)
        gone = self._known.list_keys(group_ids=[source], before=start) if source else []
        self._take_out(gone)
        return _change(source or "-", bool(known), added, len(gone), unchanged)

    def sources(self) -> list[str]:
        """Paths of all files that records came out of, sorted."""
        return self._known.sources()

    def records_of(self, source: str) -> int:
        """How many records came out of a file."""
        return len(self._keys(source))

    def forget(self, source: str) -> int:
        """Take out what came out of a file; how many records that were."""
        ids = self._keys(source)
        self._take_out(ids)
        return len(ids)

    def deleted(self, paths: Iterable[Path], kept: Iterable[Path]) -> list[str]:
        """Sources at or below `paths` whose files are gone; none below `kept`, which are closed."""
        closed = list(kept)
        return [
            source
            for source in self.sources()
            if any(Path(source).is_relative_to(path) for path in paths)
            and not any(Path(source).is_relative_to(path) for path in closed)
            and not Path(source).exists()
        ]

    def _passages(self, documents: Iterable[Document], source: str) -> Change:
        """Bring in the passages of a file, by LangChain's `index`."""
        known = self._keys(source)
        self._embeds()
        with self._undone(source, known):
            done = index(
                documents,
                self._known,
                self._store,
                batch_size=_BATCH,
                cleanup="scoped_full",
                source_id_key="source",
                key_encoder="sha256",
            )
        counts = done["num_added"], done["num_deleted"], done["num_skipped"]
        return _change(source, bool(known), *counts)

    def _keys(self, source: str | None) -> list[str]:
        """What is known to have come out of a source, without what others have deleted since."""
        if source is None:
            return []
        noted = self._known.list_keys(group_ids=[source])
        there = set(self._store.get(ids=noted, include=[])["ids"]) if noted else set()
        self._known.delete_keys([key for key in noted if key not in there])
        return [key for key in noted if key in there]

    def _take_out(self, ids: list[str]) -> None:
        if ids:
            self._store.delete(ids)
            self._known.delete_keys(ids)

    @contextmanager
    def _undone(self, source: str | None, before: Iterable[str]) -> Iterator[None]:
        """If the block fails, also by Ctrl-C, what it brought in anew is taken out again."""
        try:
            yield
        except BaseException as error:
            with suppress(Exception):  # the failure is what is to be told
                new = set() if source is None else set(self._known.list_keys(group_ids=[source]))
                self._take_out(sorted({*new, *getattr(error, "written", ())} - {*before}))
            raise


@contextmanager
def _told(source: str | None, changed: Callable[[], int]) -> Iterator[None]:
    """If the block fails, note how many records that were there before it has changed."""
    try:
        yield
    except BaseException as error:
        if count := changed():
            said = f"{count} records that were there before are as {source or 'stdin'} has them now"
            error.add_note(f"{said}; the next time goes on from there")
        raise


def _change(source: str, known: bool, added: int, removed: int, unchanged: int) -> Change:
    became: Became = "unchanged"
    if added or removed:
        became = "changed" if known else "added"
    return Change(source, became, added, removed, unchanged)
