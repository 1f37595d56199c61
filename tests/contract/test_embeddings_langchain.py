"""LangChain's own suites, and the stores that take the embeddings."""

import subprocess
import sys

import pytest
from langchain_chroma import Chroma
from langchain_core.embeddings import Embeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests
from langchain_tests.unit_tests import EmbeddingsUnitTests

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.embeddings import (
    FunctionEmbeddings,
    SentenceTransformerEmbeddings,
)
from tests.tiny_models import minilm

MODEL = {"model": minilm(), "device": "cpu"}
TEXTS = ["a cat sleeps in the sun", "shares fell after the report", "how to bake rye bread"]


def counts(texts):
    return [[float(len(text)), float(text.count("o")), 1.0] for text in texts]


class ModelCase:
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return SentenceTransformerEmbeddings

    @property
    def embedding_model_params(self) -> dict:
        return MODEL


class FunctionCase:
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return FunctionEmbeddings

    @property
    def embedding_model_params(self) -> dict:
        return {"fn": counts}


class AsyncFunctionCase(FunctionCase):
    @property
    def embedding_model_params(self) -> dict:
        async def fn(texts):
            return counts(texts)

        return {"fn": fn}


class TestModelUnit(ModelCase, EmbeddingsUnitTests):
    """Construction."""


class TestModelIntegration(ModelCase, EmbeddingsIntegrationTests):
    """The real MiniLM."""


class TestFunctionUnit(FunctionCase, EmbeddingsUnitTests):
    """Construction."""


class TestFunctionIntegration(FunctionCase, EmbeddingsIntegrationTests):
    """A sync function."""


class TestAsyncFunctionIntegration(AsyncFunctionCase, EmbeddingsIntegrationTests):
    """An async function."""


@pytest.mark.parametrize("store_class", [Chroma, HybridChroma])
def test_stores_take_the_embeddings(store_class, tmp_path):
    store = store_class(
        "embeddings-here",
        embedding_function=SentenceTransformerEmbeddings(**MODEL),
        persist_directory=str(tmp_path),
    )
    store.add_texts(TEXTS, ids=["cat", "shares", "bread"])
    assert store.similarity_search("kitten", k=1)[0].page_content == TEXTS[0]
    assert store.similarity_search("stock market", k=1)[0].page_content == TEXTS[1]


LIGHT = """
import sys
import langchain_chroma_hybrid.embeddings as room
for name in room.__all__:
    getattr(room, name)
heavy = {"torch", "transformers", "sentence_transformers", "onnxruntime", "onnx"} & set(sys.modules)
assert not heavy, heavy
"""


def test_importing_the_room_loads_no_model_library():
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
