"""One question and what came of it; a conversation is a list of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_core.language_models import BaseChatModel
    from library import Library, Wish

    from langchain_chroma_hybrid import Hit, SearchResult

EXTRACTIVE = "Not by a chat model: the best sentences of the sources, word for word."


@dataclass(slots=True)
class Turn:
    """A question, its answer as far as it has come, and the passages that it is made of.

    Attributes:
        asked: the question as it is searched for, which may be a follow-up made whole.
        found: the passages answer the question; else they are what comes nearest.
        notice: who answers.
        problem: what went wrong, in one line.
    """

    question: str
    asked: str = ""
    text: str = ""
    hits: tuple[Hit, ...] = ()
    found: bool = False
    notice: str = ""
    problem: str = ""
    remarks: list[str] = field(default_factory=list)

    def search(
        self,
        library: Library,
        wish: Wish,
        earlier: Sequence[Turn] = (),
        model: Callable[[], BaseChatModel | None] = lambda: None,
    ) -> SearchResult | None:
        """Find the passages; None if the question ends here."""
        self.problem = "Stopped before there was an answer."  # unless it gets there
        self.asked = self._alone(earlier, model)
        try:
            result = library.search(self.asked, wish)
            self.found = bool(result.hits)
            self.hits = (result if self.found else library.nearest(self.asked, wish)).hits
        except Exception as error:  # noqa: BLE001  # the app goes on
            self.problem = f"The search failed: {one_line(error)}"
            return None
        self.remarks += answering.remarks(result)
        if self.found:
            return result
        self.text, self.problem = answering.not_there(result), ""
        return None

    def _alone(
        self, earlier: Sequence[Turn], model: Callable[[], BaseChatModel | None]
    ) -> str:
        """The question; after others, where there is a model, what it means by itself."""
        try:
            if earlier and (reader := model()):
                history = [(turn.asked or turn.question, turn.text) for turn in earlier]
                asked = answering.standalone(reader, self.question, history)
                if asked != self.question:
                    self.remarks.append(f"Understood as: {asked}")
                return asked
        except Exception as error:  # noqa: BLE001  # it may stand for itself
            self.remarks.append(f"Taken by itself, as the chat model failed: {one_line(error)}")
        return self.question

    def answers(
        self, result: SearchResult, model: Callable[[], BaseChatModel | None]
    ) -> Iterator[str]:
        """The answer, longer each time: the model's, or an extractive one where there is none."""
        self.problem = "Stopped before it was done."
        try:
            if writer := model():
                sources = result.as_citations(max_characters=answering.MOST_CHARACTERS)
                for piece in answering.generate(writer, self.asked, sources):
                    self.text += piece
                    yield self.text
            self.problem = ""
        except Exception as error:  # noqa: BLE001  # no key, no network, no such model, in the middle
            self.problem = f"The chat model failed: {one_line(error)}"
        if not self.text.strip():
            self.text, self.notice = answering.extract(result), EXTRACTIVE
            yield self.text


def one_line(error: Exception) -> str:
    """An error as people are told of it."""
    return " ".join(str(error).split())[:500] or type(error).__name__
