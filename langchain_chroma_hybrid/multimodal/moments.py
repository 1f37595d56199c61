"""MediaRetriever: files by words, a picture or a sound, each with its best seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.explanation import CONTEXT_KEY, MOMENTS_KEY
from langchain_chroma_hybrid.core.search import Typos, looked_for
from langchain_chroma_hybrid.core.values import OWN_KEYS
from langchain_chroma_hybrid.multimodal.retriever import MultimodalRetriever

if TYPE_CHECKING:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
    )
    from langchain_core.documents import Document

    from langchain_chroma_hybrid.core.search import Hit, SearchResult

# What documents carry from the search to the grouping.
_FUSED, _COUNTED = f"{OWN_KEYS}fused", f"{OWN_KEYS}corrections"
_APART = 0.5  # seconds between two segments that still are neighbours
_AS_GOOD = 0.7  # of the best fused score of a file, for a neighbour to be part of a moment
Spans = Callable[[str], Sequence[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class Moment:
    """Neighbouring segments of a file that are about as good, as one.

    Attributes:
        start, end: seconds from the start of the file.
        at: the second to begin with: where the first word of the query is said, or `start`.
        text: what is said, and what else is known of the segments.
        ids: of the segments, in the order of the file.
    """

    start: float
    end: float
    at: float
    text: str
    ids: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """In plain values."""
        return {**asdict(self), "ids": list(self.ids)}


@dataclass(frozen=True, slots=True)
class FileMoments:
    """A file that was found.

    Attributes:
        hit: its best segment; of a picture or a text the record.
        moments: the best first; empty for a picture or a text.
    """

    hit: Hit
    moments: tuple[Moment, ...]


class MediaRetriever(MultimodalRetriever):
    """Hybrid retrieval over pictures, sound and video: a file once, with its best seconds.

    ```python
    archive = MediaCollection.open("archive", MultimodalEmbeddings("clip-ViT-B-32"))
    retriever = archive.as_retriever(k=5, base_filter={"tenant": "a"})
    retriever.invoke("where the garden is mentioned")
    retriever.invoke("in snow", image="pictures/train.png", image_weight=0.7)
    ```

    Everything is as in `ChromaHybridRetriever` and `MultimodalRetriever`, from the same engine, but
    `invoke` gives one document for each file: that of its best segment, with `start`, `end` and
    text of its best moment, and under `chroma_hybrid_moments` in the copy of its metadata all of
    its moments (dicts as `Moment`). `moments` gives them as objects, `search` the bare segments.
    """

    segments: int = 4
    """How many segments of a file may be found, >= 1."""

    typos: Typos = "sound"
    """As in `ChromaHybridRetriever`; what was spoken may have been heard as another word."""

    _texts_too: ClassVar[bool] = True

    def moments(self, query: str, **options: Any) -> list[FileMoments]:
        """At most `k` files, the best first; of each the moments that were found.

        Args:
            query: words; empty where a picture or sound alone is searched with.
            **options: as for `search`.
        """
        k = options.get("k", self.k)
        return self._files(query, k, self.search(query, **self._widened(options)))

    async def amoments(self, query: str, **options: Any) -> list[FileMoments]:
        """`moments` without blocking the event loop."""
        k = options.get("k", self.k)
        return self._files(query, k, await self.asearch(query, **self._widened(options)))

    def _files(self, query: str, k: int, result: SearchResult) -> list[FileMoments]:
        hits, spans = result.hits, self._spans(query, result.corrections)
        parts = [_Part(h.id, h.record.metadata, h.record.text or "", h.fused) for h in hits]
        return [
            FileMoments(hits[places[0]], _moments([parts[at] for at in places], spans))
            for places in _by_file(parts)[:k]
        ]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        k, given = options.get("k", self.k), self._widened(options)
        found = super()._get_relevant_documents(query, run_manager=run_manager, **given)
        return self._grouped(query, k, found)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **options: Any
    ) -> list[Document]:
        k, given = options.get("k", self.k), self._widened(options)
        found = await super()._aget_relevant_documents(query, run_manager=run_manager, **given)
        return self._grouped(query, k, found)

    def _widened(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options for enough segments of enough files, unless they are grouped otherwise."""
        positive("segments", self.segments)
        if options.get("group_by", self.group_by) is not None:
            return dict(options)
        k = options.get("k", self.k)
        positive("k", k)
        grouped = {"group_by": "media", "group_limit": self.segments}
        return {**options, "k": k * self.segments, **grouped}

    def _documents(self, result: SearchResult, explain: bool) -> list[Document]:
        documents = super()._documents(result, explain)
        for document, hit in zip(documents, result.hits, strict=True):
            document.metadata |= {_FUSED: hit.fused, _COUNTED: result.corrections}
        return documents

    def _spans(self, query: str, corrections: Mapping[str, Sequence[str]]) -> Spans:
        words = looked_for(query, corrections)
        return lambda text: self._handle.highlight(words, text) if query else ()

    def _grouped(self, query: str, k: int, found: Sequence[Document]) -> list[Document]:
        """One document for each file."""
        parts = [
            _Part(str(each.id), each.metadata, each.page_content, each.metadata.pop(_FUSED))
            for each in found
        ]
        corrections = [each.metadata.pop(_COUNTED) for each in found]
        spans = self._spans(query, corrections[0] if corrections else {})
        documents = []
        for places in _by_file(parts)[:k]:
            document = found[places[0]]
            moments = _moments([parts[at] for at in places], spans)
            if moments:
                best = moments[0]
                more: dict[str, Any] = {"start": best.start, "end": best.end}
                more[MOMENTS_KEY] = [each.as_dict() for each in moments]
                if len(best.ids) > 1:
                    more[CONTEXT_KEY] = list(best.ids)
                metadata = {**document.metadata, **more}
                changed = {"page_content": best.text, "metadata": metadata}
                document = document.model_copy(update=changed)
            documents.append(document)
        return documents


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment that was found, or a record of another kind."""

    id: str
    metadata: Mapping[str, Any]
    text: str
    fused: float

    @property
    def file(self) -> str:
        return str(self.metadata.get("media") or self.id)

    @property
    def times(self) -> tuple[float, float] | None:
        times = self.metadata.get("start"), self.metadata.get("end")
        known = "media" in self.metadata and all(isinstance(time, int | float) for time in times)
        return (float(times[0]), float(times[1])) if known else None  # type: ignore[arg-type]  # numbers, as checked


def _by_file(parts: Sequence[_Part]) -> list[list[int]]:
    """Places of the parts of each file, files and parts in the order in which they come."""
    places: dict[str, list[int]] = {}
    for place, part in enumerate(parts):
        places.setdefault(part.file, []).append(place)
    return list(places.values())


def _moments(parts: Sequence[_Part], spans: Spans) -> tuple[Moment, ...]:
    """Parts of one file, the best first, as moments in the order of their best parts."""
    timed = [(part.times, rank, part) for rank, part in enumerate(parts) if part.times is not None]
    least = _AS_GOOD * max((part.fused for part in parts), default=0.0)
    runs: list[list[tuple[tuple[float, float], int, _Part]]] = []
    for entry in sorted(timed, key=lambda each: each[0]):
        close = runs and entry[0][0] <= max(each[0][1] for each in runs[-1]) + _APART
        if close and min(entry[2].fused, runs[-1][-1][2].fused) >= least:
            runs[-1].append(entry)
        else:
            runs.append([entry])
    runs.sort(key=lambda run: min(rank for _, rank, _ in run))
    return tuple(_moment(run, spans) for run in runs)


def _moment(run: Sequence[tuple[tuple[float, float], int, _Part]], spans: Spans) -> Moment:
    """Neighbours as one; no line of text twice."""
    best = min(run, key=lambda each: each[1])
    lines = dict.fromkeys(line for _, _, part in run for line in part.text.split("\n") if line)
    return Moment(
        start=run[0][0][0],
        end=max(times[1] for times, _, _ in run),
        at=_said_at(best[2], best[0], spans(best[2].text)),
        text="\n".join(lines),
        ids=tuple(part.id for _, _, part in run),
    )


def _said_at(part: _Part, times: tuple[float, float], spans: Iterable[tuple[int, int]]) -> float:
    """The second where the first word of the query is said: within its cue by its place in it."""
    cues = part.metadata.get("cues")
    first = min((start for start, _ in spans), default=None)
    if first is None or not isinstance(cues, list):
        return times[0]
    line, begins = part.text.count("\n", 0, first), part.text.rfind("\n", 0, first) + 1
    pair = cues[2 * line : 2 * line + 2]
    if len(pair) < 2 or not all(isinstance(time, int | float) for time in pair):  # noqa: PLR2004 - start, end
        return times[0]  # in the caption, or in what is seen
    length = len(part.text[begins:].split("\n", 1)[0])
    said = float(pair[0] + (pair[1] - pair[0]) * (first - begins) / max(1, length))
    return min(said, times[1])  # a transcript may go on where the recording has ended
