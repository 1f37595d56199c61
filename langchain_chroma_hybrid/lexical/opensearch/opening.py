"""What has to be there before an index can be used: template, index, alias, what is noted of it."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.core.analysis.analyzer import RULES, version_and_settings
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
from langchain_chroma_hybrid.lexical.opensearch.names import writable
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


@dataclass(frozen=True, slots=True)
class Built:
    """How an index was built.

    Attributes:
        analyzer: the fingerprint of its analyzer.
        format: of documents and mappings.
    """

    analyzer: str
    format: int = FORMAT

    @property
    def rules(self) -> int:
        """The version of the analyzer's rules."""
        return version_and_settings(self.analyzer)[0]


class Opening:
    """Makes one index where there is none, and checks one that is there.

    Attributes:
        unswept: somebody was killed before he had removed what was in the way.
    """

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
        self.unswept = False
        self._copies = {"number_of_shards": shards, "number_of_replicas": replicas}

    def prepare(self) -> Info:
        """See that everything is there.

        Raises:
            IndexFormatError: it is of a newer version.
            LexicalIndexError: an index of somebody else's has the name.
        """
        found = self._there()
        if found is None:
            self._make_template()
        for index, about in (found or {}).items():
            self._version_of(index, _meta(about))
        self._make_side()
        if not self._side.exists():
            return self._begun()
        info = self._side.info()
        return info if info.generation in (found or {}) else self._behind_alias(info)

    def built(self, generation: str) -> Built:
        """How an index was built.

        Raises:
            AnalyzerMismatchError: it was another one but for its rules, or for other fields.
            IndexFormatError: it was removed, or is of a newer version.
        """
        _, answer = self._cluster.request("GET", f"/{generation}")
        meta = _meta(answer[generation])
        self._version_of(generation, meta)
        found = str(meta.get("analyzer"))
        if (_settings(found), meta.get("fields")) != (_settings(self._analyzer), self._fields):
            message = (
                f"the lexical index {self._names.alias!r} was built with analyzer "
                f"{found!r} and fields {meta.get('fields')}, now asked for with "
                f"{self._analyzer!r} and {self._fields}: use these, or rebuild()"
            )
            raise AnalyzerMismatchError(message)
        return Built(found, meta["format"])

    def is_outdated(self, built: Built) -> bool:
        """Whether an index is such as an older version has built."""
        return built != Built(self._analyzer)

    def beside(self, current: str) -> Info:
        """What is known of the index that is built beside the `current` one; begun if need be."""
        if self._side.exists():
            info = self._side.info()
            with suppress(AnalyzerMismatchError, IndexFormatError):
                if info.generation != current and not self.is_outdated(self.built(info.generation)):
                    return info
            self._side.remove([self._names.key])
            self._side.forget()
        self._side.create(first_info(self.make(), len(self._fields)))
        return self._side.info()

    def make(self) -> str:
        """Make an empty index of today's; the name of it."""
        new = self._names.new_generation()
        fields = mappings(self._analyzer, len(self._fields), self._fields)
        body = {
            "settings": {"index": self._copies},
            "mappings": fields,
            "aliases": {writable(new): {}},
        }
        self._cluster.request("PUT", f"/{new}", body)
        return new

    def sweep(self, generation: str) -> None:
        """Have the alias lead to the index that has the records, and remove all others.

        The alias comes last: where it leads elsewhere, somebody was killed before.
        """
        shown = (self._there() or {}).keys() - {generation}
        for left in self._generations() - {generation, *shown}:
            self._cluster.request("DELETE", f"/{left}", expect=(_MISSING,))
        self._side.remove_all(["info"], but=self._names.key)
        drop = [{"remove_index": {"index": index}} for index in shown]
        add = {"add": {"index": generation, "alias": self._names.alias}}
        self._cluster.request("POST", "/_aliases", {"actions": [*drop, add]})
        self.unswept = False

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
        path = f"/{self._names.every}"
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        return set() if status == _MISSING else set(answer)

    def _make_template(self) -> None:
        path = f"/_index_template/{self._names.prefix}"
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        known = [] if status == _MISSING else answer.get("index_templates", [])
        for each in known:
            self._refuse_newer(f"template {self._names.prefix!r}", each["index_template"])
        self._cluster.request("PUT", path, template(self._names.prefix))

    def _begun(self) -> Info:
        """What is known of a new index, which another host may have begun a moment ago."""
        new = self.make()
        self._side.create(first_info(new, len(self._fields)))
        info = self._side.info()
        if info.generation != new:
            self._cluster.request("DELETE", f"/{new}", expect=(_MISSING,))
        add = {"add": {"index": info.generation, "alias": self._names.alias}}
        self._cluster.request("POST", "/_aliases", {"actions": [add]})
        return info

    def _behind_alias(self, info: Info) -> Info:
        """Where the alias does not lead to the records; begun anew if they are gone."""
        path = f"/{info.generation}"
        status, _ = self._cluster.request("GET", path, expect=(_MISSING,))
        if status == _MISSING:
            self._side.remove_all(["note"])
            new = first_info(self.make(), len(self._fields))
            info = self._side.update(lambda was: replace(new, owner=was.owner))
        self.unswept = True
        return info

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

    def _version_of(self, index: str, meta: Mapping[str, Any]) -> None:
        """See that an index is ours, and of no newer version."""
        if "format" not in meta:
            raise LexicalIndexError(
                f"the index {index!r} in {self._cluster.product} at {self._cluster.place} has a "
                "mapping that is not ours: expected another `name` or `prefix`"
            )
        self._refuse_newer(f"index {index!r}", {"version": meta["format"]})
        with suppress(ValueError):
            rules, _ = version_and_settings(str(meta.get("analyzer")))
            if rules > max(RULES):
                raise self._newer(f"the analyzer of index {index!r}", rules, max(RULES))

    def _refuse_newer(self, what: str, about: Mapping[str, Any]) -> None:
        if (version := about.get("version", 0)) > FORMAT:
            raise self._newer(what, version, FORMAT)

    def _newer(self, what: str, version: object, known: int) -> IndexFormatError:
        return IndexFormatError(
            f"{what} in {self._cluster.product} at {self._cluster.place} is of version {version}, "
            f"this package knows {known}: use a newer langchain-chroma-hybrid, or another `prefix`"
        )


def _meta(about: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = about.get("mappings", {}).get("_meta", {})
    return found


def _settings(fingerprint: str) -> str:
    """What a user has chosen of an analyzer."""
    try:
        return version_and_settings(fingerprint)[1]
    except ValueError:
        return fingerprint
