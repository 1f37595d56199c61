"""Write what was opened: new files with new vectors, known ones with the vectors they have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.errors import MediaError
from langchain_chroma_hybrid.multimodal.embedding import embedded, in_batches, nothing_in_it
from langchain_chroma_hybrid.multimodal.ingest import File, Part, rows
from langchain_chroma_hybrid.multimodal.media import file_of
from langchain_chroma_hybrid.multimodal.report import ImageFailure

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from langchain_chroma_hybrid.core.filters import Filter
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.multimodal.media import Item, Reading

_ASKED = 1_000  # files of one question to Chroma


class Run:
    """One `add` or `sync`, and what became of the files that were read.

    Attributes:
        added, updated, described, failed, damaged: see `ImageReport`.
    """

    def __init__(
        self,
        index: HybridIndex,
        reading: Reading,
        known: Mapping[str, Record],
        *,
        force: bool,
    ) -> None:
        """`known`: see `first_records`, as they were before; `force` embeds them all the same."""
        self._index = index
        self._reading = reading
        self._known = dict(known)
        self._torn: set[str] = set()
        self._force = force
        self.added: list[str] = []
        self.updated: list[str] = []
        self.described: list[str] = []
        self.failed: list[ImageFailure] = []
        self.damaged: list[ImageFailure] = []

    def expect(self, items: Sequence[Item]) -> None:
        """Files that will be read: of which of them a run that was killed has left segments."""
        new = [item.id for item in items if not item.media.single and item.id not in self._known]
        self._torn |= {file_of(id_) for id_ in segment_ids(self._index, [i for i in new if i])}

    def write(self, batch: Sequence[File]) -> None:
        """Embed what is new, keep the vectors of what is not, write both."""
        once = {each.id: each for each in batch}
        # Those whose id comes from their content could not be looked up before.
        unnamed = [(id_, each.item) for id_, each in once.items() if each.item.id is None]
        if unnamed:
            self._known |= first_records(self._index, unnamed)
            self.expect([replace(item, id=id_) for id_, item in unnamed])
        self._write_singles([each for each in once.values() if each.item.media.single])
        for each in once.values():
            if not each.item.media.single:
                if self._same(each):
                    self.describe(each.id, each.item)
                else:
                    self._write_segments(each)

    def describe(self, file: str, item: Item) -> None:
        """Write what is said of a known file of several segments now, and keep all else."""
        records = self._index.select(_segments_of([file]))
        records.sort(key=lambda record: int(str(record.metadata.get("part", 0))))
        kept = self._index.vectors([record.id for record in records])
        parts = [Part.known(record, item) for record in records]
        vectors = [kept[record.id] for record in records]
        self._upsert_file(parts, vectors, [record.id for record in records])
        self.described.append(file)

    def _write_singles(self, files: Sequence[File]) -> None:
        """Files of one segment each: the new ones are embedded together."""
        same = [each for each in files if self._same(each)]
        new = [each for each in files if not self._same(each)]
        kept = self._index.vectors([each.id for each in same])
        segments = {each.id: next(each.opened.segments()) for each in files}
        made = embedded([segments[each.id] for each in new], self._reading.embeddings)
        vectors = {each.id: vector for each, vector in zip(new, made, strict=True)}
        for some, known in ((new, vectors), (same, kept)):
            there = [each for each in some if known[each.id] is not None]
            parts = [Part.of(each, 0, segments[each.id], self._reading.ocr) for each in there]
            self._upsert(parts, [known[each.id] for each in there])
        self.described += [each.id for each in same]
        for each in new:
            if vectors[each.id] is None:
                self._fail(each, nothing_in_it(self._reading.embeddings))
            else:
                self._changed(each)

    def _write_segments(self, file: File) -> None:
        """All segments of a file, or, if it cannot be read, none."""
        try:
            parts, vectors = self._read(file)
        except MediaError as error:
            self._fail(file, str(error))
            return
        there = file.id in self._known or file.id in self._torn
        self._upsert_file(parts, vectors, segment_ids(self._index, [file.id]) if there else ())
        self._changed(file)
        if file.opened.damage:
            self.damaged.append(ImageFailure(file.item.name, file.opened.damage))

    def _read(self, file: File) -> tuple[list[Part], list[Any]]:
        """The segments of a file with their vectors; images and sound are dropped on the way.

        Raises:
            MediaError: it cannot be read, or there is nothing in it that could be found.
        """
        parts: list[Part] = []
        vectors: list[Any] = []
        model = self._reading.embeddings
        for batch in in_batches(file.opened.segments(), getattr(model, "batch_size", 1)):
            for segment, vector in zip(batch, embedded(batch, model), strict=True):
                if vector is not None:
                    parts.append(Part.of(file, len(parts), segment, self._reading.ocr))
                    vectors.append(vector)
        if not parts:
            raise MediaError(nothing_in_it(model))
        return parts, vectors

    def _same(self, each: File) -> bool:
        record = self._known.get(each.id)
        if self._force or record is None:
            return False
        known = record.metadata
        beside = known.get("beside") == each.item.facts.get("beside") or each.item.media.single
        return beside and known.get("sha256") == each.opened.sha256

    def _fail(self, file: File, reason: str) -> None:
        self.failed.append(ImageFailure(file.item.name, reason))

    def _changed(self, file: File) -> None:
        (self.updated if file.id in self._known else self.added).append(file.id)

    def _upsert_file(
        self, parts: Sequence[Part], vectors: Sequence[Any], known: Collection[str]
    ) -> None:
        """All segments of a file in place of those that are `known`.

        The first one is there only while all are as they should be: it goes first and comes last,
        so that the file is read again after a kill, whatever it and its caption are by then.
        """
        stale = set(known) - {part.id for part in parts}
        if known and (stale or parts[1:]):
            first = self._known.get(parts[0].file)
            self._index.delete([first.id] if first else [])
        self._upsert(parts[1:], vectors[1:])
        if stale:
            self._index.delete(sorted(stale))
        self._upsert(parts[:1], vectors[:1])

    def _upsert(self, parts: Sequence[Part], vectors: Sequence[Any]) -> None:
        for some in rows(parts, vectors):
            self._index.upsert(some)


def first_records(index: HybridIndex, files: Sequence[tuple[str, Item]]) -> dict[str, Record]:
    """The first record of each file that the collection knows, by the file's id."""
    found = index.fetch([id_ for id_, item in files if item.media.single])
    for some in _asked([id_ for id_, item in files if not item.media.single]):
        records = index.select(parse({"$and": [{"media": {"$in": some}}, {"part": 0}]}))
        found |= {str(record.metadata["media"]): record for record in records}
    return found


def segment_ids(index: HybridIndex, files: Sequence[str]) -> list[str]:
    """Ids of all segments of files, by the ids of these."""
    return [id_ for some in _asked(files) for id_ in index.match(_segments_of(some))]


def _asked(files: Sequence[str]) -> Iterator[list[str]]:
    """As many as go into one question."""
    return (list(files[at : at + _ASKED]) for at in range(0, len(files), _ASKED))


def _segments_of(files: list[str]) -> Filter:
    return parse({"media": {"$in": files}})  # type: ignore[return-value]  # a filter was given
