"""Whether relevance tells questions that have an answer from those that have none.

    python benchmarks/no_answer.py MODEL DIR [DIR ...] [--near NAME,NAME ...] [--write]

Each DIR is a BEIR-style folder with vectors, as for `quality.py`; MODEL is the name or folder of
the sentence-transformers model that made them, for snippets and identifiers. Each question is asked
with its relevant records and without; the figure is the area under the ROC curve of the best hit.
Constants are fitted on the other collections (logistic regression, weights >= 0). `--near` names
collections on one subject, whose questions may have answers in each other; `--apart` those in
another language, for which and from which no far question is taken. Idf is not recomputed without
the hidden records.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

import _results
import numpy as np
from _evidence import Embed, Searched, load, unit
from _fitting import LEGS, Measured, Pools, auc, fit, interval

from langchain_chroma_hybrid.core.analysis.query_words import query_words
from langchain_chroma_hybrid.core.relevance import THRESHOLD, Constants
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IDENTIFIERS = 200
WHAT = """Area under the ROC curve, with against without the relevant records; constants fitted on
the other collections. *relevance* is *both* and whole identifiers."""
_CODE = re.compile(
    r"(?<![\w./-])(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[^\W_][\w-]{3,}[^\W_](?![\w./-])"
)


def own_table(measured: Sequence[Measured], left_out: dict[str, dict[str, Constants]]) -> str:
    rows = []
    columns = []
    for m in measured:
        found = [(m.answered.cosine, m.hidden.cosine), (m.answered.share, m.hidden.share)]
        for leg in LEGS:
            weights = np.array(left_out[leg][m.name].weights)[list(LEGS[leg])]
            found.append((m.answered.best(leg, weights), m.hidden.best(leg, weights)))
        constants = left_out["both"][m.name]
        found.append((m.answered.relevances(constants), m.hidden.relevances(constants)))
        values = [auc(*pair) for pair in found]
        columns.append(values)
        intervals = [interval(found[-1], found[leg]) for leg in (0, 1)]
        rows.append([m.name, *(f"{v:.3f}" for v in values), *intervals])
    means = np.mean(columns, axis=0)
    better = np.mean([max(values[:2]) for values in columns])
    rows.append(["mean", *(f"{v:.3f}" for v in means), "", ""])
    head = ["", "cosine", "BM25 share", "both", "vectors only", "words only", "**relevance**"]
    head += ["over cosine, 95 %", "over share, 95 %"]
    note = f"Mean of the better of cosine and share in each collection: {better:.3f}."
    return f"{_results.table(head, rows)}\n\n{note}"


def foreign_table(
    measured: Sequence[Measured],
    left_out: dict[str, dict[str, Constants]],
    far: Callable[[str, str], bool],
) -> str:
    rows = []
    for m in measured:
        constants = left_out["both"][m.name]
        own = m.answered.relevances(constants)
        line = [m.name]
        for wanted in (True, False):
            pools = [p for name, p in m.foreign.items() if far(m.name, name) is wanted]
            pairs = [
                (auc(m.answered.cosine, p.cosine), auc(own, p.relevances(constants))) for p in pools
            ]
            line += [f"{v:.3f}" for v in np.mean(pairs, axis=0)] if pairs else ["", ""]
        rows.append(line)
    head = ["questions of", "far: cosine", "relevance", "near or other language: cosine"]
    return _results.table([*head, "relevance"], rows)


def threshold_table(
    measured: Sequence[Measured], constants: Constants, far: Callable[[str, str], bool]
) -> str:
    rows = []
    for m in measured:
        foreign = [p.relevances(constants) for n, p in m.foreign.items() if far(m.name, n)]
        groups = [m.hidden.relevances(constants), np.concatenate(foreign) if foreign else None]
        rejected = np.mean(m.answered.relevances(constants) < THRESHOLD)
        accepted = ["" if g is None else f"{np.mean(g >= THRESHOLD):.3f}" for g in groups]
        rows.append([m.name, f"{rejected:.3f}", *accepted])
    return _results.table(
        ["", "answered, rejected", "answer hidden, accepted", "far, accepted"], rows
    )


def identifiers(measured: Sequence[Measured], embed: Embed, constants: Constants) -> str:
    """Codes of the records, as they are and with a digit changed so that they occur nowhere."""
    random = np.random.default_rng(0)
    rows = []
    made = Searched(*_made(random, embed))
    for name, searched in [*((m.name, m.searched) for m in measured), ("made records", made)]:
        codes = _codes(searched, random)
        if len(codes) < IDENTIFIERS // 4:
            continue
        background = searched.background(embed)
        for frame in ("{}", "What does the code {} mean?"):
            best = []
            for column in (0, 1):
                texts = [frame.format(pair[column]) for pair in codes]
                pools = [searched.evidence(t, v) for t, v in zip(texts, embed(texts), strict=True)]
                best.append(Pools(pools, background).relevances(constants))
            rows.append(
                [
                    f"{name}, `{frame}`",
                    f"{len(codes)}",
                    *(f"{np.mean(best[0] >= THRESHOLD):.3f}", f"{best[0].min():.2f}"),
                    *(f"{np.mean(best[1] >= THRESHOLD):.3f}", f"{best[1].max():.2f}"),
                ]
            )
    return _results.table(
        ["", "codes", "true, accepted", "lowest", "changed, accepted", "highest"], rows
    )


def _codes(searched: Searched, random: np.random.Generator) -> list[tuple[str, str]]:
    """Codes that few records hold, each with one of its digits changed."""
    codes: dict[str, str] = {}
    for row in random.permutation(len(searched.records)):
        for code in _CODE.findall(searched.records[row].text or ""):
            places = [n for n, c in enumerate(code) if c.isdecimal()]
            at = int(random.choice(places))
            changed = f"{code[:at]}{(int(code[at]) + 1 + random.integers(9)) % 10}{code[at + 1 :]}"
            if searched.known[code.lower()] in (1, 2) and not _occurs(searched, changed):
                codes.setdefault(code, changed)
        if len(codes) >= IDENTIFIERS:
            break
    return list(codes.items())[:IDENTIFIERS]


def _occurs(searched: Searched, code: str) -> bool:
    """Whether any record has the code, in whatever spelling, or its parts one after the other."""
    return not searched.index.unmatched(query_words(searched.analyzer, code))


def _made(random: np.random.Generator, embed: Embed) -> tuple[list[Record], np.ndarray]:
    """Short records of a manual, one code each."""
    parts = ("pump", "valve", "fan", "sensor", "filter", "motor", "door", "heater")
    faults = ("is blocked", "does not open", "overheats", "reports no pressure", "is worn out")
    numbers = random.choice(np.arange(1000, 9999), 2 * IDENTIFIERS, replace=False)
    records = [
        Record(f"m{n}", f"Error E-{n}: the {random.choice(parts)} {random.choice(faults)}.")
        for n in numbers
    ]
    return records, embed([record.text or "" for record in records])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model")
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--vectors", default="minilm")
    parser.add_argument("--near", nargs="*", default=["scifact,nfcorpus,medquad"])
    parser.add_argument("--apart", nargs="*", default=["cmrc2018_zh"])
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    groups = [set(names.split(",")) for names in options.near]

    def far(one: str, other: str) -> bool:
        near = any({one, other} <= group for group in groups)
        return one != other and not near and not {one, other} & set(options.apart)

    embed = _embedder(options.model)
    questions = [load(folder, options.vectors) for folder in options.folders]
    measured = [Measured(own, questions, embed) for own in questions]
    left_out = {
        leg: {m.name: fit([o for o in measured if o is not m], leg, far) for m in measured}
        for leg in LEGS
    }
    final = {leg: fit(measured, leg, far) for leg in LEGS}
    text = "\n\n".join(
        [
            "## Questions without an answer",
            WHAT,
            own_table(measured, left_out),
            "Answered questions against those of other collections:",
            foreign_table(measured, left_out, far),
            f"At the default threshold, {THRESHOLD}, with the constants of all:",
            threshold_table(measured, final["both"], far),
            identifiers(measured, embed, final["both"]),
            _results.setting("tantivy", "sentence-transformers"),
        ]
    )
    print(text)
    for leg, constants in final.items():
        print(leg, constants)
    for m in measured:
        print(m.name, m.background)
    if options.write:
        _results.write_section(_results.RESULTS, "no answer", text)


def _embedder(model: str) -> Embed:
    embeddings = SentenceTransformerEmbeddings(model)
    return lambda texts: unit(np.array(embeddings.embed_documents(list(texts))))


if __name__ == "__main__":
    main()
