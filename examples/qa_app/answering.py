"""Answers from sources: by a chat model, or, without one, in the sources' own sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid.core.citations import best_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.language_models import BaseChatModel

    from langchain_chroma_hybrid import SearchResult
    from langchain_chroma_hybrid.core.citations import Citation, Citations

MOST_CHARACTERS = 12_000
MOST_HISTORY = 4_000
_SHORT = 40
_LONGEST = 500  # of an answer in the history, and of a question made out of it
_ALONE = (
    "Rewrite the last question so that it can be understood without the conversation before it, in "
    "its language. Say nothing but the question. If it needs no change, repeat it."
)
_RULES = (
    "Answer from these sources only, in plain text without Markdown, and cite each statement by "
    "the number of its source, such as [1]. If the answer is not in them, say so."
)


def chat_model(name: str) -> BaseChatModel:
    """Any chat model that LangChain knows, such as `openai:gpt-5-mini` or `ollama:llama3.2`.

    Raises:
        Exception: whatever the model's package raises, such as for a missing key.
    """
    from langchain.chat_models import init_chat_model  # noqa: PLC0415  # not needed without a model

    return init_chat_model(name)


def extract(result: SearchResult, most: int = 3) -> str:
    """The best sentences of the first sources, word for word."""
    quotes: dict[str, int] = {}
    for source in result.as_citations():
        quotes.setdefault(_quote(source), source.number)
    return "\n".join(f"{quote} [{number}]" for quote, number in list(quotes.items())[:most])


def _quote(source: Citation) -> str:
    """A source's best sentence; a heading with the one below it."""
    quote, rest = source.quote, source.passage[source.end :]
    if len(quote) < _SHORT and not quote.endswith((".", "!", "?")):
        start, end = best_sentence(rest)
        quote += f": {rest[start:end]}"
    return " ".join(quote.strip("#: ").split())


def generate(model: BaseChatModel, question: str, sources: Citations) -> Iterator[str]:
    """The model's answer as it comes."""
    messages = [("system", f"{_RULES}\n\n{sources}"), ("human", question)]
    for chunk in model.stream(messages):
        yield str(chunk.text)


def standalone(
    model: BaseChatModel, question: str, earlier: Sequence[tuple[str, str]]
) -> str:
    """A question that can be searched for by itself, such as one after "and in version 15?".

    Args:
        model: rewrites it.
        question: as it was asked.
        earlier: questions and answers before it; the last `MOST_HISTORY` characters are told.
    """
    said, left = list[str](), MOST_HISTORY
    for asked, answered in reversed(earlier):
        part = f"Question: {asked[:_LONGEST]}\nAnswer: {answered[:_LONGEST]}"
        left -= len(part)
        if left < 0:
            break
        said.insert(0, part)
    history = "\n\n".join([*said, f"Last question: {question}"])
    found = model.invoke([("system", _ALONE), ("human", history)]).text
    return " ".join(str(found).split())[:_LONGEST] or question


def not_there(result: SearchResult) -> str:
    """What is said where nothing is relevant, with the words that occur nowhere."""
    said = "That is not in your documents."
    if result.unmatched:
        said += f" Nowhere in them occurs: {', '.join(result.unmatched)}."
    return said


def remarks(result: SearchResult) -> list[str]:
    """What else is to say of a search: typing errors that were passed over, what was left out."""
    corrected = result.corrections.items()
    read = [f"Read {typed} as {' or '.join(words)}, too." for typed, words in corrected]
    return [*read, *result.notes]
