"""What a migration will cost, or has done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_chroma_hybrid.core.embedding_model import EmbeddingModel


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """A migration of one collection to another model.

    Attributes:
        collection: its name.
        target: name of the new one.
        before: the model that had filled it, as far as that is known.
        after: the new model.
        records: that have to be embedded anew, or were.
        pictures: how many of them are embedded by their file.
        lost: ids of some that have neither text nor file, of which nothing can be embedded.
        characters: of all texts, as estimated from a sample.
        seconds: that it took; before that, an estimate from embedding the sample.
        cost: in the currency of the price that was given per million tokens; None without one.
        done: whether the new collection has taken the place of the old one.
    """

    collection: str
    target: str
    before: EmbeddingModel | None
    after: EmbeddingModel
    records: int
    pictures: int
    lost: tuple[str, ...]
    characters: int
    seconds: float
    cost: float | None = None
    done: bool = False

    @property
    def tokens(self) -> int:
        """About as many, at four characters each, which is right for English."""
        return self.characters // 4

    def __str__(self) -> str:
        """In a few lines."""
        took = "took" if self.done else "about"
        lines = [
            f"{self.collection}: {self.before or 'an unknown model'} -> {self.after}",
            f"{self.records} records, {self.characters} characters, {took} {self.seconds:.0f} s",
        ]
        if self.pictures:
            lines.append(f"{self.pictures} of them are pictures")
        if self.cost is not None:
            lines.append(f"cost: about {self.cost:.2f} for {self.tokens} tokens")
        if self.done:
            lines.append(f"{self.target} has the place of {self.collection}, which is kept")
        return "\n".join(lines)
