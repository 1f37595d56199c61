"""What a model learns from: queries with the texts that answer them, cleaned and split."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from langchain_chroma_hybrid.core.checks import check_seed, items, positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune import alike
from langchain_chroma_hybrid.finetune.examples import Example, cleaned

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Kind: TypeAlias = Literal["pairs", "scored", "triplets"]
LEAST_EXAMPLES = 2
IN_TEST_SET = "stands in the test set"


@dataclass(frozen=True, slots=True)
class DataReport:
    """What became of the examples that were given.

    Attributes:
        given: how many there were.
        kept: by origin of the query, how many are left.
        dropped: by reason, how many are not.
    """

    given: int
    kept: Mapping[str, int]
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        kept = ", ".join(f"{count} {origin}" for origin, count in self.kept.items())
        dropped = "; ".join(f"{count} dropped: {why}" for why, count in self.dropped.items())
        return "; ".join(filter(None, [f"{self.given} given, kept {kept or 'none'}", dropped]))


@dataclass(frozen=True, slots=True)
class Split:
    """Parts of the data of which no query stands, exactly or nearly, in two."""

    train: TrainingData
    dev: TrainingData
    test: TrainingData


class TrainingData:
    """Examples without duplicates, and what was dropped; immutable.

    Args:
        examples: all of one kind: with scores, with negatives, or plain pairs.
        dropped: what was dropped before, by reason.

    Attributes:
        examples: what is left.
        report: what was dropped and why: empty texts, texts that are their own answer, what was
            there before (but for case, accents and punctuation), and examples of which every
            negative is empty, the query itself, or an answer to it; other such negatives go alone.

    Raises:
        InvalidArgumentError: some examples have scores, or negatives, and some none.
    """

    @known_keywords
    def __init__(
        self, examples: Iterable[Example], *, dropped: Mapping[str, int] | None = None
    ) -> None:
        given = items("examples", examples, "examples; see from_pairs")
        if odd := [example for example in given if not isinstance(example, Example)]:
            raise InvalidArgumentError.of_kind("examples", odd[0], "examples; see from_pairs")
        for name, what in (("score", "a score"), ("negatives", "negatives")):
            if len({getattr(example, name) in (None, ()) for example in given}) > 1:
                raise InvalidArgumentError(
                    f"examples: expected {what} for each or for none, got both; plain pairs may "
                    "have the score 1.0, or get negatives by mine_negatives"
                )
        reasons = Counter(dropped or {})
        before = sum(reasons.values())
        self.examples = tuple(cleaned(given, reasons))
        kept = Counter(example.origin for example in self.examples)
        self.report = DataReport(len(given) + before, dict(kept), dict(reasons))

    def __len__(self) -> int:
        return len(self.examples)

    def __repr__(self) -> str:
        return f"TrainingData({len(self)} {self.kind}: {self.report})"

    @property
    def kind(self) -> Kind:
        """`scored`, `triplets` (each has negatives), or `pairs`."""
        if self.examples and self.examples[0].score is not None:
            return "scored"
        all_have = self.examples and all(example.negatives for example in self.examples)
        return "triplets" if all_have else "pairs"

    @property
    def digest(self) -> str:
        """32 hex digits over the examples, in their order."""
        lines = (json.dumps(asdict(example), sort_keys=True) for example in self.examples)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]

    @known_keywords
    def split(self, dev: float = 0.1, test: float = 0.0, *, seed: int = 0) -> Split:
        """Parts by query: examples whose queries are equal or nearly so are in one part.

        Args:
            dev: share of the queries for choosing a model, 0..1.
            test: share of the queries for judging it, 0..1.
            seed: the same seed gives the same parts.

        Raises:
            InvalidArgumentError: shares that leave nothing to train on, or too little data.
        """
        for name, share in (("dev", dev), ("test", test)):
            number(name, share, 0.0, 1.0)
        if dev + test >= 1.0:
            raise InvalidArgumentError.of("dev, test", (dev, test), "shares below 1 together")
        check_seed(seed)
        check_data("data", self)
        queries = list(dict.fromkeys(example.query for example in self.examples))
        numbers = alike.groups(queries)
        order = np.random.default_rng(seed).permutation(sorted(set(numbers)))
        count = {name: round(share * len(order)) for name, share in (("dev", dev), ("test", test))}
        parts = dict.fromkeys(order[: count["dev"]].tolist(), "dev")
        parts |= dict.fromkeys(order[count["dev"] :][: count["test"]].tolist(), "test")
        part_of = {q: parts.get(n, "train") for q, n in zip(queries, numbers, strict=True)}
        return Split(*(self._where(part_of, part) for part in ("train", "dev", "test")))

    @known_keywords
    def without(self, queries: Iterable[str]) -> TrainingData:
        """The data without examples of which a text is, nearly, one of these (test) queries.

        Documents that answer test queries may stay: they are in the collection for everybody.
        """
        texts = [text for example in self.examples for text in (example.query, example.text)]
        test = items("queries", queries, "strings")
        if odd := [query for query in test if not isinstance(query, str)]:
            raise InvalidArgumentError.of_kind("queries", odd[0], "strings")
        bad = alike.among(texts, test)
        kept = [e for e in self.examples if e.query not in bad and e.text not in bad]
        gone = Counter({IN_TEST_SET: len(self) - len(kept)}) + Counter(self.report.dropped)
        return TrainingData(kept, dropped=gone)

    @known_keywords
    def sample(self, count: int, *, seed: int = 0) -> TrainingData:
        """At most `count` examples, drawn at random.

        Raises:
            InvalidArgumentError: not a whole number of at least 1.
        """
        positive("count", count)
        check_seed(seed)
        order = np.random.default_rng(seed).permutation(len(self))[:count]
        return TrainingData([self.examples[place] for place in sorted(order)])

    def with_negatives(self, negatives: Sequence[Sequence[str]]) -> TrainingData:
        """The examples with other negatives; those that get none are dropped, and reported."""
        if len(negatives) != len(self):
            expected = f"one list for each of {len(self)} examples"
            raise InvalidArgumentError.of("negatives", len(negatives), expected)
        given = zip(self.examples, negatives, strict=True)
        found = [replace(example, negatives=tuple(items("negatives", texts, "lists of texts")))
                 for example, texts in given if texts]  # fmt: skip
        gone = {"no negative was found": len(self) - len(found), **self.report.dropped}
        return TrainingData(found, dropped={why: n for why, n in gone.items() if n})

    def _where(self, part_of: Mapping[str, str], part: str) -> TrainingData:
        return TrainingData([e for e in self.examples if part_of[e.query] == part])


def check_data(name: str, data: object, *, scored: bool = True) -> None:
    """Raise `InvalidArgumentError` unless there is something to learn from.

    Args:
        name: of the argument.
        data: what was given.
        scored: whether examples with scores will do.
    """
    if not isinstance(data, TrainingData):
        raise InvalidArgumentError.of_kind(name, data, "TrainingData; see from_pairs")
    if len(data) < LEAST_EXAMPLES:
        expected = f"at least {LEAST_EXAMPLES} examples"
        raise InvalidArgumentError.of(name, f"{len(data)} ({data.report})", expected)
    if data.kind == "scored" and not scored:
        raise InvalidArgumentError.of(name, data.kind, "pairs or triplets, without scores")


def check_apart(train: TrainingData, dev: TrainingData) -> None:
    """Raise `InvalidArgumentError` where a query of `dev` is, nearly, one to be trained on."""
    queries = (example.query for example in train.examples)
    if both := alike.among((example.query for example in dev.examples), queries):
        expected = "no query that data has, too; TrainingData.split keeps them apart"
        raise InvalidArgumentError.of("dev", f"{len(both)} such queries", expected)
