"""What has to be there before an index can be used: template, index, alias, what is noted of it."""

from __future__ import annotations

import math
import uuid
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexFormatError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.opensearch.documents import (
    FORMAT,
    mappings,
    side_index,
    template,
)
from langchain_chroma_hybrid.lexical.opensearch.side import first_info
from langchain_chroma_hybrid.lexical.scoring import idf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.lexical.opensearch.cluster import Cluster
    from langchain_chroma_hybrid.lexical.opensearch.names import Names
    from langchain_chroma_hybrid.lexical.opensearch.side import Info, SideIndex

_EXISTS, _MISSING = 400, 404
_PROBE, _WORD = "-probe", "x00probe"
_NEVER_MORE = 20


class Opening:
    """Makes one index where there is none, and checks one that is there."""

    def __init__(
        self,
        cluster: Cluster,
        names: Names,
        side: SideIndex,
        *,
        analyzer: str,
        fields: Sequence[str],
        shards: int,
        replicas: int,
    ) -> None:
        self._cluster, self._names, self._side = cluster, names, side
        self._analyzer, self._fields = analyzer, list(fields)
        self._copies = {"number_of_shards": shards, "number_of_replicas": replicas}

    def prepare(self) -> Info:
        """See that everything is there and of use.

        Raises:
            IndexFormatError: it is of a newer version.
            AnalyzerMismatchError: it was built with another analyzer or other fields.
            LexicalIndexError: an index of somebody else's has the name.
        """
        found = self._there()
        if found is None:
            self._make()
            found = self._there()
        for index, about in (found or {}).items():
            self._check(index, about.get("mappings", {}).get("_meta", {}))
        self._make_side()
        if not self._side.exists():
            self._side.create(first_info(len(self._fields)))
        return self._side.info()

    def scale(self) -> float:
        """What makes a score of this server's ours, which have the factor `k1 + 1`.

        Lucene left it out, and servers put it back or do not: one document of one word tells.
        """
        body = {"size": 1, "query": {"term": {"probe": {"value": _WORD}}}}
        (answer,) = self._cluster.searches([({"index": self._names.side}, body)])
        hits = answer["hits"]["hits"]
        found = hits[0]["_score"] if hits else 0.0
        ratio = idf(1, 1) / found if found > 0 else 1.0
        return ratio if math.isfinite(ratio) and 1 / _NEVER_MORE < ratio < _NEVER_MORE else 1.0

    def renew(self) -> None:
        """Put an empty index in the place of the one behind the alias, in one step."""
        old = self._there() or {}
        new = self._names.generation(uuid.uuid4().hex)
        self._create(new, {})
        drop = [{"remove_index": {"index": index}} for index in old]
        add = {"add": {"index": new, "alias": self._names.alias}}
        self._cluster.request("POST", "/_aliases", {"actions": [*drop, add]})
        for left in self._generations() - {new}:  # of a host that was killed in between
            self._cluster.request("DELETE", f"/{left}", expect=(_MISSING,))

    def remove(self) -> None:
        """Remove the index, and all that is noted of it."""
        for index in self._generations():
            self._cluster.request("DELETE", f"/{index}", expect=(_MISSING,))
        self._side.remove_all(("info", "note", "intention"))

    def _there(self) -> dict[str, Any] | None:
        path = f"/{self._names.alias}"
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        return None if status == _MISSING else dict(answer)

    def _generations(self) -> set[str]:
        path = f"/{self._names.generation('*')}"
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        return set() if status == _MISSING else set(answer)

    def _make(self) -> None:
        """The template, and by it the first index, behind its alias."""
        path = f"/_index_template/{self._names.prefix}"
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        known = [] if status == _MISSING else answer.get("index_templates", [])
        for each in known:
            self._refuse_newer(f"template {self._names.prefix!r}", each["index_template"])
        self._cluster.request("PUT", path, template(self._names.prefix))
        first = self._names.generation("0")
        alias: dict[str, Any] = {self._names.alias: {}}
        if not self._create(first, alias) and self._there() is None:
            add = {"add": {"index": first, "alias": self._names.alias}}
            self._cluster.request("POST", "/_aliases", {"actions": [add]})

    def _create(self, index: str, aliases: Mapping[str, Any]) -> bool:
        """Whether there was no index of that name."""
        fields = mappings(self._analyzer, len(self._fields), self._fields)
        body = {"settings": {"index": self._copies}, "mappings": fields, "aliases": aliases}
        status, answer = self._cluster.request("PUT", f"/{index}", body, expect=(_EXISTS,))
        if status == _EXISTS and "already_exists" not in str(answer):
            raise self._cluster.refused(status, answer)
        return status != _EXISTS

    def _make_side(self) -> None:
        """The index beside those of records, with the document that tells how scores are made."""
        path = f"/{self._names.side}"
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        if status == _MISSING:
            body = side_index()
            body["settings"]["index"]["number_of_replicas"] = self._copies["number_of_replicas"]
            status, made = self._cluster.request("PUT", path, body, expect=(_EXISTS,))
            if status == _EXISTS and "already_exists" not in str(made):
                raise self._cluster.refused(status, made)
            self._cluster.request(
                "PUT", f"{path}/_doc/{_PROBE}", {"probe": _WORD}, expect=(409,),
                params={"op_type": "create", "refresh": "true"},
            )  # fmt: skip
        for about in answer.values() if status != _MISSING and "error" not in answer else ():
            meta = about.get("mappings", {}).get("_meta", {})
            self._refuse_newer(f"index {self._names.side!r}", {"version": meta.get("format", 0)})

    def _check(self, index: str, meta: Mapping[str, Any]) -> None:
        """See that an index is ours, and as it is asked for."""
        if "format" not in meta:
            raise LexicalIndexError(
                f"the index {index!r} in {self._cluster.product} at {self._cluster.place} has a "
                "mapping that is not ours: expected another `name` or `prefix`"
            )
        self._refuse_newer(f"index {index!r}", {"version": meta["format"]})
        if (meta.get("analyzer"), meta.get("fields")) != (self._analyzer, self._fields):
            message = (
                f"the lexical index {self._names.alias!r} was built with analyzer "
                f"{meta.get('analyzer')!r} and fields {meta.get('fields')}, now asked for with "
                f"{self._analyzer!r} and {self._fields}: use these, or rebuild()"
            )
            raise AnalyzerMismatchError(message)

    def _refuse_newer(self, what: str, about: Mapping[str, Any]) -> None:
        if about.get("version", 0) > FORMAT:
            message = (
                f"{what} in {self._cluster.product} at {self._cluster.place} is of version "
                f"{about['version']}, this package knows {FORMAT}: use a newer "
                "langchain-chroma-hybrid, or another `prefix`"
            )
            raise IndexFormatError(message)
