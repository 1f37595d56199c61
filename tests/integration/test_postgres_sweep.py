"""Tables of collections that others have deleted are found and removed; nobody else's are."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import chromadb
import psycopg
import pytest

from langchain_chroma_hybrid import HybridChroma, PostgresIndex
from langchain_chroma_hybrid.errors import IndexBoundError
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import ids_of

if TYPE_CHECKING:
    from pathlib import Path


def end_of_sweep() -> None:
    for thread in threading.enumerate():
        if thread.name == "chroma-hybrid-sweep":
            thread.join(30)


def owner_of(store: HybridChroma) -> str:
    """The place that its index is bound to."""
    with pytest.raises(IndexBoundError) as told:
        store._index.lexical.bind("another", "elsewhere")
    return told.value.place


def test_only_tables_of_dead_collections_of_this_place_are_removed(
    port: int, dsn: str, tmp_path: Path
):
    schema = f"s{uuid.uuid4().hex}"
    address = f"{dsn}{'&' if '?' in dsn else '?'}schema={schema}&allow_unsafe=true"
    admin = chromadb.AdminClient(chromadb.HttpClient("127.0.0.1", port).get_settings())
    tenant = f"t{uuid.uuid4().hex}"
    admin.create_tenant(tenant)
    admin.create_database("default_database", tenant)
    clients = {
        "server": chromadb.HttpClient("127.0.0.1", port, database="default_database"),
        "tenant": chromadb.HttpClient("127.0.0.1", port, tenant=tenant),
        "folder": chromadb.PersistentClient(str(tmp_path / "db")),
        "memory": chromadb.EphemeralClient(),
    }
    names: dict[str, str] = {}

    def make(client: str, name: str, address: str = address) -> HybridChroma:
        """All have the same names, in different places."""
        made = clients[client]
        store = HybridChroma(name, WordEmbeddings(8), client=made, lexical=address)
        store.add_texts(["a pump"], ids=["a"])
        assert ids_of(store.similarity_search("pump", mode="lexical")) == ["a"]
        names[f"{client} {name}"] = f"c{store._collection.id.hex}"
        return store

    def there() -> set[str]:
        return {
            key for key, name in names.items()
            if PostgresIndex.exists(dsn, schema=schema, name=name)
        }  # fmt: skip

    stores = [make(client, name) for client in clients for name in ("dead", "alive", "new")]
    by_hand = PostgresIndex(dsn, schema=schema, name="by_hand", allow_unsafe=True)
    by_hand.bind(str(uuid.uuid4()), owner_of(stores[0]))
    for store in stores:
        store.close()
    end_of_sweep()
    assert there() == names.keys()
    for client in clients.values():
        client.delete_collection("dead")
        client.delete_collection("new")
    with psycopg.connect(dsn, autocommit=True) as connection:
        old = [name for key, name in names.items() if not key.endswith("new")]
        connection.execute(
            f"update {schema}.indexes set used = now() - interval '31 days'"  # noqa: S608
            " where name = any(%s)",
            [[*old, "by_hand"]],
        )
        for client in clients:
            # Once for each address in a process.
            make(client, "another", f"{address}&application_name=another")
            end_of_sweep()
        gone = {"server dead", "tenant dead", "folder dead"}
        assert there() == names.keys() - gone
        assert PostgresIndex.exists(dsn, schema=schema, name="by_hand")
        make("server", "alive").close()
        query = f"select used > now() - interval '1 day' from {schema}.indexes where name = %s"  # noqa: S608
        assert connection.execute(query, [names["server alive"]]).fetchone() == (True,)
        connection.execute(f"drop schema {schema} cascade")
