"""What the engine asks of a lexical index. Tokens go in, ids and scores come out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from langchain_chroma_hybrid.core.values import Scored

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import Any

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter, Leaf
    from langchain_chroma_hybrid.core.values import Record

QuerySyntax: TypeAlias = Literal["plain", "simple"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an index can do; ask this, not `isinstance`.

    Attributes:
        durable: what `apply` wrote is there after a crash and in the next process.
        syntax: `query_syntax="simple"` is understood (phrases, prefixes, fuzzy, must, not).
        remote: each question goes to another machine and takes its time, so that few are asked.
        most: hits of one search.
        fuses: the server that has the words has the vectors, too, and fuses both.
    """

    durable: bool
    syntax: bool
    remote: bool = False
    most: int = 10_000
    fuses: bool = False


class Hits(list[Scored]):
    """The best records for a query, best first.

    Attributes:
        ceiling: a score that no record of the index exceeds for the query, 0 if nothing can match;
            words that occur nowhere are counted in, as if they were the rarest. None where the
            engine knows no such bound.
    """

    __slots__ = ("ceiling",)

    def __init__(self, hits: Iterable[Scored] = (), ceiling: float | None = 0.0) -> None:
        super().__init__(hits)
        self.ceiling = ceiling


@dataclass(frozen=True, slots=True)
class Passing:
    """What passes a filter.

    Attributes:
        passing: how many records do, of `total` in the index.
        ids: all of them, where they are no more than was asked for; else None.
    """

    passing: int
    total: int
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What dead writers left undone.

    Attributes:
        ids: to be repaired; None when a journal cannot be read: then everything is in doubt.
        living: another writer, alive, has something under way.
        put_off: what living writers have begun, and perhaps written and put off.
    """

    ids: frozenset[str] | None = frozenset()
    living: bool = False
    put_off: frozenset[str] = frozenset()


class Journal(Protocol):
    """Intentions of a writer: which ids a write is about to touch, noted before Chroma is touched.

    Thread safety: may be called from many threads. Each process has its own, which nobody else
    touches for as long as that process lives.
    """

    def begin(self, ids: Collection[str]) -> int:
        """Note that `ids` may change; durable when this returns the number for `done`.

        Raises:
            OSError, LexicalIndexError: it could not be written; nothing is noted.
        """

    def done(self, numbers: Collection[int]) -> None:
        """Forget what has come into the lexical index; what cannot be forgotten is repaired again.

        Never raises for the store that it lies in.
        """

    def take_over(self) -> AbstractContextManager[Unfinished]:
        """What dead writers left undone; their notes are gone when the block ends well.

        Nobody else gets the same ids meanwhile.
        """

    def close(self) -> None:
        """Write no more; whatever is noted is for the next open."""


@runtime_checkable
class LexicalIndex(Protocol):
    """A BM25 index over analysed text, which also answers metadata filters.

    Thread safety: reads may run side by side with each other and with one writer; `apply`, `clear`
    and `close` are called by one thread at a time.

    Attributes:
        analyzer: turns texts and queries into terms.
        capabilities: what this index can do.
    """

    analyzer: Analyzer
    capabilities: Capabilities

    @property
    def signature(self) -> str:
        """Equal for objects that read and write one index in one way; holds no password."""

    @property
    def folder(self) -> Path | None:
        """Where it lies on disk, and where its writers note what they begin; None without one."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep every other writer out, of this and of other processes; may be nested.

        Raises:
            IndexLockedError: another writer kept the lock for longer than the settable wait.
        """

    def apply(self, upserts: Sequence[Record], deletes: Collection[str] = ()) -> None:
        """Make `upserts` the content of their ids and remove `deletes`, in one commit.

        On return the change is visible to every later read of this object, and durable if the
        index is. Of several upserts of one id the last counts; an id in both is upserted; deleting
        an unknown id is no error. All or nothing: if it raises, the index is as it was.

        Raises:
            InvalidArgumentError: a record that Chroma could not hold either.
        """

    def search(
        self, query: str, k: int, *, where: Filter | None = None, syntax: QuerySyntax = "plain"
    ) -> Hits:
        """The best `k` records that contain a query term and pass `where`; in one round trip.

        Scores are BM25, higher is better; ordered by score, then by id, so that the best `k` are
        the beginning of the best `2 k`. No text raises, whatever `syntax`; an index whose
        capabilities lack `syntax` reads it as plain words.

        Raises:
            InvalidArgumentError: `where` holds a leaf that `supports` denies.
        """

    def weights(self, query: str, *, syntax: QuerySyntax = "plain") -> Mapping[str, float]:
        """What each analysed term of the words of `query` can add to a score, >= 0."""

    def unmatched(
        self, words: Sequence[QueryWord], where: Filter | None = None
    ) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`, as they were typed."""

    def matched_terms(self, query: str, record: Record) -> tuple[str, ...]:
        """The words of the record's indexed fields that match `query`, each once, as they stand."""

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans `(start, end)` of `text`, in characters, that terms of `query` match; ascending."""

    def plan(self, where: Filter | None, limit: int = 0) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which; in one round trip.

        None is needed where the latest commit that was heard of is known to let more pass.

        Raises:
            InvalidArgumentError: `where` holds a leaf that `supports` denies.
        """

    def match(self, where: Filter | None, *, limit: int | None = None) -> list[str]:
        """Ids that pass `where` (all ids for None), at most `limit`, in no order."""

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""

    def supports(self, leaf: Leaf) -> bool:
        """Whether `leaf` can be answered here with exactly Chroma's meaning."""

    def count(self) -> int:
        """Number of records."""

    def ids(self) -> Iterable[str]:
        """All ids, in no order."""

    def sample(self, n: int) -> Sequence[str]:
        """At most `n` ids from anywhere in the index, the same ones for the same records."""

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, str]:
        """`core.values.digest` of records as they were when indexed, by id.

        Of those among `ids` that the index holds; None means all.
        """

    def unused_fields(self) -> Collection[str]:
        """Names among the fields that are searched under which no record has anything."""

    def without_text(self, ids: Collection[str] | None = None) -> frozenset[str]:
        """Those of `ids` (of all records for None) with no term in any of the searched fields."""

    def foreign_commits(self) -> int:
        """A number that grows when other objects are found to have committed, of whichever process.

        0 for ever where none can. Commits of this object never count.
        """

    def version(self) -> object:
        """Another value after each commit that this object has seen, of whichever process.

        What was read under one value holds for it: an index that is `remote` answers this,
        `foreign_commits`, `unused_fields` and, where no record is without text, `without_text`
        from what its last answer brought along.
        """

    def bind(self, collection: str, place: str, *, instead_of: str | None = None) -> None:
        """Belong to one collection, by its id, from the first call on: who comes second is refused.

        Another object may give the index to another collection, with `instead_of`. This one then
        raises LexicalIndexError, at the latest when it sees a later commit or is to write.

        Args:
            collection: its id.
            place: the folder or server of it, for messages.
            instead_of: the id of a collection that this one takes the place of; what `set_state`
                was told for that one is forgotten.

        Raises:
            IndexBoundError: it belongs to another collection.
            IndexLockedError: it belongs to none yet, and another writer kept the lock.
        """

    def state(self, name: str) -> Mapping[str, Any]:
        """What `set_state` was given last under `name`, by whichever process or host; else empty.

        It lies where the records lie: who opens the index next need not read the collection. An
        index that is not durable forgets at once.
        """

    def set_state(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a small JSON object under `name`, an identifier, in one step.

        Raises:
            OSError, LexicalIndexError: it cannot be written.
        """

    def clear(self) -> None:
        """Remove all records at once, whatever state the index is in."""

    def close(self) -> None:
        """Release files and locks. Reading afterwards is an error."""


@runtime_checkable
class TypoTolerant(LexicalIndex, Protocol):
    """An index whose `search` and `weights` take `corrections` beside `syntax`.

    The words in it then count for the one that was typed, at a reduced weight. A query that counts
    words asks for `corrections` when it has searched without (None), and searches once more where
    there are some. The answer of an index elsewhere therefore brings along which of the words
    occur: where all do, nothing more is asked.
    """

    def corrections(
        self, query: str, where: Filter | None = None, *, sounds: bool = False
    ) -> Mapping[str, tuple[str, ...]]:
        """Words that occur in no record which passes `where`, and a few like each that do.

        `sounds`: those that sound alike, too; an engine that cannot tell leaves them out.
        """


@runtime_checkable
class Replaceable(LexicalIndex, Protocol):
    """An index that an older version may have built, and that answers while it is built anew."""

    @property
    def outdated(self) -> bool:
        """Whether it was last seen to be of an older version."""

    def successor(self) -> AbstractContextManager[LexicalIndex]:
        """An index of today's version beside this one, which nobody else has inside the block.

        Raises:
            IndexLockedError: another thread or process has it, or has put it in place.
        """

    def switch(self) -> None:
        """Be the successor from now on, in one step for all processes; for who has locked both."""


@runtime_checkable
class Journaled(LexicalIndex, Protocol):
    """An index that keeps its writers' journals where its records lie: hosts share no disk."""

    def journal(self) -> Journal:
        """A new writer's. Who writes nothing for the length of its lease counts as dead."""
