"""Queries by a chat model, each asked for once: what was answered is kept in a file."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid._files import append_line, path_of, read_lines
from langchain_chroma_hybrid.core.checks import positive
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune.data import TrainingData, check_data
from langchain_chroma_hybrid.finetune.examples import Example
from langchain_chroma_hybrid.finetune.queries import passages_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from langchain_chroma import Chroma
    from langchain_core.language_models import BaseChatModel

    from langchain_chroma_hybrid.finetune.queries import Passage

PROMPT = """Below is a passage of a collection. Write {count} short question(s) or search queries \
that somebody would type whom this passage answers. Do not mention the passage. One on a line, \
nothing else.

{text}"""
_CHARACTERS_PER_TOKEN = 4
_ANSWER_TOKENS = 25


@dataclass(frozen=True, slots=True)
class QueryCosts:
    """What asking a chat model takes.

    Attributes:
        calls: how many are left to do; what is in the file is not asked again.
        tokens: of prompts and answers of those, at four characters a token.
        cost: by the price that was given; None without one.
    """

    calls: int
    tokens: int
    cost: float | None

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", {self.cost:.2f}"
        return f"{self.calls} calls, about {self.tokens} tokens{cost}"


@known_keywords
def query_costs(
    store: Chroma,
    file: str | os.PathLike[str],
    *,
    per_record: int = 1,
    limit: int | None = None,
    prompt: str = PROMPT,
    price: float | None = None,
) -> QueryCosts:
    """What `ask_for_queries` will take with the same arguments; asks nobody.

    Args:
        store: as there.
        file: as there.
        per_record: as there.
        limit: as there.
        prompt: as there.
        price: of a million tokens.

    Raises:
        InvalidArgumentError: as there, or a price below 0.
    """
    if price is not None:
        number("price", price, 0.0, math.inf)
    known = _answered(path_of("file", file))
    asked = _prompts(store, per_record, limit, prompt)
    left = [text for text in asked.values() if _key(text) not in known]
    answers = len(left) * per_record * _ANSWER_TOKENS
    tokens = sum(map(len, left)) // _CHARACTERS_PER_TOKEN + answers
    return QueryCosts(len(left), tokens, None if price is None else tokens * price / 1_000_000)


@known_keywords
def ask_for_queries(
    store: Chroma,
    model: BaseChatModel,
    file: str | os.PathLike[str],
    *,
    per_record: int = 1,
    limit: int | None = None,
    prompt: str = PROMPT,
    progress: Callable[[int, int], None] | None = None,
) -> TrainingData:
    """Pairs of queries that a chat model writes for each record, and the record's text.

    Every answer is appended to `file` (JSON lines) at once: after an error or a kill the same call
    goes on where that one has ended, and costs nothing for what is there. Ask `query_costs` first.

    Args:
        store: the collection.
        model: any chat model of LangChain's.
        file: where answers are kept.
        per_record: queries for each record.
        limit: of records; None for all.
        prompt: with `{text}` and `{count}`.
        progress: called with (records done, records to do).

    Raises:
        InvalidArgumentError: a prompt without `{text}`, a file that cannot be written, or too few
            answers that can be used.
    """
    if not hasattr(model, "invoke"):
        raise InvalidArgumentError.of("model", model, "a chat model of LangChain's")
    asked, path = _prompts(store, per_record, limit, prompt), path_of("file", file)
    try:
        path.open("a").close()
    except OSError as error:
        raise InvalidArgumentError.of("file", str(path), f"one to write to ({error})") from error
    known = _answered(path)
    for done, text in enumerate(asked.values(), 1):
        if _key(text) not in known:
            known[_key(text)] = _said(model.invoke(text).content)
            append_line(path, {"key": _key(text), "answer": known[_key(text)]})
        if progress is not None:
            progress(done, len(asked))
    examples = [
        Example(query, passage.text, id=passage.id, origin="chat_model")
        for passage, text in asked.items()
        for query in _queries(known[_key(text)])[:per_record]
    ]
    data = TrainingData(examples)
    check_data("data", data)
    return data


def _prompts(
    store: Chroma, per_record: int, limit: int | None, prompt: str
) -> dict[Passage, str]:
    """The prompt of each record."""
    positive("per_record", per_record)
    if not isinstance(prompt, str) or "{text}" not in prompt:
        raise InvalidArgumentError.of("prompt", prompt, "a text with {text} and {count}")
    filled = prompt.replace("{count}", str(per_record))
    return {p: filled.replace("{text}", p.text) for p in passages_of(store, limit)}


def _answered(path: Path) -> dict[str, str]:
    """Answers by key; what a kill has torn is asked for again."""
    rows = [row for row in read_lines(path) if {"key", "answer"} <= row.keys()]
    return {str(row["key"]): str(row["answer"]) for row in rows}


def _key(prompt: str) -> str:
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _said(content: Any) -> str:
    """The text of a message, whose content may be a list of parts."""
    if isinstance(content, str):
        return content
    parts: Sequence[Any] = content
    return "".join(p if isinstance(p, str) else str(p.get("text", "")) for p in parts)


def _queries(answer: str) -> list[str]:
    """One on each line, without numbers, bullets and quotes."""
    lines = (line.strip().lstrip("0123456789.)-*• ").strip(" \"'") for line in answer.splitlines())
    return [line for line in lines if line]
