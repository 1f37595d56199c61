"""What a further listening heard otherwise, beside what was heard first."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.analysis.stop_words import ISO_CODES
from langchain_chroma_hybrid.multimodal.transcripts import Cue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NEAR = 1.0  # seconds between two hearings of one word
_BEYOND = 0.5  # seconds around what was heard first in which a word still belongs to it
_AFTER = 0.01  # seconds by which an alternative begins later, so that its line stands before it


class Word(NamedTuple):
    """A word as faster-whisper gives it, with the space before it; its times in seconds."""

    start: float
    end: float
    word: str


class Line:
    """Words that were heard first, as one cue.

    Args:
        words: in order of time, at least one.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = tuple(words)
        self.cue = Cue(words[0].start, words[-1].end, "".join(each.word for each in words).strip())


class Alternatives:
    """Words that further listenings hear otherwise than the first, each told once.

    Args:
        lines: what was heard first, in order of time; where nothing was, nothing is believed.
        language: such as `en`. Forms of one word are no alternatives, and with its function words
            none begins or ends.
    """

    def __init__(self, lines: Sequence[Line], language: str | None = None) -> None:
        self._lines = sorted(lines, key=lambda line: line.cue.start)
        self._starts = [line.cue.start for line in self._lines]
        self._analyzer = Analyzer(language if language in ISO_CODES else None)
        self._dropped = {self._form(word) for word in self._analyzer.stop_words}
        self._known: dict[tuple[str, ...], list[tuple[float, float]]] = {}
        for line in self._lines:
            for word in line.words:
                self._learn(word)

    def among(self, words: Iterable[Word]) -> Iterator[Cue]:
        """Cues such as `(window?)`, each within the line beside which it was heard."""
        run: list[Word] = []
        beside: Line | None = None
        for word in words:
            line = self._line_of(word)
            new = line is not None and self._learn(word)
            if run and not (new and line is beside):
                yield from self._told(run, beside)
                run = []
            if new:
                run.append(word)
            beside = line
        yield from self._told(run, beside)

    def _learn(self, word: Word) -> bool:
        """Whether nothing like it was heard at its time before; from now on it was.

        A word that is repeated on and on is thereby new once.
        """
        if not (form := self._form(word.word)):
            return False
        heard = self._known.setdefault(form, [])
        new = not any(
            start - _NEAR <= word.end and word.start <= end + _NEAR for start, end in heard
        )
        heard.append((word.start, word.end))
        return new

    def _form(self, word: str) -> tuple[str, ...]:
        """What the lexical leg makes of a word: the same for all of its forms."""
        return tuple(self._analyzer.phrase(word))

    def _line_of(self, word: Word) -> Line | None:
        """The line in which it was heard; None where nothing was heard first."""
        middle = (word.start + word.end) / 2
        place = bisect_right(self._starts, middle)
        near = self._lines[max(0, place - 1) : place + 1]
        found = min(near, key=lambda line: _away(middle, line.cue), default=None)
        return found if found and _away(middle, found.cue) <= _BEYOND else None

    def _told(self, run: Sequence[Word], line: Line | None) -> Iterator[Cue]:
        """The words as an alternative, without function words around them; nothing if no other."""
        places = [at for at, word in enumerate(run) if self._form(word.word) not in self._dropped]
        if line is None or not places:
            return
        words, cue = run[places[0] : places[-1] + 1], line.cue
        text = _trimmed("".join(word.word for word in words))
        start = min(max(words[0].start, cue.start + _AFTER), cue.end)
        yield Cue(start, min(max(words[-1].end, start), cue.end), f"({text}?)")


def _trimmed(text: str) -> str:
    """A text without spaces and punctuation around it."""
    places = [at for at, each in enumerate(text) if _of_words(each)]
    return text[places[0] : places[-1] + 1]


def _of_words(character: str) -> bool:
    """Whether it is a letter, a mark on one, or a digit."""
    return unicodedata.category(character)[0] in "LMN"


def _away(second: float, cue: Cue) -> float:
    """How far a second is from a cue, 0 within it."""
    return max(cue.start - second, second - cue.end, 0.0)
