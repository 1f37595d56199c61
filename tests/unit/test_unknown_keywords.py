"""Every public door names the keywords that it knows when it is given another."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from langchain_core.documents import Document

import langchain_chroma_hybrid as package
from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    InvalidArgumentError,
    UnknownArgumentError,
)
from langchain_chroma_hybrid.llama_index import ChromaHybridVectorStore
from langchain_chroma_hybrid.testing.embeddings import WordEmbeddings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULES = (
    "documents", "embeddings", "evaluation", "finetune", "llama_index", "multimodal",
    "testing.embeddings", "tools",
)  # fmt: skip
# What is given back, not made by callers: Python's own error is enough.
GIVEN_BACK = {
    "Change", "Compared", "DataReport", "Dataset", "Difference", "Estimate", "Evaluation",
    "FileMoments", "FineTuned", "GivenRecord", "Hit", "ImageFailure", "ImageReport", "Moment",
    "Promotion", "QueryCosts", "ReadFile", "RescueReport", "SearchResult", "Split", "Trial",
    "Tuned", "Verdict",
}  # fmt: skip


def _public() -> Iterator[tuple[str, Any]]:
    for module in (package, *(import_module(f"{package.__name__}.{name}") for name in MODULES)):
        own = [n for n, value in vars(module).items() if _home(value) == module.__name__]
        room = module.__name__.removeprefix(package.__name__).lstrip(".")
        for name in getattr(module, "__all__", own):
            if not name.startswith("_"):
                yield f"{room}.{name}".lstrip("."), getattr(module, name)


def _home(value: object) -> str:
    return getattr(value, "__module__", "")


def takes_any(value: Any) -> bool:
    """Whether keywords are handed on: what takes them says which it knows."""
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(value).parameters.values())


def _doors() -> dict[str, Callable[..., Any]]:
    """Constructors and functions by name, less protocols, errors and those that take anything."""
    found = {}
    for name, value in _public():
        made = inspect.isclass(value) and not (
            issubclass(value, Exception)
            or inspect.isabstract(value)
            or value.__name__ in GIVEN_BACK
        )
        door = (made and not getattr(value, "_is_protocol", False)) or inspect.isfunction(value)
        if door and not takes_any(value):
            found[name] = value
    return found


@pytest.mark.parametrize("name", sorted(_doors()))
def test_a_misspelt_keyword_is_told_with_all_that_are_known(name: str) -> None:
    door = _doors()[name]
    places = inspect.signature(door).parameters.values()
    collection = chromadb.EphemeralClient().get_or_create_collection("unknown-keywords")
    needed = {
        place.name: collection if place.name == "collection" else object()
        for place in places
        if place.default is place.empty and place.kind is place.POSITIONAL_OR_KEYWORD
    }

    with pytest.raises(ChromaHybridError, match="zzz_unknown") as told:
        door(**needed, zzz_unknown=1)
    if isinstance(told.value, UnknownArgumentError):
        assert str(told.value).startswith(f"{door.__name__} ")


def test_an_inherited_constructor_speaks_of_the_class_that_is_made() -> None:
    for given, said in (((), "missing a required argument: 'server'"), ((1, 2), "too many")):
        with pytest.raises(TypeError, match=rf"^ElasticsearchIndex: {said}"):
            package.ElasticsearchIndex(*given)


def test_what_is_meant_is_suggested() -> None:
    store = HybridChroma("unknown-keywords", embedding_function=WordEmbeddings())

    for call, keyword, meant in (
        (package.Analyzer, "langauge", "language"),
        (package.RankBM25Index, "tokenizer", "analyzer"),
        (store.sync, "full", "deep"),
        (store.verify, "fixx", "fix"),
        (store.describe, "record", "records"),
    ):
        with pytest.raises(UnknownArgumentError, match=rf"{keyword} \(write {meant}=\).* knows: "):
            call(**{keyword: True})
    with pytest.raises(UnknownArgumentError, match=r"known|knows: .*document"):
        store.highlight("a", Document("a"), words=1)


def test_a_signature_stays_what_it_was() -> None:
    assert next(iter(inspect.signature(package.Analyzer).parameters)) == "language"


def test_what_llama_index_refuses_is_said_as_everywhere() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^host: expected a valid string, got 5$"):
        ChromaHybridVectorStore(host=5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match=r"^headers: ") as refused:
        ChromaHybridVectorStore(headers="Bearer nobody-sees-this")  # type: ignore[arg-type]
    assert "nobody" not in str(refused.value)
