"""Texts that look like an answer and are none, from both legs of the live index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.core.checks import check_seed, items, positive, whole
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.core.validate import number, one_of
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation.runs import Runner
from langchain_chroma_hybrid.finetune import alike
from langchain_chroma_hybrid.finetune.data import check_data
from langchain_chroma_hybrid.finetune.queries import TITLE_KEYS, Passage, as_answer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from langchain_chroma import Chroma
    from sentence_transformers import SentenceTransformer

    from langchain_chroma_hybrid.core.search import SearchResult
    from langchain_chroma_hybrid.finetune.data import TrainingData
    from langchain_chroma_hybrid.finetune.examples import Example
    from langchain_chroma_hybrid.retrievers import ChromaHybridRetriever

Source: TypeAlias = Literal["vector", "lexical", "hybrid", "both", "random"]
SOURCES = get_args(Source)
_LEGS = {"vector": ("vector",), "lexical": ("lexical",), "hybrid": ("hybrid",),
         "both": ("vector", "lexical")}  # fmt: skip
_OTHER = {"vector": ("lexical",), "lexical": ("vector",)}


@dataclass(frozen=True, slots=True)
class _Rules:
    """What makes a candidate a negative, see `mine_negatives`."""

    count: int
    start: int
    end: int
    margin: float | None
    guard: Any
    guard_depth: int
    title_keys: Sequence[str]


@known_keywords
def mine_negatives(
    store: Chroma | ChromaHybridRetriever,
    data: TrainingData,
    *,
    source: Source = "both",
    count: int = 1,
    range_min: int = 0,
    range_max: int = 30,
    relative_margin: float | None = 0.05,
    guard: Any = "other_leg",
    guard_depth: int = 3,
    positives: Mapping[str, Collection[str]] | None = None,
    title_keys: Sequence[str] = TITLE_KEYS,
    seed: int = 0,
) -> TrainingData:
    """The data with hard negatives from the collection; the retriever's filters hold.

    A candidate is never a text that answers the same query in the data, nor one that differs from
    such only in case, accents or punctuation. For queries of `make_queries`, negatives have the
    form of the answers, without the title, heading or sentence that asks: else a model learns to
    turn away from titles that are like the query, as all answers have them in the collection.
    Queries of which too few candidates are left get fewer; those with none are dropped, and
    reported.

    Args:
        store: the collection to search, as it is now.
        data: pairs; negatives that they have are replaced.
        source: `vector` or `lexical` (the best hits of that leg), `hybrid` (of the fused list),
            `both` (of each leg in turn), or `random` records.
        count: negatives per example.
        range_min: pass over so many of the best hits, which may be answers nobody has marked.
        range_max: look at so many of the best hits.
        relative_margin: the cosine of query and negative has to be below that of query and answer
            by this share of it (Moreira et al., arXiv 2407.15831); None for any.
        guard: `other_leg` passes over what stands among the first `guard_depth` of the other leg,
            too, and with `hybrid` of both legs; or a cross-encoder (an object with `predict`),
            which must find the negative less fitting than the answer; None for neither.
        guard_depth: see `guard`.
        positives: by query, ids of further records that answer it.
        title_keys: metadata keys that may hold a title, as for `make_queries`.
        seed: of `random`.

    Raises:
        InvalidArgumentError: a value that cannot be used, or data with scores.
    """
    one_of("source", source, SOURCES)
    for name, value in (("count", count), ("range_max", range_max), ("guard_depth", guard_depth)):
        positive(name, value)
    whole("range_min", range_min, 0, range_max - 1)
    if relative_margin is not None:
        number("relative_margin", relative_margin, 0.0, 1.0)
    if guard not in (None, "other_leg") and not hasattr(guard, "predict"):
        raise InvalidArgumentError.of("guard", guard, "'other_leg', a CrossEncoder or None")
    check_data("data", data, scored=False)
    check_seed(seed)
    if not isinstance(positives, Mapping | None):
        raise InvalidArgumentError.of_kind("positives", positives, "a mapping of queries to ids")
    keys = tuple(items("title_keys", title_keys, "metadata keys"))
    rules = _Rules(count, range_min, range_max, relative_margin, guard, guard_depth, keys)
    miner = _Miner(store, data, rules, positives or {}, seed)
    return data.with_negatives([miner.negatives(example, source) for example in data.examples])


class _Miner:
    """Asks the live index for one example after another."""

    def __init__(
        self,
        store: Chroma | ChromaHybridRetriever,
        data: TrainingData,
        rules: _Rules,
        positives: Mapping[str, Collection[str]],
        seed: int,
    ) -> None:
        self._runner, self._rules = Runner(store, {}), rules
        self._ids = {query: set(ids) for query, ids in positives.items()}
        self._answers: dict[str, set[str]] = {}
        for example in data.examples:
            same = self._answers.setdefault(example.query, {alike.key(example.query)})
            same.add(alike.key(example.text))
            if example.id is not None:
                self._ids.setdefault(example.query, set()).add(example.id)
        self._random = np.random.default_rng(seed)
        self._search = lru_cache(maxsize=8)(self._searched)

    def negatives(self, example: Example, source: Source) -> list[str]:
        """Texts, the hardest first."""
        if source == "random":
            found: Iterable[str] = self._drawn(example)
        else:
            lists = [list(self._of_leg(example, leg)) for leg in _LEGS[source]]
            found = filter(None, chain.from_iterable(zip_longest(*lists)))
        texts = list(dict.fromkeys(found))
        return self._unlike(example, texts)[: self._rules.count]

    def _searched(self, query: str, leg: str) -> SearchResult:
        return self._runner.search(query, self._rules.end, vectors=True, mode=leg)

    def _of_leg(self, example: Example, leg: str) -> Iterator[str]:
        """Texts of one leg (or of the fused list) that may be negatives, best first."""
        query = self._search(example.query, "vector").embedding
        hits = self._search(example.query, leg).hits[self._rules.start :]
        trusted = self._trusted(example.query, leg)
        most = self._most(example, query)
        for hit in hits:
            near = most is not None and _cosine(query, hit.embedding) > most
            passage = Passage(hit.id, hit.record.text or "", dict(hit.record.metadata))
            if not near and hit.id not in trusted and (text := self._wrong(example, passage)):
                yield text

    def _trusted(self, query: str, leg: str) -> set[str]:
        """Ids that the other leg, or with `hybrid` each leg, has among its best."""
        if self._rules.guard != "other_leg":
            return set()
        others = _OTHER.get(leg, ("vector", "lexical"))
        best = [self._search(query, other).hits[: self._rules.guard_depth] for other in others]
        return set.intersection(*({hit.id for hit in hits} for hits in best))

    def _most(self, example: Example, query: Any) -> float | None:
        """The cosine with the query that a negative may have; None for any."""
        if self._rules.margin is None or query is None:
            return None
        own = {hit.id: hit.embedding for hit in self._search(example.query, "vector").hits}
        answer = own.get(example.id or "")
        if answer is None:
            answer = self._embedded(example.text)
        cosine = _cosine(query, answer)
        return cosine - abs(cosine) * self._rules.margin

    def _embedded(self, text: str) -> Any:
        model = self._runner.retriever._handle.embeddings  # noqa: SLF001  # that of the search
        return model.embed_documents([text])[0]

    def _wrong(self, example: Example, passage: Passage) -> str | None:
        """What a record says; None if it is a known answer, has the text of one, or has none."""
        text = as_answer(passage, example.origin, self._rules.title_keys)
        keys = {alike.key(passage.text), alike.key(text)}
        if passage.id in self._ids.get(example.query, ()) or keys & self._answers[example.query]:
            return None
        return text or None

    def _drawn(self, example: Example) -> Iterator[str]:
        """Texts of records drawn at random."""
        store, ids = self._runner.retriever.vectorstore, self._all
        drawn = self._random.permutation(len(ids))[: self._rules.count * 4]
        columns = ("ids", "documents", "metadatas")
        got = store.get([ids[place] for place in drawn], include=list(columns[1:]))
        for id_, text, metadata in zip(*(got[column] for column in columns), strict=True):
            found = self._wrong(example, Passage(id_, text or "", metadata or {}))
            if found:
                yield found

    @cached_property
    def _all(self) -> list[str]:
        return list(self._runner.retriever.vectorstore.get(include=[])["ids"])

    def _unlike(self, example: Example, texts: Sequence[str]) -> list[str]:
        """Those that the cross-encoder, if there is one, finds less fitting than the answer."""
        if not texts or not hasattr(self._rules.guard, "predict"):
            return list(texts)
        pairs = [(example.query, text) for text in (example.text, *texts)]
        answer, *others = (float(score) for score in self._rules.guard.predict(pairs))
        most = answer - abs(answer) * (self._rules.margin or 0.0)
        return [text for text, score in zip(texts, others, strict=True) if score < most]


def mine_by_model(
    data: TrainingData,
    model: SentenceTransformer,
    *,
    corpus: Sequence[str] | None = None,
    count: int = 1,
    **options: Any,
) -> TrainingData:
    """Sentence Transformers' own `mine_hard_negatives`: vectors alone, of texts in memory.

    Args:
        data: pairs.
        model: embeds the queries and the corpus.
        corpus: texts to look among; None means the answers of the data.
        count: negatives per example.
        options: handed on, such as `relative_margin`, `range_max` or `cross_encoder`.

    Raises:
        InvalidArgumentError: too little data, or data with scores.
        MissingDependencyError: the extra `finetune` is not installed.
    """
    check_data("data", data, scored=False)
    rows = {"anchor": [e.query for e in data.examples], "positive": [e.text for e in data.examples]}
    found = require("sentence_transformers.util", "local").mine_hard_negatives(
        require("datasets", "finetune").Dataset.from_dict(rows),
        model,
        corpus=None if corpus is None else list(corpus),
        num_negatives=count,
        **{"output_format": "n-tuple", "verbose": False, **options},
    )
    names = [name for name in found.column_names if name not in rows]
    by_pair = {(r["anchor"], r["positive"]): [r[name] for name in names] for r in found}
    return data.with_negatives([by_pair.get((e.query, e.text), []) for e in data.examples])


def _cosine(left: Any, right: Any) -> float:
    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) or 1.0))
