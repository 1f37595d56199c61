"""Both official clients as one: what is sent, what comes back, what kind of failure it was."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.lexical.opensearch.names import is_prefix

Body: TypeAlias = Mapping[str, Any] | str | None

JSON, LINES = "application/json", "application/x-ndjson"
_TOLD = (400, 404, 409)  # answers that are looked at here: the clients would log a warning
_MOST_CONNECTIONS = 8
_EXPECTED = (
    "an address such as 'https://user:password@host:9200/prefix', with a prefix of a-z, 0-9, - and "
    "_, and what is no letter or digit in a password spelled out: %40 for @, %2F for /, %23 for #"
)
_NO_HOST = re.compile(r"[^\w.:%-]")


class NoAnswerError(Exception):
    """Nobody was there, or the connection was lost."""


class TookTooLongError(Exception):
    """No answer came in time."""


class CertificateError(Exception):
    """TLS could not be agreed upon."""


class StrangeAnswerError(Exception):
    """What came is no answer of a cluster."""


class Client(Protocol):
    """What is needed of a client."""

    def send(
        self, method: str, path: str, params: Mapping[str, str], body: Body
    ) -> tuple[int, Any]:
        """The status of an answer and what it holds; a text as `body` is lines of JSON.

        Raises:
            NoAnswerError, TookTooLongError, CertificateError: there is none.
            StrangeAnswerError: nobody can read it.
        """

    def close(self) -> None:
        """Close all connections."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a cluster is. `repr` has no password.

    Attributes:
        url: scheme, host and port.
        place: host and port.
        prefix: what the path says.
    """

    url: str
    place: str
    auth: tuple[str, str] | None = None
    prefix: str = ""

    def __repr__(self) -> str:
        return f"Address({self.url!r})"

    @property
    def secrets(self) -> list[str]:
        """The password in all forms in which somebody may repeat it."""
        if self.auth is None or not self.auth[1]:
            return []
        password = self.auth[1]
        sent = b64encode(":".join(self.auth).encode()).decode()
        return [sent, quote(password, safe=""), password]

    @classmethod
    def of(cls, server: str, expected: str = _EXPECTED) -> Address:
        """That of a URL.

        Raises:
            InvalidArgumentError: it is none; the message tells nothing of what is in it.
        """
        try:
            parts = urlsplit(server)
            host, port = parts.hostname or "", parts.port
            host.encode("idna")
        except ValueError:
            raise InvalidArgumentError.of_kind("server", server, expected) from None
        prefix = parts.path.strip("/")
        good = parts.scheme in ("http", "https") and host and not _NO_HOST.search(host)
        # What looks like a prefix or a query may be the rest of a password.
        if not good or parts.query or parts.fragment or (prefix and not is_prefix(prefix)):
            raise InvalidArgumentError.of_kind("server", server, expected)
        place = f"{f'[{host}]' if ':' in host else host}:{9200 if port is None else port}"
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        auth = (user, password) if parts.username is not None else None
        return cls(f"{parts.scheme}://{place}", place, auth, prefix)


def address_of(server: object, kind: type[OpenSearchClient | ElasticsearchClient]) -> Address:
    """That of a URL, or of a client of `kind`, whose place is its own affair.

    Raises:
        InvalidArgumentError: it is neither.
    """
    expected = f"{_EXPECTED}, or a client of the package `{kind.PACKAGE}`"
    if isinstance(server, str):
        return Address.of(server, expected)
    module = sys.modules.get(kind.MODULE)  # of a client that is there it was imported
    if module is not None and isinstance(server, getattr(module, kind.CLIENT)):
        return Address("", ", ".join(kind.hosts(server)) or f"its client's hosts ({kind.MODULE})")
    raise InvalidArgumentError.of_kind("server", server, expected)


class OpenSearchClient:
    """By the package `opensearch-py`."""

    PACKAGE, MODULE, CLIENT = "opensearch-py", "opensearchpy", "OpenSearch"

    def __init__(self, client: Any, *, own: bool) -> None:
        """`own`: it is closed with this."""
        self._errors = require("opensearchpy", "opensearch").exceptions
        self._client, self._own = client, own

    @classmethod
    def at(
        cls, address: Address, timeout: float, ca_certs: str | None, *, verify: bool
    ) -> OpenSearchClient:
        """One for an address."""
        module = require("opensearchpy", "opensearch")
        client = module.OpenSearch(
            hosts=[address.url],
            http_auth=address.auth,
            timeout=timeout,
            max_retries=0,
            pool_maxsize=_MOST_CONNECTIONS,
            **_tls(address, ca_certs, verify=verify),
        )
        return cls(client, own=True)

    @staticmethod
    def hosts(client: Any) -> list[str]:
        """Where a client's servers are: part of the name of an index."""
        hosts = getattr(client.transport, "hosts", None) or ()
        return sorted(
            f"{each.get('host')}:{each.get('port', 9200)}{each.get('url_prefix', '')}"
            for each in hosts
        )

    def send(
        self, method: str, path: str, params: Mapping[str, str], body: Body
    ) -> tuple[int, Any]:
        """See `Client`."""
        errors = self._errors
        try:
            found = self._client.transport.perform_request(
                method,
                path,
                params={**params, "ignore": _TOLD},
                body=_spelled(body),
                headers={"content-type": LINES if isinstance(body, str) else JSON},
            )
        except errors.SSLError as error:
            raise CertificateError(_reason(error)) from None
        except errors.ConnectionTimeout as error:
            raise TookTooLongError(_reason(error)) from None
        except errors.ConnectionError as error:
            raise NoAnswerError(_reason(error)) from None
        except errors.TransportError as error:
            return int(error.status_code), error.info or error.error
        # The client has no error of its own for a failure in JSON that is no object.
        except (errors.OpenSearchException, AttributeError) as error:
            raise StrangeAnswerError(_reason(error)) from None
        return _status(found), found

    def close(self) -> None:
        """Close the client, unless it is the caller's."""
        if self._own:
            self._client.close()


class ElasticsearchClient:
    """By the package `elasticsearch`, which talks to nothing but Elasticsearch."""

    PACKAGE, MODULE, CLIENT = "elasticsearch", "elasticsearch", "Elasticsearch"

    def __init__(self, client: Any, *, own: bool) -> None:
        """`own`: it is closed with this."""
        self._module = require("elasticsearch", "elasticsearch")
        self._client, self._own = client, own

    @classmethod
    def at(
        cls, address: Address, timeout: float, ca_certs: str | None, *, verify: bool
    ) -> ElasticsearchClient:
        """One for an address."""
        module = require("elasticsearch", "elasticsearch")
        client = module.Elasticsearch(
            address.url,
            basic_auth=address.auth,
            request_timeout=timeout,
            max_retries=0,
            connections_per_node=_MOST_CONNECTIONS,
            **_tls(address, ca_certs, verify=verify),
        )
        return cls(client, own=True)

    @staticmethod
    def hosts(client: Any) -> list[str]:
        """Where a client's servers are: part of the name of an index."""
        nodes = client.transport.node_pool.all()
        return sorted(node.base_url.partition("://")[2] for node in nodes)

    def send(
        self, method: str, path: str, params: Mapping[str, str], body: Body
    ) -> tuple[int, Any]:
        """See `Client`."""
        module = self._module
        kind = LINES if isinstance(body, str) else JSON
        try:
            found = self._client.options(ignore_status=_TOLD).perform_request(
                method,
                path,
                params=dict(params),
                headers={"accept": JSON, **({} if body is None else {"content-type": kind})},
                body=_spelled(body),
            )
        except module.SSLError as error:
            raise CertificateError(_reason(error)) from None
        except module.ConnectionTimeout as error:
            raise TookTooLongError(_reason(error)) from None
        except module.ConnectionError as error:
            raise NoAnswerError(_reason(error)) from None
        except module.UnsupportedProductError as error:
            return 400, {"error": f"{error.message}: for OpenSearch there is OpenSearchIndex"}
        except module.ApiError as error:
            return int(error.meta.status), error.body
        except module.TransportError as error:
            raise StrangeAnswerError(_reason(error)) from None
        return int(found.meta.status), found.body

    def close(self) -> None:
        """Close the client, unless it is the caller's."""
        if self._own:
            self._client.close()


def _tls(address: Address, ca_certs: str | None, *, verify: bool) -> dict[str, Any]:
    if not address.url.startswith("https:"):
        return {}
    given = {"verify_certs": verify, "ssl_show_warn": False}
    return given if ca_certs is None else {**given, "ca_certs": ca_certs}


def _spelled(body: Body) -> str | None:
    """As it is sent: the clients would leave parts of characters as they are."""
    return json.dumps(body, separators=(",", ":")) if isinstance(body, Mapping) else body


def _status(found: Any) -> int:
    """That of an answer which the client takes for a good one."""
    if not isinstance(found, dict):
        return 200
    if "error" in found:
        return int(found.get("status", 400))
    return 404 if found.get("found") is False else 200


def _reason(error: Exception) -> str:
    """The first line of what the client says, which has no password."""
    said = str(getattr(error, "message", "") or getattr(error, "error", "") or error)
    return next(iter(said.strip().splitlines()), type(error).__name__)
