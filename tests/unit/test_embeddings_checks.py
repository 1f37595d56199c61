"""Bad input and bad vectors: each has its clear error."""

import numpy as np
import pytest

from langchain_chroma_hybrid.embeddings import FunctionEmbeddings
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError


def giving(answer):
    return FunctionEmbeddings(lambda texts: answer, dimension=None)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ([], "at least one text"),
        ("one string", "a list of strings"),
        (None, "a list of strings"),
        (["fine", ""], r"texts\[1\]: expected a non-empty string"),
        (["fine", 3], r"texts\[1\]: expected a string, got 3"),
        ([None], r"texts\[0\]"),
    ],
)
def test_texts_are_checked_before_the_model_is_asked(texts, says):
    asked = []
    with pytest.raises(InvalidArgumentError, match=says):
        FunctionEmbeddings(asked.append).embed_documents(texts)
    assert asked == []


@pytest.mark.parametrize(
    ("text", "says"), [("", "non-empty"), (None, "a string"), (b"x", "string")]
)
def test_a_query_is_checked(text, says):
    with pytest.raises(InvalidArgumentError, match=f"text: .*{says}"):
        giving([[1.0]]).embed_query(text)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([[1.0, 2.0]], "expected 2, one per text, got '1 vectors'"),
        ([[1.0]] * 3, "got '3 vectors'"),
        ([[1.0, 2.0], [1.0]], "one length"),
        ([1.0, 2.0], "shape"),
        ([[[1.0]], [[2.0]]], "shape"),
        ([[1.0, float("nan")], [1.0, 2.0]], "vector 0"),
        ([[1.0, 2.0], [1.0, float("inf")]], "vector 1"),
        (np.array([[1e300], [1.0]]), "vector 0"),
        ([["a"], ["b"]], "real numbers"),
        ([[True], [False]], "real numbers"),
        ([[1j], [2j]], "real numbers"),
        ([[], []], "dimension"),
        ([None, None], "embeddings"),
        (None, "embeddings"),
    ],
)
def test_what_is_not_one_finite_vector_per_text_is_refused(answer, says):
    with pytest.raises(EmbeddingError, match=says):
        giving(answer).embed_documents(["a", "b"])


def test_the_first_vectors_fix_the_dimension():
    embeddings = FunctionEmbeddings(lambda texts: [[1.0] * len(text) for text in texts])
    assert embeddings.dimension is None
    embeddings.embed_documents(["ab"])
    assert embeddings.dimension == 2
    with pytest.raises(EmbeddingError, match="expected dimension 2, got 'dimension 3'"):
        embeddings.embed_query("abc")


def test_a_given_dimension_holds_from_the_start():
    with pytest.raises(EmbeddingError, match="dimension 3"):
        FunctionEmbeddings(lambda texts: [[1.0, 2.0]], dimension=3).embed_query("a")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64"])
def test_numbers_of_any_kind_become_float32(dtype):
    embeddings = giving(np.array([[1, 2], [3, 4]], dtype=dtype))
    vectors = embeddings.document_vectors(["a", "b"])
    assert vectors.dtype == np.float32
    assert vectors.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_langchain_gets_lists_of_python_floats():
    embeddings = giving(np.array([[1, 2]], dtype=np.float32))
    assert embeddings.embed_query("a") == [1.0, 2.0]
    assert type(embeddings.embed_documents(["a"])[0][0]) is float


def test_half_a_character_does_not_make_a_query_raise():
    seen = []
    embeddings = FunctionEmbeddings(lambda texts: seen.extend(texts) or [[1.0]])
    embeddings.embed_query("broken \ud83d json")
    embeddings.embed_query("whole \N{GRINNING FACE} ß")
    assert seen == ["broken \ufffd json", "whole \N{GRINNING FACE} ß"]
