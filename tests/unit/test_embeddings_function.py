"""FunctionEmbeddings: sync and async callables, generators, chromadb functions."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from chromadb.api.types import Documents, EmbeddingFunction

from langchain_chroma_hybrid.embeddings import FunctionEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError


def lengths(texts):
    return [[float(len(text)), 1.0] for text in texts]


class Lengths(EmbeddingFunction[Documents]):
    """A chromadb function whose queries differ from its documents."""

    def __init__(self, sign: int = 1) -> None:
        self.sign = sign

    def __call__(self, input):
        return [np.array([self.sign * len(text), 1], dtype=np.float32) for text in input]

    def embed_query(self, input):
        return [np.array([self.sign * len(text), 2], dtype=np.float32) for text in input]

    @staticmethod
    def name():
        return "lengths_for_tests"

    @staticmethod
    def build_from_config(config: dict[str, Any]):
        return Lengths(**config)

    def get_config(self):
        return {"sign": self.sign}


@pytest.mark.parametrize(
    "fn",
    [
        lengths,
        lambda texts: np.array(lengths(texts)),
        lambda texts: [np.array(row) for row in lengths(texts)],
        lambda texts: (np.array(row) for row in lengths(texts)),
        lambda texts: tuple(map(tuple, lengths(texts))),
    ],
    ids=["lists", "array", "list of arrays", "generator of arrays", "tuples"],
)
def test_one_vector_per_text_in_whatever_form(fn):
    embeddings = FunctionEmbeddings(fn)
    assert embeddings.embed_documents(["a", "bbb"]) == [[1.0, 1.0], [3.0, 1.0]]
    assert embeddings.embed_query("cc") == [2.0, 1.0]


def test_torch_tensors_are_read():
    torch = pytest.importorskip("torch")
    weights = torch.ones(2, 3, dtype=torch.bfloat16, requires_grad=True)
    assert FunctionEmbeddings(lambda texts: weights).embed_documents(["a", "b"]) == [[1.0] * 3] * 2


@pytest.mark.parametrize("answer", [[7.0, 2.0], [[7.0, 2.0]], np.array([7.0, 2.0])])
def test_queries_have_their_own_function(answer):
    embeddings = FunctionEmbeddings(lengths, lambda text: answer)
    assert embeddings.embed_query("x") == [7.0, 2.0]
    assert embeddings.embed_documents(["x"]) == [[1.0, 1.0]]


def test_batches_are_joined_in_order():
    sizes = []

    def fn(texts):
        sizes.append(len(texts))
        return np.array(lengths(texts))

    texts = ["x" * n for n in range(1, 8)]
    got = FunctionEmbeddings(fn, batch_size=3).embed_documents(texts)
    assert [row[0] for row in got] == [1, 2, 3, 4, 5, 6, 7]
    assert sizes == [3, 3, 1]


async def test_an_async_function_is_awaited_in_the_callers_loop():
    loops = set()

    async def fn(texts):
        loops.add(asyncio.get_running_loop())
        return lengths(texts)

    embeddings = FunctionEmbeddings(fn, batch_size=1)
    assert await embeddings.aembed_documents(["a", "bb"]) == [[1.0, 1.0], [2.0, 1.0]]
    assert await embeddings.aembed_query("ccc") == [3.0, 1.0]
    assert loops == {asyncio.get_running_loop()}


def test_sync_calls_run_an_async_function_in_one_lasting_loop():
    loops = set()

    async def fn(texts):
        loops.add(asyncio.get_running_loop())
        return lengths(texts)

    embeddings = FunctionEmbeddings(fn)
    assert embeddings.embed_documents(["a"]) == [[1.0, 1.0]]
    assert embeddings.embed_query("bb") == [2.0, 1.0]
    assert len(loops) == 1
    assert not next(iter(loops)).is_closed()


async def test_a_sync_call_inside_a_running_loop_also_works():
    async def fn(texts):
        return lengths(texts)

    assert FunctionEmbeddings(fn).embed_query("bb") == [2.0, 1.0]


async def test_a_slow_sync_function_leaves_the_loop_free():
    may_end = threading.Event()

    def fn(texts):
        assert may_end.wait(30), "the loop never came to set this"
        return lengths(texts)

    async def release():
        may_end.set()

    embeddings = FunctionEmbeddings(fn)
    vector, _ = await asyncio.gather(embeddings.aembed_query("a"), release())
    assert vector == [1.0, 1.0]


def test_what_the_function_raises_comes_through():
    def fn(texts):
        raise ConnectionError("quota")

    with pytest.raises(ConnectionError, match="quota"):
        FunctionEmbeddings(fn).embed_query("a")


def test_a_chromadb_function_embeds_queries_its_own_way():
    embeddings = FunctionEmbeddings(Lengths(-1))
    assert embeddings.embed_documents(["aa"]) == [[-2.0, 1.0]]
    assert embeddings.embed_query("aa") == [-2.0, 2.0]


@pytest.mark.parametrize(
    "arguments",
    [{"fn": None}, {"fn": lengths, "query_fn": 3}, {"fn": lengths, "batch_size": 0}],
)
def test_bad_arguments(arguments):
    with pytest.raises(InvalidArgumentError):
        FunctionEmbeddings(**arguments)
