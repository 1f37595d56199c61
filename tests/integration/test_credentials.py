"""Whoever asks, asks in his own name: two users of one collection in one process."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from chromadb.config import Settings
from langchain_chroma import Chroma

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.engine import registry
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import COSINE, MODES, documents, fresh_name, ids_of
from tests.integration.proxy import Proxy, proxy_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("cache")

PROVIDER = "chromadb.auth.token_authn.TokenAuthClientProvider"
TOKENS = {"token-of-ann": "ann", "token-of-ben": "ben", "second-of-ben": "ben"}


def by_header(port: int, token: str) -> Any:
    return chromadb.HttpClient("127.0.0.1", port, headers={"X-Token": token})


def by_provider(port: int, token: str, header: str = "Authorization") -> Any:
    settings = Settings(
        chroma_client_auth_provider=PROVIDER,
        chroma_client_auth_credentials=token,
        chroma_auth_token_transport_header=header,
    )
    return chromadb.HttpClient("127.0.0.1", port, settings=settings)


def by_chroma_token(port: int, token: str) -> Any:
    return by_provider(port, token, "X-Chroma-Token")


WAYS = [by_header, by_provider, by_chroma_token]


@pytest.fixture
def proxy(port: int) -> Iterator[Proxy]:
    with proxy_of(port, users=dict(TOKENS)) as proxy:
        yield proxy


class Two:
    """Stores of two users over one collection."""

    def __init__(self, proxy: Proxy, connect: Callable[[int, str], Any], **options: Any) -> None:
        name = fresh_name() + "-shared"
        self.proxy, self.connect, self.name, self.options = proxy, connect, name, options
        self.ann = self.store("token-of-ann")
        self.ann.add_documents(documents())
        self.ann.similarity_search("pump")
        self.ben = self.store("token-of-ben")

    def store(self, token: str) -> HybridChroma:
        client = self.connect(self.proxy.port, token)
        return HybridChroma(
            self.name,
            WordEmbeddings(),
            client=client,
            collection_configuration=COSINE,
            **self.options,
        )


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def two(request: pytest.FixtureRequest, proxy: Proxy) -> Two:
    return Two(proxy, request.param, check_rate=0)


def ask(store: Chroma, how: str, query: str = "pump", **options: Any) -> list[str | None]:
    """The ids that a face finds."""
    retriever = ChromaHybridRetriever(vectorstore=store, k=3)
    if how == "store":
        return ids_of(store.similarity_search(query, k=3, **options))
    if how == "async store":
        return ids_of(asyncio.run(store.asimilarity_search(query, k=3, **options)))
    if how == "retriever":
        return ids_of(retriever.invoke(query, **options))
    return ids_of(asyncio.run(retriever.ainvoke(query, **options)))


HOW = ("store", "async store", "retriever", "async retriever")


def test_requests_go_out_with_the_token_of_who_asks(two):
    for how in HOW:
        for user, store in (("ben", two.ben), ("ann", two.ann), ("ben", two.ben)):
            for mode in MODES:
                two.proxy.forget()
                assert ask(store, how, mode=mode)
                assert {who for who, _, _ in two.proxy.asked} == {user}
                assert not two.proxy.refused


def test_writes_and_upkeep_too(two):
    two.proxy.forget()
    ben = two.ben
    ben.add_texts(["a zebra"], ids=["zebra"])
    ben.update_documents(["zebra"], [documents()[0]])
    asyncio.run(ben.aadd_texts(["a quagga"], ids=["quagga"]))
    ben.similarity_search("quagga")
    ben.get(["quagga"])
    ben.get_by_ids(["quagga"])
    ben.delete(["quagga"])
    ben.delete(where={"tenant": "nobody"})
    ben._collection.add(ids=["okapi"], documents=["an okapi"], embeddings=[[0.1] * 64])
    ben.sync(deep=True)
    ben.verify(fix=True)
    ben.rebuild()
    assert {who for who, _, _ in two.proxy.asked} == {"ben"}
    assert ask(two.ann, "store", "okapi", mode="lexical") == ["okapi"]


def test_who_is_revoked_gets_nothing(proxy):
    two = Two(proxy, by_header, check_rate=0, max_age=0)
    assert all(ask(two.ben, how) for how in HOW)
    del proxy.users["token-of-ben"]
    for how, mode in itertools.product(HOW, MODES):
        for query in ("pump", "zebra"):  # what is not there is nobody's business either
            with pytest.raises(Exception, match="refused by the proxy"):
                ask(two.ben, how, query, mode=mode)
            with pytest.raises(Exception, match="refused by the proxy"):
                ask(two.ben, how, query, mode=mode, on_leg_error="degrade")
        assert ask(two.ann, how, mode=mode)
    with pytest.raises(Exception, match="refused by the proxy"):
        two.ben.add_texts(["a zebra"], ids=["zebra"])
    assert ask(two.ann, "store", "zebra", mode="lexical") == []


@pytest.mark.parametrize("max_age", [1000, math.inf])
def test_who_was_never_allowed_learns_nothing(proxy, max_age):
    two = Two(proxy, by_header, check_rate=0, max_age=max_age)
    del proxy.users["token-of-ben"]
    # His token may open the collection, and no more.
    proxy.users["token-of-ben"] = "nobody"
    for mode in MODES:
        with pytest.raises(Exception, match="refused by the proxy"):
            ask(two.ben, "store", "zebra", mode=mode, filter={"tenant": "nobody"})
        with pytest.raises(Exception, match="refused by the proxy"):
            two.ben.explain("zebra", mode=mode)
    with pytest.raises(Exception, match="refused by the proxy"):
        two.ben.verify()


def test_a_new_token_takes_the_place_of_an_old_one(two):
    del two.proxy.users["token-of-ben"]
    again = two.store("second-of-ben")
    two.proxy.forget()
    for how in HOW:
        assert ask(again, how)
    assert {who for who, _, _ in two.proxy.asked} == {"ben"}
    # Nobody needs the first one's token for what the second one does.
    del two.proxy.users["token-of-ann"]
    again.add_texts(["a zebra"], ids=["zebra"])
    assert ask(again, "async retriever", "zebra", mode="lexical") == ["zebra"]


def test_two_users_at_one_time(two):
    async def both() -> list[Any]:
        stores = [two.ann, two.ben] * 6
        return await asyncio.gather(*(store.asimilarity_search("pump") for store in stores))

    two.proxy.forget()
    found = asyncio.run(both())
    assert len({tuple(ids_of(each)) for each in found}) == 1
    queries = [who for who, _, path in two.proxy.asked if path.endswith("/query")]
    assert sorted(queries) == ["ann"] * 6 + ["ben"] * 6


def test_tokens_are_told_nowhere(proxy, cache, caplog, monkeypatch):
    with caplog.at_level(logging.DEBUG):
        two = Two(proxy, by_header)
        retriever = ChromaHybridRetriever(vectorstore=two.ben)
        retriever.invoke("pump")
        del proxy.users["token-of-ben"]
        with pytest.raises(Exception, match="refused") as raised:
            two.ben.add_texts(["a zebra"])
    index = two.ben._index
    told = [
        repr(two.ben), repr(retriever), repr(index), repr(index.store),
        repr(two.ben.lexical_config),
        str(raised.value), caplog.text, *map(str, cache.rglob("*")), *map(str, registry._halves),
        *(path.read_text(errors="ignore") for path in cache.rglob("*.json*")),
    ]  # fmt: skip
    assert not [text for text in told if "token-of" in text]


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("http://user:secret@example.org:9000/chroma", "http://example.org:9000/chroma"),
        ("https://example.org", "https://example.org:8000"),
        ("example.org", "http://example.org:8000"),
    ],
)
def test_a_place_says_nothing_of_the_user(host: str, place: str):
    from langchain_chroma_hybrid.engine.chroma.collection import _server

    settings = Settings(chroma_server_host=host, chroma_server_http_port=8000)
    assert _server(settings) == place


def test_a_wrapped_chroma_keeps_its_own_client(two, tmp_path: Path):
    plain = Chroma(two.name, WordEmbeddings(), client=two.connect(two.proxy.port, "token-of-ben"))
    retriever = ChromaHybridRetriever(vectorstore=plain)
    two.proxy.forget()
    assert ids_of(retriever.invoke("pump"))
    plain.add_texts(["a zebra"], ids=["zebra"])
    assert "zebra" in ids_of(retriever.invoke("zebra"))
    assert {who for who, _, _ in two.proxy.asked} == {"ben"}


def test_who_may_not_delete_changes_nothing(proxy, cache):
    two = Two(proxy, by_header, check_rate=0)
    assert ask(two.ben, "store")
    half = two.ann._index.half
    del proxy.users["token-of-ben"]
    for call in (two.ben.delete_collection, two.ben.reset_collection):
        with pytest.raises(Exception, match="refused by the proxy"):
            call()
    assert two.ann._index.half is half
    assert half.lexical.path.exists()
    assert ask(two.ann, "store", mode="lexical")


def test_the_patience_of_others_gives_nobody_more(proxy):
    two = Two(proxy, by_header, check_rate=0, max_age=3600)
    strict = HybridChroma(
        two.name, WordEmbeddings(), client=by_header(proxy.port, "token-of-ben"), max_age=0
    )
    assert ask(strict, "store")
    del proxy.users["token-of-ben"]
    for query in ("pump", "zebra"):
        with pytest.raises(Exception, match="refused by the proxy"):
            ask(strict, "store", query, mode="lexical")


def test_closing_without_a_valid_token_closes_all_the_same(proxy):
    two = Two(proxy, by_header, check_rate=0)
    two.ann.close()
    two.ben.add_texts(["a zebra"], ids=["zebra"])
    index = two.ben._index
    del proxy.users["token-of-ben"]
    two.ben.close()
    assert index.opened is None
    again = two.store("second-of-ben")
    assert ask(again, "store", "zebra", mode="lexical") == ["zebra"]
