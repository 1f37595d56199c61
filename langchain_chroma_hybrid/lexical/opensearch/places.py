"""Where indices are: what can be asked of a cluster without opening one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from langchain_chroma_hybrid.core.keywords import reject_unknown
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.opensearch.clients import (
    ElasticsearchClient,
    OpenSearchClient,
    address_of,
)
from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
from langchain_chroma_hybrid.lexical.opensearch.locking import WriterLock
from langchain_chroma_hybrid.lexical.opensearch.names import PREFIX, Names
from langchain_chroma_hybrid.lexical.opensearch.opening import Opening
from langchain_chroma_hybrid.lexical.opensearch.side import SideIndex

_REACH = ("request_timeout", "retry_timeout", "ca_certs", "verify_certs")


class Places:
    """The indices of one product in a cluster, by their names."""

    _PRODUCT: ClassVar[str] = "OpenSearch"
    _CLIENT: ClassVar[type[OpenSearchClient] | type[ElasticsearchClient]] = OpenSearchClient

    @classmethod
    def destroy(
        cls,
        server: Any,
        *,
        prefix: str | None = None,
        name: str = "lexical",
        lock_timeout: float = 30.0,
        **options: Any,
    ) -> None:
        """Remove an index and all that is noted of it; without it this is no error.

        `options`: how to reach the server, as for the constructor.

        Raises:
            IndexLockedError: another process is writing.
            LexicalIndexError: the server cannot be reached, or refuses.
        """
        reject_unknown(f"{cls.__name__}.destroy", options, _REACH)
        names = cls._named(server, prefix, name)
        cluster = cls._reached(server, **options)
        try:
            side = SideIndex(cluster, names)
            opening = Opening(cluster, names, side, analyzer="", fields=(), shards=1, replicas=0)
            if side.exists():
                lock = WriterLock(side, 30.0, lock_timeout, names.alias, lambda _: None)
                with lock.held():
                    opening.remove()
        finally:
            cluster.close()

    @classmethod
    def exists(
        cls, server: Any, *, prefix: str | None = None, name: str = "lexical", **options: Any
    ) -> bool:
        """Whether there is an index of that name; `options` as for `destroy`.

        Raises:
            LexicalIndexError: the server cannot be reached, or refuses.
        """
        reject_unknown(f"{cls.__name__}.exists", options, _REACH)
        cluster = cls._reached(server, **options)
        try:
            return SideIndex(cluster, cls._named(server, prefix, name)).exists()
        finally:
            cluster.close()

    @classmethod
    def _named(cls, server: Any, prefix: str | None, name: str) -> Names:
        said = address_of(server, cls._CLIENT).prefix
        return Names(said or PREFIX if prefix is None else prefix, name)

    @classmethod
    def _reached(
        cls,
        server: Any,
        request_timeout: float = 30.0,
        retry_timeout: float = 10.0,
        ca_certs: str | None = None,
        *,
        verify_certs: bool = True,
    ) -> Cluster:
        """The cluster of an address, or behind a client."""
        address, kind = address_of(server, cls._CLIENT), cls._CLIENT
        if ca_certs is not None and not (isinstance(ca_certs, str) and Path(ca_certs).is_file()):
            raise InvalidArgumentError.of("ca_certs", ca_certs, "the path of a file, or None")
        if not isinstance(verify_certs, bool):
            raise InvalidArgumentError.of("verify_certs", verify_certs, "True or False")

        def make() -> OpenSearchClient | ElasticsearchClient:
            if not isinstance(server, str):
                return kind(server, own=False)
            return kind.at(address, request_timeout, ca_certs, verify=verify_certs)

        return Cluster(cls._PRODUCT, address.place, make, retry_timeout, address.secrets)
