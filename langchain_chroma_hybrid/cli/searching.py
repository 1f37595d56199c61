"""The commands that ask queries: `search` and `demo`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.cli.opening import (
    json_option,
    mode_for,
    numbers_option,
    open_store,
)
from langchain_chroma_hybrid.cli.output import head, json_line, line, note, table
from langchain_chroma_hybrid.core.filters import parse
from langchain_chroma_hybrid.evaluation.settings import Settings
from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.cli.options import Model, Place
    from langchain_chroma_hybrid.core.search import Hit, LegHit, SearchResult

DEMO_MODES = ("vector", "lexical", "hybrid")


def search(
    query: str,
    place: Place,
    model: Model,
    *,
    options: Mapping[str, Any],
    filters: Mapping[str, str | None],
    settings: Path | None,
    explain: bool,
    as_json: bool,
) -> bool:
    """Print what is found; whether anything was."""
    given = _options(options, filters, settings)
    store = open_store(place, model)
    mode = mode_for(store, model, given.pop("mode", None))
    result = ChromaHybridRetriever.from_vectorstore(store).search(query, mode=mode, **given)
    for text in result.notes:
        note(text)
    if result.unmatched:
        note(f"in no record: {', '.join(result.unmatched)}")
    for typed, words in result.corrections.items():
        note(f"{typed}: looked for {', '.join(words)}")
    if as_json:
        for rank, hit in enumerate(result.hits, 1):
            json_line(_as_json(rank, hit))
        return bool(result.hits)
    if result.hits:
        _show(result, explain=explain)
    if explain:
        line(_timings(result))
    if not result.hits:
        note("nothing found")
    return bool(result.hits)


def demo(queries: Sequence[str], place: Place, model: Model, k: int, *, as_json: bool) -> None:
    """Ask each query in three modes and print the results side by side."""
    store = open_store(place, model)
    mode_for(store, model, "hybrid")
    retriever = ChromaHybridRetriever.from_vectorstore(store, k=k)
    for query in queries:
        results = {mode: retriever.search(query, mode=mode) for mode in DEMO_MODES}
        if as_json:
            found = {mode: [hit.id for hit in result.hits] for mode, result in results.items()}
            json_line({"query": query, **found})
            continue
        columns = {f"{mode}, {result.took_ms:.0f} ms": "wide" for mode, result in results.items()}
        rows = [
            [_cell(results[mode].hits, place_) for mode in DEMO_MODES]
            for place_ in range(max(len(result.hits) for result in results.values()))
        ]
        table({"": "number", **columns}, [[str(n), *row] for n, row in enumerate(rows, 1)], query)


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


def _show(result: SearchResult, *, explain: bool) -> None:
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
        row = [f"{hit.relevance or 0.0:.3f}", *ranks, hit.id]
        if explain:
            row.append(" ".join(dict.fromkeys(term for leg in hit.legs for term in leg.terms)))
        rows.append([*row, head(hit.record.text)])
    table(columns, rows)


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


def _as_json(rank: int, hit: Hit) -> dict[str, Any]:
    """A hit and its place in the result, as one line of JSON holds it; metadata by key."""
    return {
        "rank": rank,
        "id": hit.id,
        "relevance": hit.relevance,
        "fused": hit.fused,
        "distance": hit.distance,
        "legs": [asdict(leg) for leg in hit.legs],
        "text": hit.record.text,
        "spans": hit.spans,
        "metadata": dict(sorted(hit.record.metadata.items())),
    }


def _cell(hits: Sequence[Hit], place: int) -> str:
    if place >= len(hits):
        return ""
    hit = hits[place]
    return f"{hit.relevance or 0.0:.3f}  {hit.id}\n{head(hit.record.text, 100)}"
