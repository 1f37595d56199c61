"""Everyday mistakes: each message says what was got, what is expected and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import chromadb
import pytest

from langchain_chroma_hybrid import ChromaHybridError, HybridChroma
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import filled
from tests.unit.everyday_mistakes import MISTAKES, PASSWORD, QUERY, SECRET, made

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared() -> Iterator[HybridChroma]:
    """A store to which nobody writes, with a text that nobody may see."""
    store = filled()
    store.add_texts([SECRET], [{"kept": SECRET}], ["secret"])
    before = store.get()
    yield store
    assert store.get() == before
    store.delete_collection()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_says_what_to_do(shared, mistake):
    act, words = MISTAKES[mistake]
    with pytest.raises(ChromaHybridError) as caught:
        act(shared)
    said = str(caught.value)
    assert [word for word in words if word not in said] == [], said
    assert SECRET not in said
    assert PASSWORD not in said
    assert " at 0x" not in said


def test_a_missing_collection_is_chromas_error_too(shared):
    with pytest.raises(chromadb.errors.NotFoundError, match=shared._collection_name):
        made(collection_name="nobody", create_collection_if_not_exists=False)


def test_an_index_on_disk_with_another_analyzer_is_described(tmp_path):
    store = filled(tmp_path)
    store.similarity_search(QUERY)
    store.close()
    other = HybridChroma(store._collection_name, WordEmbeddings(), str(tmp_path), analyzer=None)
    with pytest.raises(ChromaHybridError) as caught:
        other.similarity_search(QUERY)
    assert "the english stemmer" in str(caught.value)
    assert "no stemmer and no stop words" in str(caught.value)
    assert "Format(" not in str(caught.value)
