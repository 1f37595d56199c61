"""One thing to learn from, and which of many say something."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.keywords import known_fields
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.embeddings.base import replace_surrogates
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune import alike

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@known_fields
@dataclass(frozen=True, slots=True)
class Example:
    """A query, and a text that answers it.

    Attributes:
        query: what is asked; of two scored texts the first.
        text: what answers it; of two scored texts the second.
        negatives: texts that do not answer it.
        score: how much both belong together, 0..1; None for a text that answers the query.
        id: of the record that has the text, where one is known.
        origin: where the query comes from: `labelled`, or how it was made (see `make_queries`).
    """

    query: str
    text: str
    negatives: tuple[str, ...] = ()
    score: float | None = None
    id: str | None = None
    origin: str = "labelled"

    def __post_init__(self) -> None:
        for name in ("query", "text", "origin"):
            if not isinstance(getattr(self, name), str):
                raise InvalidArgumentError.of_kind(name, getattr(self, name), "a string")
        if self.id is not None and not isinstance(self.id, str):
            raise InvalidArgumentError.of("id", self.id, "a string or None")
        several = isinstance(self.negatives, list | tuple)
        if not several or not all(isinstance(text, str) for text in self.negatives):
            raise InvalidArgumentError.of_kind("negatives", self.negatives, "a tuple of strings")
        # Half characters, of broken JSON, are what tokenizers raise at.
        object.__setattr__(self, "query", replace_surrogates(self.query))
        object.__setattr__(self, "text", replace_surrogates(self.text))
        object.__setattr__(self, "negatives", tuple(map(replace_surrogates, self.negatives)))
        if self.score is not None:
            number("score", self.score, 0.0, 1.0)
            # NumPy's numbers do not go into JSON.
            object.__setattr__(self, "score", float(self.score))


def cleaned(examples: Sequence[Example], reasons: Counter[str]) -> Iterable[Example]:
    """The examples that say something that none before them has; counts the others."""
    keys = [(alike.key(example.query), alike.key(example.text)) for example in examples]
    answers: dict[str, set[str]] = defaultdict(set)
    for query, text in keys:
        answers[query] |= {query, text}
    seen: set[Any] = set()
    for example, (query, text) in zip(examples, keys, strict=True):
        given = {alike.key(each): each for each in example.negatives if each.strip()}
        wrong = {key: each for key, each in given.items() if key not in answers[query]}
        pair = (query, text) if example.score is None else frozenset((query, text))
        if not example.query.strip() or not example.text.strip():
            reasons["empty text"] += 1
        elif query == text and example.score is None:
            reasons["query is its own answer"] += 1
        elif example.negatives and not wrong:
            reasons["every negative is empty or an answer"] += 1
        elif (pair, *wrong) in seen:
            reasons["duplicate"] += 1
        else:
            seen.add((pair, *wrong))
            yield replace(example, negatives=tuple(wrong.values()))
