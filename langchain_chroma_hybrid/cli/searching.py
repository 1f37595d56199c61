"""The commands that ask queries: `search`, `similar` and `demo`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from langchain_chroma_hybrid._langchain import bridge
from langchain_chroma_hybrid.cli.opening import (
    json_option,
    mode_for,
    numbers_option,
    open_store,
)
from langchain_chroma_hybrid.cli.output import (
    Printed,
    head,
    line,
    note,
    on_terminal,
    show_all,
    table,
)
from langchain_chroma_hybrid.cli.plain import one_line, printable
from langchain_chroma_hybrid.core.citations import best_sentence
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.core.markup import marked, pieces
from langchain_chroma_hybrid.core.search import SearchRequest
from langchain_chroma_hybrid.evaluation.settings import Settings
from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.cli.options import Format, Model, Place
    from langchain_chroma_hybrid.core.search import Hit, LegHit, SearchResult
    from langchain_chroma_hybrid.engine.index import HybridIndex

DEMO_MODES = ("vector", "lexical", "hybrid")
# Around the first match of a text, in characters.
_BEFORE = 60


def search(
    queries: Iterable[str],
    place: Place,
    model: Model,
    kind: Format,
    *,
    options: Mapping[str, Any],
    filters: Mapping[str, str | None],
    settings: Path | None,
    explain: bool,
    highlight: bool,
    titled: bool,
) -> bool:
    """Print what is found for each query; whether anything was."""
    given = _options(options, filters, settings)
    store = open_store(place, model)
    mode = mode_for(store, model, given.pop("mode", None))
    retriever = ChromaHybridRetriever.from_vectorstore(store)
    found = False
    with Printed(kind) as out:
        for query in queries:
            result = retriever.search(query, mode=mode, **given)
            _say(result)
            found = found or bool(result.hits)
            if kind != "table":
                for rank, hit in enumerate(result.hits, 1):
                    out.add({"query": query, **_as_json(rank, hit, highlight)})
                continue
            if result.hits:
                _show(result, explain=explain, highlight=highlight, title=query if titled else "")
            if explain:
                line(_timings(result))
    return found


def similar(
    id_: str, place: Place, kind: Format, *, k: int, where: str | None
) -> bool:
    """Print the records that are nearest to one; whether there are any."""
    condition = json_option("--where", where)
    parse(condition, names=("--where", ""))
    store = open_store(place)

    def run(index: HybridIndex) -> SearchResult | None:
        vector = index.vectors([id_]).get(id_)
        if vector is None:
            return None
        request = SearchRequest(
            None, embedding=vector, k=k + 1, mode="vector", where=condition,
            with_distance=True,
        )  # fmt: skip
        return index.search(request)

    result = bridge.handle_of(store).run(run)
    if result is None:
        note(f"no record {id_!r} in this collection")
        return False
    hits = [hit for hit in result.hits if hit.id != id_][:k]
    if kind != "table":
        show_all((_as_json(rank, hit) for rank, hit in enumerate(hits, 1)), kind)
    elif hits:
        columns = {"distance": "number", "id": "text", "text": "wide"}
        table(columns, [[f"{h.distance:.3f}", h.id, head(h.record.text)] for h in hits])
    else:
        note("nothing found")
    return bool(hits)


def demo(queries: Sequence[str], place: Place, model: Model, k: int, kind: Format) -> None:
    """Ask each query in three modes and print the results side by side."""
    store = open_store(place, model)
    mode_for(store, model, "hybrid")
    retriever = ChromaHybridRetriever.from_vectorstore(store, k=k)
    with Printed(kind) as out:
        for query in queries:
            results = {mode: retriever.search(query, mode=mode) for mode in DEMO_MODES}
            if kind != "table":
                found = {mode: [hit.id for hit in result.hits] for mode, result in results.items()}
                out.add({"query": query, **found})
                continue
            heads = {f"{mode}, {result.took_ms:.0f} ms": "wide" for mode, result in results.items()}
            rows = [
                [str(place_ + 1), *(_cell(results[mode].hits, place_) for mode in DEMO_MODES)]
                for place_ in range(max(len(result.hits) for result in results.values()))
            ]
            table({"": "number", **heads}, rows, query)


def _say(result: SearchResult) -> None:
    for text in result.said:
        note(text)
    if not result.hits:
        note("nothing found")


def _options(
    options: Mapping[str, Any], filters: Mapping[str, str | None], settings: Path | None
) -> dict[str, Any]:
    """The retriever's options: what was saved, and over it what was typed."""
    typed = {
        **options,
        "weights": numbers_option("--weights", options["weights"]),
        "filter": json_option("--where", filters["where"]),
        "where_document": json_option("--where-document", filters["where_document"]),
    }
    # Here, so that the option is named that was typed.
    parse(typed["filter"], typed["where_document"], names=("--where", "--where-document"))
    saved = Settings.load(settings).options if settings is not None else {}
    return {**saved, **{name: value for name, value in typed.items() if value is not None}}


def _show(result: SearchResult, *, explain: bool, highlight: bool, title: str) -> None:
    """Print a row for each hit with its ranks; explained, also with the terms that it matched."""
    legs = [leg.name for leg in result.legs]
    columns = {"relevance": "number", **dict.fromkeys(legs, "number"), "id": "text"}
    if explain:
        columns["terms"] = "text"
    columns["text"] = "wide"
    rows = []
    for hit in result.hits:
        by_name = {leg.name: leg for leg in hit.legs}
        ranks = [_leg(by_name.get(name), explain) for name in legs]
        row: list[str | Text] = [f"{hit.relevance or 0.0:.3f}", *ranks, hit.id]
        if explain:
            row.append(" ".join(dict.fromkeys(term for leg in hit.legs for term in leg.terms)))
        rows.append([*row, _highlit(hit) if highlight else head(hit.record.text)])
    table(columns, rows, title)


def _highlit(hit: Hit) -> str | Text:
    """The text with the words that match: bold on a terminal, between asterisks elsewhere."""
    text = hit.record.text or ""
    if not on_terminal():
        return one_line(marked(text, hit.spans, "**", "**"))
    start = max(0, best_sentence(text, hit.spans)[0] - _BEFORE) if len(text) > _BEFORE * 4 else 0
    spans = [(max(first - start, 0), last - start) for first, last in hit.spans if last > start]
    shown = Text()
    for piece, found in pieces(text[start:], spans):
        shown.append(printable(piece).replace("\n", " "), "bold reverse" if found else "")
    return shown


def _leg(leg: LegHit | None, explain: bool) -> str:
    """The rank in a leg; explained, with the leg's own score and its weight."""
    if leg is None or leg.rank is None:
        return "-"
    if not explain or leg.score is None:
        return str(leg.rank)
    return f"{leg.rank} ({leg.score:.3f} x {leg.weight:.2f})"


def _timings(result: SearchResult) -> str:
    legs = [
        f"{leg.name}: {leg.hits} hits in {leg.took_ms:.1f} ms, filtered by {leg.filtered_by}"
        for leg in result.legs
    ]
    return f"{result.took_ms:.1f} ms; {'; '.join(legs)}"


def _as_json(rank: int, hit: Hit, highlight: bool = False) -> dict[str, Any]:
    """A hit and its place in the result, as one line of JSON holds it; metadata by key."""
    found = {
        "rank": rank,
        "id": hit.id,
        "relevance": hit.relevance,
        "fused": hit.fused,
        "distance": hit.distance,
        "legs": [asdict(leg) for leg in hit.legs],
        "text": hit.record.text,
        "spans": [list(span) for span in hit.spans],
        "metadata": dict(sorted(hit.record.metadata.items())),
    }
    if highlight:
        found["highlighted"] = marked(hit.record.text or "", hit.spans, "**", "**")
    return found


def _cell(hits: Sequence[Hit], place: int) -> str:
    if place >= len(hits):
        return ""
    hit = hits[place]
    return f"{hit.relevance or 0.0:.3f}  {hit.id}\n{head(hit.record.text, 100)}"
