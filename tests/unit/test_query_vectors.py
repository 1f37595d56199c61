"""Equal queries are embedded once, whoever asks; nobody gets what is not his."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from llama_index.core.settings import Settings

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.embeddings import (
    FunctionEmbeddings,
    MultimodalEmbeddings,
)
from langchain_chroma_hybrid.engine.query.query_vectors import MOST, QueryVectors
from langchain_chroma_hybrid.llama_index import ChromaHybridRetriever as LlamaRetriever
from langchain_chroma_hybrid.llama_index import to_llama
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import filled, plain_chroma

TEXT = "the pump of R123-78"
MANY = 20
words = WordEmbeddings()


class Passed:
    """A guard that has nothing more to find out."""

    passed = True

    def check(self) -> None:
        pass


class Model:
    """Counts what it embeds; slow enough that all who ask at one time wait for one."""

    def __init__(self, *, asynchronous: bool = False) -> None:
        self.asked: list[str] = []
        self.fails: BaseException | None = None
        self.takes = 0.02
        self.asynchronous = asynchronous
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()

    def embeddings(self, fingerprint: str | None = "counted") -> FunctionEmbeddings:
        query = self.alater if self.asynchronous else self.later
        return FunctionEmbeddings(words.embed_documents, query, fingerprint=fingerprint)

    def later(self, text: str) -> list[float]:
        self.asked.append(text)
        self.begun.set()
        assert self.go.wait(60)
        time.sleep(self.takes)
        if self.fails is not None:
            raise self.fails
        return words.embed_query(text)

    async def alater(self, text: str) -> list[float]:
        return await asyncio.to_thread(self.later, text)


def in_threads(call, count=MANY):
    """What `call` gives, or raises, in as many threads at once."""
    together = threading.Barrier(count)

    def run(_):
        together.wait(60)
        try:
            return call()
        except Exception as error:  # noqa: BLE001  # looked at by the test
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


# What anybody may search with; each is given the model and a way to ask it in a batch.


def by_store(embeddings):
    store = filled(embedding_function=embeddings)
    return lambda: store.similarity_search(TEXT), lambda: store.asimilarity_search(TEXT)


def by_store_retriever(embeddings):
    retriever = filled(embedding_function=embeddings).as_retriever()
    return lambda: retriever.invoke(TEXT), lambda: retriever.ainvoke(TEXT)


def by_retriever(embeddings):
    chroma = plain_chroma(embedding_function=embeddings)
    retriever = ChromaHybridRetriever(vectorstore=chroma)
    return lambda: retriever.invoke(TEXT), lambda: retriever.ainvoke(TEXT)


def by_search(embeddings):
    retriever = ChromaHybridRetriever(vectorstore=filled(embedding_function=embeddings))
    return lambda: retriever.search(TEXT), lambda: retriever.asearch(TEXT)


def by_llama_index(embeddings):
    collection = filled(embedding_function=embeddings)._collection
    retriever = LlamaRetriever(collection, embed_model=to_llama(embeddings))
    return lambda: retriever.retrieve(TEXT), lambda: retriever.aretrieve(TEXT)


def by_llama_settings(embeddings):
    collection = filled(embedding_function=embeddings)._collection
    Settings.embed_model = to_llama(embeddings)
    retriever = LlamaRetriever(collection)
    return lambda: retriever.retrieve(TEXT), lambda: retriever.aretrieve(TEXT)


FACES = [
    by_store, by_store_retriever, by_retriever, by_search, by_llama_index, by_llama_settings,
]  # fmt: skip


@pytest.fixture(params=FACES)
def face(request):
    yield request.param
    Settings._embed_model = None


def test_of_equal_queries_in_threads_one_is_embedded(face):
    model = Model()
    ask, _ = face(model.embeddings())
    found = in_threads(ask)
    assert model.asked == [TEXT]
    assert not [each for each in found if isinstance(each, Exception)]


async def test_of_equal_queries_in_a_loop_one_is_embedded(face):
    model = Model(asynchronous=True)
    _, ask = face(model.embeddings())
    await asyncio.gather(*[ask() for _ in range(MANY)])
    await ask()
    assert model.asked == [TEXT]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("fingerprint", ["counted", None])
async def test_in_a_batch(fingerprint, asynchronous):
    model, many = Model(asynchronous=asynchronous), 50
    model.takes = 0.02 if fingerprint else 0
    retriever = filled(embedding_function=model.embeddings(fingerprint)).as_retriever()
    first, *others = retriever.batch([TEXT] * many)
    assert others == [first] * (many - 1)
    assert await retriever.abatch([TEXT] * many) == [first] * many
    assert len(model.asked) == (1 if fingerprint else 2 * many)


def test_what_has_no_fingerprint_is_asked_each_time(face):
    model = Model()
    ask, _ = face(model.embeddings(None))
    ask()
    ask()
    assert model.asked == [TEXT] * 2


def test_any_embeddings_that_say_which_model_they_are():
    class Own(WordEmbeddings):
        asked = 0
        fingerprint = "own-1"

        def embed_query(self, text):
            self.asked += 1
            return super().embed_query(text)

    own = Own()
    vectors = QueryVectors(own, Passed())
    assert np.allclose(vectors.embed_query("a"), vectors.embed_query("a"))
    own.fingerprint = "own-2"
    vectors.embed_query("a")
    assert own.asked == 2
    for nothing in (lambda: "no text", "", None, 5):
        own.fingerprint, asked = nothing, own.asked
        vectors.embed_query("a")
        vectors.embed_query("a")
        assert own.asked == asked + 2


async def test_failures_are_not_kept_and_told_to_all_who_wait():
    model = Model()
    vectors = QueryVectors(model.embeddings(), Passed())
    model.fails = ConnectionError("down")
    found = in_threads(lambda: vectors.embed_query(TEXT), 8)
    assert {type(each) for each in found} == {ConnectionError}
    for _ in range(2):
        asked = [vectors.aembed_query(TEXT) for _ in range(8)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in found} == {ConnectionError}
    model.fails = None
    assert np.allclose(vectors.embed_query(TEXT), words.embed_query(TEXT))
    assert np.allclose(await vectors.aembed_query(TEXT), words.embed_query(TEXT))


@pytest.mark.parametrize("wrong", [[], [[1.0, 2.0]], [float("nan")] * 4])
def test_what_is_no_vector_is_not_kept(wrong):
    class Own(WordEmbeddings):
        fingerprint, given = "own", wrong

        def embed_query(self, text):
            return self.given

    own = Own()
    vectors = QueryVectors(own, Passed())
    for _ in range(2):
        with pytest.raises(ValueError, match="embedding"):
            vectors.embed_query(TEXT)
    own.given = [1.0, 2.0]
    assert list(vectors.embed_query(TEXT)) == [1.0, 2.0]


async def test_nobody_can_change_what_others_get():
    vectors = QueryVectors(Model().embeddings(), Passed())
    expected = words.embed_query(TEXT)
    for _ in range(3):
        for given in (vectors.embed_query(TEXT), await vectors.aembed_query(TEXT)):
            assert np.allclose(given, expected)
            given[:] = 0.0
    shared = await asyncio.gather(*[vectors.aembed_query("new") for _ in range(3)])
    shared[0][:] = 0.0
    assert np.allclose(shared[1], words.embed_query("new"))


def test_as_many_are_kept_as_are_said():
    model = Model()
    model.takes = 0
    vectors = QueryVectors(model.embeddings(), Passed())
    for number in range(MOST + 40):
        vectors.embed_query(f"query {number}")
        vectors.embed_query("query 0")  # asked for again and again, it stays
    assert len(model.asked) == MOST + 40
    vectors.embed_query(f"query {MOST + 39}")
    assert len(model.asked) == MOST + 40
    vectors.embed_query("query 1")
    assert len(model.asked) == MOST + 41
    assert len(vectors._kept) == MOST


async def test_who_is_cancelled_stops_nobody_else():
    model = Model()
    vectors = QueryVectors(model.embeddings(), Passed())
    model.go.clear()
    first, second = (asyncio.create_task(vectors.aembed_query(TEXT)) for _ in range(2))
    await asyncio.to_thread(model.begun.wait, 60)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    model.go.set()
    assert np.allclose(await second, words.embed_query(TEXT))
    assert model.asked == [TEXT]


def test_who_is_interrupted_stops_nobody_else():
    model = Model()
    vectors = QueryVectors(model.embeddings(), Passed())
    model.go.clear()
    model.fails = KeyboardInterrupt()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(vectors.embed_query, TEXT)
        assert model.begun.wait(60)
        second = pool.submit(vectors.embed_query, TEXT)
        model.go.set()
        with pytest.raises(KeyboardInterrupt):
            first.result(60)
        model.fails = None
        # Whether it waited for the first or came later, it asked by itself.
        try:
            assert np.allclose(second.result(60), words.embed_query(TEXT))
        except KeyboardInterrupt:
            assert len(model.asked) == 2


async def test_who_blocks_a_loop_does_not_wait_for_it():
    vectors: QueryVectors

    class Own(WordEmbeddings):
        fingerprint = "own"

        async def aembed_query(self, text):
            await asyncio.sleep(0)
            inner.append(vectors.embed_query(text))  # in the loop, which waits for nobody else
            return self.embed_query(text)

    inner: list[object] = []
    vectors = QueryVectors(Own(), Passed())
    await asyncio.wait_for(vectors.aembed_query(TEXT), 60)
    assert len(inner) == 1


def test_each_loop_is_served():
    model = Model()
    vectors = QueryVectors(model.embeddings(), Passed())
    for text in ("a", "b", "a"):
        given = asyncio.run(vectors.aembed_query(text))
        assert np.allclose(given, words.embed_query(text))
    assert model.asked == ["a", "b"]


@pytest.mark.parametrize("text", ["", " ", "\ud800", "x" * 100_000, "\0", "é", "e\u0301"])
def test_any_text_is_one_of_its_own(text):
    class Own(WordEmbeddings):
        fingerprint, asked = "own", 0

        def embed_query(self, text):
            self.asked += 1
            return super().embed_query(text)

    own = Own()
    vectors = QueryVectors(own, Passed())
    for _ in range(2):
        vectors.embed_query("other")
        assert np.allclose(vectors.embed_query(text), words.embed_query(text))
    assert own.asked == 2


def test_a_picture_model_is_not_loaded_for_a_text():
    def text(texts):
        return words.embed_documents(texts)

    def image(_):
        raise AssertionError

    named = MultimodalEmbeddings(text_fn=text, image_fn=image, fingerprint="pair")
    assert named.query_fingerprint == "pair/True"
    assert MultimodalEmbeddings(text_fn=text, image_fn=image).query_fingerprint is None
    apart = MultimodalEmbeddings("no-such-model", image_model="none-either")
    apart.text = FunctionEmbeddings(text, fingerprint="text")
    assert apart.query_fingerprint == "text/True"
