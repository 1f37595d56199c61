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
    TEMPLATE_META,
    as_template,
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

_EXISTS, _MISSING, _CONFLICT = 400, 404, 409
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
        for index, about in (found or {}).items():
            self._version_of(index, _meta(about))
        self._make_side()
        if not self._side.exists():
            return self._begun()
        info = self._side.info()
        if info.generation not in (found or {}):
            info = self._behind_alias(info)
        self._keep_writable(info.generation)
        return info

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
        self._keep_template(self._names.prefix, template(self._names.prefix))
        new = self._names.new_generation()
        fields = mappings(self._analyzer, len(self._fields), self._fields)
        body = {
            "settings": {"index": self._copies},
            "mappings": fields,
            "aliases": {writable(new): {}},
        }
        self._create(f"/{new}", body)
        return new

    def sweep(self, generation: str) -> None:
        """Have the alias lead to the index that has the records, and remove all others.

        The alias comes last: where it leads elsewhere, somebody was killed before.
        """
        shown = self._shown(generation)
        for left in self._generations() - {generation, *shown}:
            self._cluster.request("DELETE", f"/{left}", expect=(_MISSING,))
        self._side.remove_all(["info"], but=self._names.key)
        add = {"add": {"index": generation, "alias": self._names.alias}}
        while True:
            actions = [*shown.values(), add]
            status, answer = self._cluster.request(
                "POST", "/_aliases", {"actions": actions}, expect=(_MISSING,)
            )
            if status != _MISSING:
                break
            # It was sent twice, or another host has done the same.
            was, shown = shown, self._shown(generation)
            if shown.keys() == was.keys():
                raise self._cluster.refused(status, answer)
        self.unswept = False

    def _shown(self, generation: str) -> dict[str, dict[str, Any]]:
        """What else the alias leads to, and what becomes of it: others' lose our name alone."""
        alias, found = self._names.alias, (self._there() or {}).items()
        return {
            index: {"remove_index": {"index": index}}
            if _is_ours(about) and index.startswith(f"{alias}.")
            else {"remove": {"index": index, "alias": alias}}
            for index, about in found
            if index != generation
        }

    def scale(self) -> float:
        """What makes a score of this server's ours, which have the factor `k1 + 1`.

        Lucene left it out, and servers put it back or do not: one document of one word tells.
        """
        body = {"size": 1, "query": {"term": {"probe": {"value": _WORD}}}}
        search = [({"index": self._names.side}, body)]
        hits = self._cluster.searches(search)[0]["hits"]["hits"]
        if not hits:
            self._cluster.request(
                "PUT", f"/{self._names.side}/_doc/{_PROBE}", {"probe": _WORD}, expect=(_CONFLICT,),
                params={"op_type": "create", "refresh": "true"},
            )  # fmt: skip
            hits = self._cluster.searches(search)[0]["hits"]["hits"]
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
        """Our indices of this name; whatever else is called so is somebody else's."""
        path = f"/{self._names.every}"
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        return set() if status == _MISSING else {i for i in answer if _is_ours(answer[i])}

    def _keep_template(self, name: str, template: Mapping[str, Any]) -> None:
        """Have a template as it is today.

        Raises:
            IndexFormatError: it is of a newer version.
            LexicalIndexError: somebody else has one of that name.
        """
        path = f"/_index_template/{name}"
        status, answer = self._cluster.request("GET", path, expect=(_MISSING,))
        known = [] if status == _MISSING else answer["index_templates"]
        for about in (each["index_template"] for each in known):
            if about.get("_meta") != TEMPLATE_META:
                raise self._not_ours("template", name)
            self._refuse_newer(f"template {name!r}", about)
        self._cluster.request("PUT", path, template)

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

    def _keep_writable(self, generation: str) -> None:
        """Have the alias for writes, which a restored or copied index may lack."""
        path = f"/{writable(generation)}"
        status, _ = self._cluster.request("GET", path, expect=(_MISSING,))
        if status == _MISSING:
            add = {"add": {"index": generation, "alias": writable(generation)}}
            self._cluster.request("POST", "/_aliases", {"actions": [add]})

    def _make_side(self) -> None:
        """The index beside those of records."""
        side = self._names.side
        status, answer = self._cluster.request("GET", f"/{side}", expect=(_MISSING,))
        if status == _MISSING:
            body = side_index(self._copies["number_of_replicas"])
            # So it is right even where it is removed, and somebody's next note makes it anew.
            self._keep_template(side, as_template(side, body))
            self._create(f"/{side}", body)
        for about in answer.values() if status != _MISSING else ():
            self._version_of(side, _meta(about))

    def _create(self, path: str, body: Mapping[str, Any]) -> None:
        """Make an index, unless it is there: the request may have been sent twice."""
        status, made = self._cluster.request("PUT", path, body, expect=(_EXISTS,))
        if status == _EXISTS and "already_exists" not in str(made):
            raise self._cluster.refused(status, made)

    def _version_of(self, index: str, meta: Mapping[str, Any]) -> None:
        """See that an index is ours, and of no newer version."""
        if "format" not in meta:
            raise self._not_ours("index", index)
        self._refuse_newer(f"index {index!r}", {"version": meta["format"]})
        with suppress(ValueError):
            rules, _ = version_and_settings(str(meta.get("analyzer")))
            if rules > max(RULES):
                raise self._newer(f"the analyzer of index {index!r}", rules, max(RULES))

    def _not_ours(self, kind: str, name: str) -> LexicalIndexError:
        return LexicalIndexError(
            f"the {kind} {name!r} in {self._cluster.product} at {self._cluster.place} has a "
            "mapping that is not ours: expected another `name` or `prefix`"
        )

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


def _is_ours(about: Mapping[str, Any]) -> bool:
    return "format" in _meta(about)


def _settings(fingerprint: str) -> str:
    """What a user has chosen of an analyzer."""
    try:
        return version_and_settings(fingerprint)[1]
    except ValueError:
        return fingerprint
