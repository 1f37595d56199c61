"""A double of Chroma Cloud: `chroma run` behind a proxy that has `search` and sparse indexes.

It evaluates what clients send, as Chroma's pages on its Search API and the operators of its
distributed server have it: `Knn` over vectors and sparse vectors, ranks from 0, the intersection
without `default`, all in 32 bits; the inverse document frequency by shard; what is not compacted
yet is ranked whether it has a term or not; groups; quotas. Records and `where` are the real
server's. It is no proof of what Chroma Cloud does.
"""

from __future__ import annotations

import http.client
import json
import math
import threading
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SPARSE = "sparse_vector"
f32 = np.float32


class QuotaExceededError(Exception):
    """More was asked for than the double gives."""


@dataclass
class Cloud:
    """What the double is like, and what it was asked.

    Attributes:
        searches: each search that was sent, as it was serialised.
        requests: method and path of all others, too.
        shards: of a collection; each counts documents for itself.
        compacted: whether records are in the sparse index, or still in the log.
        results: most records of one request.
        refusals: answers `(status, body, headers)` for the next searches, in place of theirs.
        refuses: says of a path that it is refused as in `refusals`, without end; hangs up where it
            raises `ConnectionAbortedError`.
    """

    port: int = 0
    searches: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    shards: int = 1
    compacted: bool = True
    results: int = 300
    refusals: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)
    refuses: Callable[[str], tuple[int, str, dict[str, str]] | None] = lambda _path: None
    _upstream: int = 0
    # By collection: the sparse part of its schema, and of each record the sparse vectors by key.
    _schemas: dict[str, dict[str, Any]] = field(default_factory=dict)
    _vectors: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def forget(self) -> None:
        """Begin counting anew."""
        self.searches.clear()
        self.requests.clear()

    def forward(self, method: str, path: str, body: bytes, headers: Any) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self._upstream)
        given = {n: v for n, v in headers.items() if n.lower() not in _NOT_FORWARDED}
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def answer(
        self, method: str, path: str, body: bytes, headers: Any
    ) -> tuple[int, bytes, dict[str, str]]:
        """As the real server, but for what it does not have."""
        self.requests.append(f"{method} {path}")
        refused = self.refuses(path)
        if refused is None and self.refusals and path.endswith("/search"):
            refused = self.refusals.pop(0)
        if refused is not None:
            return refused[0], refused[1].encode(), refused[2]
        *_, kind, uuid, verb = ("", "", *path.partition("?")[0].split("/"))
        if kind == "collections" and verb == "search":
            return self._search(path, uuid, json.loads(body), headers)
        given = json.loads(body) if body else {}
        most = max(given.get("limit") or 0, len(given.get("ids") or ()))
        if verb in ("get", "add", "upsert", "update", "delete") and most > self.results:
            return 422, _exceeded(f"{verb} of {most} records"), {}
        if verb in ("add", "upsert", "update"):
            self._take(uuid, given)
        sparse = self._take_schema(given) if verb == "collections" and method == "POST" else {}
        sent = json.dumps(given).encode() if body else b""
        status, text = self.forward(method, path, sent, headers)
        if status < 300 and text and "/collections" in path:
            text = json.dumps(self._given_back(uuid, verb, json.loads(text), sparse)).encode()
        return status, text, {}

    def _take(self, uuid: str, given: dict[str, Any]) -> None:
        """Keep sparse vectors of a write, which the real server would refuse."""
        rows = given.get("metadatas") or []
        kept = self._vectors.setdefault(uuid, {})
        for n, (id_, row) in enumerate(zip(given["ids"], rows, strict=False)):
            for key, value in list((row or {}).items()):
                if isinstance(value, dict) and value.get("#type") == _SPARSE:
                    kept.setdefault(id_, {})[key] = row.pop(key)
            if row is not None and not row:
                rows[n] = None

    def _take_schema(self, given: dict[str, Any]) -> dict[str, Any]:
        keys = (given.get("schema") or {}).get("keys", {})
        return {key: keys.pop(key) for key, kinds in list(keys.items()) if _SPARSE in kinds}

    def _given_back(self, uuid: str, verb: str, answer: Any, sparse: dict[str, Any]) -> Any:
        for each in answer if isinstance(answer, list) else [answer]:
            if isinstance(each, dict) and "configuration_json" in each:
                if sparse:
                    self._schemas.setdefault(each["id"], sparse)
                if each["id"] in self._schemas:
                    each["schema"]["keys"].update(self._schemas[each["id"]])
        if verb == "get" and answer.get("metadatas"):
            kept = self._vectors.get(uuid, {})
            own = [kept.get(id_, {}) for id_ in answer["ids"]]
            rows = zip(answer["metadatas"], own, strict=True)
            answer["metadatas"] = [{**(row or {}), **more} or None for row, more in rows]
        return answer

    # Searching

    def _search(
        self, path: str, uuid: str, given: dict[str, Any], headers: Any
    ) -> tuple[int, bytes, dict[str, str]]:
        def ask(**options: Any) -> dict[str, Any]:
            body = json.dumps({"include": [], **options}).encode()
            status, text = self.forward("POST", path.removesuffix("search") + "get", body, headers)
            assert status < 300, text
            return dict(json.loads(text))

        if uuid not in self._schemas:
            error = {"error": "InvalidArgumentError", "message": "no sparse index"}
            if any(key != "#embedding" for s in given["searches"] for key in _keys(s["rank"])):
                return 400, json.dumps(error).encode(), {}
        answers = []
        for search in given["searches"]:
            self.searches.append(search)
            try:
                answers.append(_Evaluation(self, ask, uuid, search).rows())
            except QuotaExceededError as error:
                return 422, _exceeded(str(error)), {}
        columns = {
            "ids": [[row["id"] for row in rows] for rows in answers],
            **{
                f"{name}s": [[row.get(name) for row in rows] for rows in answers]
                for name in ("document", "embedding", "metadata", "score")
            },
            "select": [search["select"]["keys"] for search in given["searches"]],
        }
        return 200, json.dumps(columns).encode(), {}

    def vectors(self, uuid: str) -> dict[str, dict[str, Any]]:
        """The sparse vectors of a collection, by id and key."""
        return self._vectors.get(uuid, {})


_NOT_FORWARDED = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding"}


def _exceeded(what: str) -> bytes:
    said = {"error": "QuotaError", "message": f"Quota exceeded: {what}"}
    return json.dumps(said).encode()


def _keys(rank: Any) -> Iterator[str]:
    if isinstance(rank, dict):
        for name, value in rank.items():
            if name == "$knn":
                yield value["key"]
            yield from _keys(value)
    for each in rank if isinstance(rank, list) else ():
        yield from _keys(each)


@dataclass(frozen=True)
class _Domain:
    """Scores of records, and of all others; None means that there are no others."""

    support: dict[str, Any]
    default: Any

    def map(self, op: Callable[[Any], Any]) -> _Domain:
        default = None if self.default is None else op(self.default)
        return _Domain({i: op(v) for i, v in self.support.items()}, default)

    def merge(self, other: _Domain, op: Callable[[Any, Any], Any]) -> _Domain:
        left, right = set(self.support), set(other.support)
        if self.default is not None and other.default is not None:
            ids = left | right
        elif self.default is None and other.default is None:
            ids = left & right
        else:
            ids = right if self.default is not None else left
        default = None
        if self.default is not None and other.default is not None:
            default = op(self.default, other.default)
        of, and_of = self.support.get, other.support.get
        return _Domain({i: op(of(i, self.default), and_of(i, other.default)) for i in ids}, default)


class _Evaluation:
    """One search."""

    def __init__(self, cloud: Cloud, ask: Any, uuid: str, search: dict[str, Any]) -> None:
        self._cloud, self._ask, self._search = cloud, ask, search
        self._sparse = cloud.vectors(uuid)
        self._index = cloud._schemas.get(uuid, {})
        self._all: list[str] = ask()["ids"]
        where = search["filter"]
        passing = set(self._all) if where is None else self._pass(where)
        self._passing = [id_ for id_ in self._all if id_ in passing]

    def rows(self) -> list[dict[str, Any]]:
        limit = self._search["limit"]["limit"]
        if limit is None or limit > self._cloud.results:
            raise QuotaExceededError(f"limit of {limit} results")
        rank = self._search["rank"]
        order = {id_: n for n, id_ in enumerate(self._all)}
        domain = self._eval(rank) if rank else _Domain(dict.fromkeys(self._passing, f32(0)), None)
        found = sorted(domain.support.items(), key=lambda item: (item[1], order[item[0]]))
        found = self._grouped(found)
        start = self._search["limit"]["offset"]
        return self._selected(found[start : start + limit])

    def _pass(self, where: dict[str, Any]) -> set[str]:
        ((key, value),) = where.items()
        if key in ("$and", "$or"):
            sets = [self._pass(part) for part in value]
            return set.intersection(*sets) if key == "$and" else set.union(*sets)
        if key == "#id":
            return set(value["$in"])
        if key == "#document":
            return set(self._ask(where_document=value)["ids"])
        return set(self._ask(where=where)["ids"])

    def _eval(self, rank: dict[str, Any]) -> _Domain:
        ((kind, value),) = rank.items()
        if kind == "$val":
            return _Domain({}, f32(value))
        if kind == "$knn":
            ranked = self._knn(value)
            support = {
                id_: f32(n if value.get("return_rank") else far)
                for n, (id_, far) in enumerate(ranked)
            }
            default = value.get("default")
            return _Domain(support, None if default is None else f32(default))
        if kind in ("$div", "$sub"):
            op = {"$div": lambda a, b: a / b, "$sub": lambda a, b: a - b}[kind]
            return self._eval(value["left"]).merge(self._eval(value["right"]), op)
        start, op = {
            "$sum": (f32(0), lambda a, b: a + b),
            "$mul": (f32(1), lambda a, b: a * b),
            "$max": (np.finfo(f32).min, max),
            "$min": (np.finfo(f32).max, min),
        }[kind]
        domain = _Domain({}, start)
        for each in value:
            domain = domain.merge(self._eval(each), op)
        return domain

    def _knn(self, knn: dict[str, Any]) -> list[tuple[str, Any]]:
        if knn["limit"] > self._cloud.results:
            raise QuotaExceededError(f"knn limit of {knn['limit']} results")
        far = self._dense(knn["query"]) if knn["key"] == "#embedding" else self._words(**knn)
        return sorted(far, key=lambda pair: pair[1])[: knn["limit"]]

    def _dense(self, query: list[float]) -> list[tuple[str, Any]]:
        if not self._passing:
            return []
        found = self._ask(ids=self._passing, include=["embeddings"])
        rows, vector = np.array(found["embeddings"], f32), np.array(query, f32)
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
        far = f32(1) - (rows @ vector) / np.maximum(lengths, f32(1e-30))  # cosine
        by_id = dict(zip(found["ids"], far, strict=True))
        return [(id_, by_id[id_]) for id_ in self._passing]

    def _words(self, query: dict[str, Any], key: str, **_: Any) -> list[tuple[str, Any]]:
        config = self._index[key][_SPARSE]["sparse_vector_index"]["config"]
        found = []
        for shard in range(self._cloud.shards):
            ids = [i for i in self._all if zlib.crc32(i.encode()) % self._cloud.shards == shard]
            held = {i: self._sparse[i][key] for i in ids if key in self._sparse.get(i, {})}
            scale = dict(zip(query["indices"], query["values"], strict=True))
            if config["bm25"]:
                for place in scale:
                    having = sum(place in vector["indices"] for vector in held.values())
                    scale[place] *= math.log1p((len(ids) - having + 0.5) / (having + 0.5))
            for id_ in self._passing:
                if id_ not in held:
                    continue
                pairs = zip(held[id_]["indices"], held[id_]["values"], strict=True)
                dot = sum((f32(scale[i]) * f32(v) for i, v in pairs if i in scale), f32(0))
                if dot > 0 or not self._cloud.compacted:
                    found.append((id_, f32(1) - dot))
        return found

    def _grouped(self, found: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        group = self._search["group_by"]
        if not group:
            return found
        rows = self._ask(ids=[id_ for id_, _ in found] or [""], include=["metadatas"])
        metadata = dict(zip(rows["ids"], rows["metadatas"], strict=True))
        most, seen, kept = group["aggregate"]["$min_k"]["k"], {}, []
        assert group["aggregate"]["$min_k"]["keys"] == ["#score"]
        for id_, score in found:
            values = [(metadata[id_] or {}).get(key) for key in group["keys"]]
            place = tuple((type(value), str(value)) for value in values)
            seen[place] = seen.get(place, 0) + 1
            if seen[place] <= most:
                kept.append((id_, score))
        return kept

    def _selected(self, found: list[tuple[str, Any]]) -> list[dict[str, Any]]:
        keys = set(self._search["select"]["keys"])
        ids = [id_ for id_, _ in found]
        include = ["documents", "metadatas", "embeddings", "uris"]
        rows = self._ask(ids=ids, include=include) if ids else {"ids": []}
        at = {id_: n for n, id_ in enumerate(rows["ids"])}
        selected = []
        for id_, score in found:
            n = at[id_]
            metadata = {**(rows["metadatas"][n] or {}), **self._sparse.get(id_, {})}
            if rows["uris"] and rows["uris"][n] is not None:
                metadata["chroma:uri"] = rows["uris"][n]
            if "#metadata" not in keys:
                metadata = {k: v for k, v in metadata.items() if k in keys}
            row: dict[str, Any] = {"id": id_, "metadata": metadata or None}
            if "#document" in keys:
                row["document"] = rows["documents"][n]
            if "#embedding" in keys:
                row["embedding"] = rows["embeddings"][n]
            if "#score" in keys:
                row["score"] = float(score)
            selected.append(row)
        return selected


def _handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                status, text, headers = cloud.answer(self.command, self.path, body, self.headers)
            except ConnectionAbortedError:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = _any  # noqa: N815  # http.server's names

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def client_of(cloud: Cloud, **options: Any) -> Any:
    """A client of the double."""
    return chromadb.HttpClient("127.0.0.1", cloud.port, **options)


def _hang_up(_: str) -> None:
    raise ConnectionAbortedError


@contextmanager
def cloud_before(upstream: int, **options: Any) -> Iterator[Cloud]:
    """The double before the server at that port, for the block."""
    cloud = Cloud(_upstream=upstream, **options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(cloud))
    server.daemon_threads = True
    cloud.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield cloud
    finally:
        cloud.refuses = _hang_up  # connections that are open outlive the server
        server.shutdown()
        server.server_close()
        thread.join()
