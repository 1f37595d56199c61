"""Write what was read: new pictures with new vectors, known ones with the vectors they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid.multimodal.ingest import rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.embeddings.images.clip import MultimodalEmbeddings
    from langchain_chroma_hybrid.engine.chroma.rows import Rows
    from langchain_chroma_hybrid.engine.index import HybridIndex
    from langchain_chroma_hybrid.multimodal.ingest import Read


class Run:
    """One `add` or `sync`, and what became of the pictures that were read.

    Attributes:
        added, updated, described: ids, see `ImageReport`.
    """

    def __init__(
        self,
        index: HybridIndex,
        embeddings: MultimodalEmbeddings,
        known: Mapping[str, Record],
        *,
        force: bool,
    ) -> None:
        """`known`: records by id, as they were before; `force` embeds them all the same."""
        self._index = index
        self._embeddings = embeddings
        self._known = dict(known)
        self._force = force
        self.added: list[str] = []
        self.updated: list[str] = []
        self.described: list[str] = []

    def write(self, batch: Sequence[Read]) -> None:
        """Embed what is new, keep the vectors of what is not, write both."""
        once = {each.id: each for each in batch}
        # Those whose id comes from their content could not be looked up before.
        self._known |= self._index.fetch([e.id for e in batch if e.item.id is None])
        same = [each for each in once.values() if self._same(each)]
        new = [each for each in once.values() if not self._same(each)]
        if new:
            vectors = self._embeddings.encode_images([each.loaded.image for each in new])
            self._upsert(rows(new, vectors))
        if same:
            kept = self._index.vectors([each.id for each in same])
            self._upsert(rows(same, [kept[each.id] for each in same]))
        self.described += [each.id for each in same]
        for each in new:
            (self.updated if each.id in self._known else self.added).append(each.id)

    def _same(self, each: Read) -> bool:
        record = self._known.get(each.id)
        if self._force or record is None:
            return False
        return record.metadata.get("sha256") == each.loaded.sha256

    def _upsert(self, parts: Iterable[Rows]) -> None:
        for part in parts:
            self._index.upsert(part)
