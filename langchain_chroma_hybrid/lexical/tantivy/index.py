"""The embedded default: tantivy on disk or in RAM."""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tantivy import FieldType, Index, Occur, Query

from langchain_chroma_hybrid._files import NOTES, StateFiles
from langchain_chroma_hybrid.core.analysis.analyzer import (
    DEFAULT_LANGUAGE,
    Analyzer,
    analyzer_of,
)
from langchain_chroma_hybrid.core.filters import Ids, QueryMatch
from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexFormatError,
    IndexLockedError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.binding import STATE, Owner
from langchain_chroma_hybrid.lexical.filter_terms import supports
from langchain_chroma_hybrid.lexical.protocol import Capabilities, Hits, Passing
from langchain_chroma_hybrid.lexical.tantivy import folder
from langchain_chroma_hybrid.lexical.tantivy.filters import ID, id_term
from langchain_chroma_hybrid.lexical.tantivy.folder import Format, IndexFolder
from langchain_chroma_hybrid.lexical.tantivy.hits import ROUNDING, best, count, record_ids
from langchain_chroma_hybrid.lexical.tantivy.mirror import is_writable
from langchain_chroma_hybrid.lexical.tantivy.schema import STAMP, Layout
from langchain_chroma_hybrid.lexical.tantivy.view import View
from langchain_chroma_hybrid.lexical.texts import (
    PAGE_CONTENT,
    checked,
    checked_fields,
    matched_terms,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from tantivy import DocAddress, IndexWriter, Schema

    from langchain_chroma_hybrid.core.analysis.query_words import QueryWord
    from langchain_chroma_hybrid.core.filters import Filter, Leaf
    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.protocol import QuerySyntax
    from langchain_chroma_hybrid.lexical.tantivy.folder import Stamp
    from langchain_chroma_hybrid.lexical.tantivy.query import Asked, Compiled, Corrections

_SMALL_HEAP, _LARGE_HEAP = 15_000_000, 100_000_000
_LARGE_APPLY = 2_000
_PART = 50_000


class TantivyIndex:
    """A `LexicalIndex` in a folder, or in RAM. BM25 with k1 = 1.2 and b = 0.75.

    Reads see what any process has committed. Writers of all processes wait for each other. Reads
    may run in any thread, `apply` and `clear` too (they queue). Not for network file systems.

    A folder that an older version has written is read and written as that version did, by its
    analyzer's rules, until `switch` or `clear`.

    Args:
        path: folder of the index, made when it is not there; None keeps it in RAM.
        analyzer: turns texts and queries into terms, or its language; English by default.
        lexical_fields: what is searched, with boosts > 0: `page_content` is the record's text,
            other names are metadata keys whose strings, numbers and lists are read as text.
            `{"page_content": 1.0}` by default. Boosts may differ from one opening to the next.
        lock_timeout: seconds to wait for another writer.

    Raises:
        IndexFormatError: the folder is damaged, incomplete, or of a newer version.
        AnalyzerMismatchError: it was built with another analyzer or other fields.
        LexicalIndexError: it cannot be made, read or written.
    """

    @known_keywords
    def __init__(
        self,
        path: Path | None = None,
        *,
        analyzer: Analyzer | str | None = None,
        lexical_fields: Mapping[str, float] | None = None,
        lock_timeout: float = 30.0,
    ) -> None:
        self.analyzer = analyzer_of(DEFAULT_LANGUAGE if analyzer is None else analyzer)
        self._wanted = self.analyzer
        self.path = None if path is None else Path(path)
        self._owner = Owner()
        self._states = StateFiles(self.path and self.path / NOTES)
        self.lexical_fields = checked_fields(lexical_fields)
        self.capabilities = Capabilities(durable=path is not None, syntax=True)
        self._todays = Layout(self.analyzer, self.lexical_fields)
        self._keys = [name for name in self.lexical_fields if name != PAGE_CONTENT]
        self._writing = threading.RLock()
        self._refreshing = threading.Lock()
        self._folder: IndexFolder | None = None
        self._format = Format(self.analyzer.fingerprint, tuple(sorted(self.lexical_fields)))
        if self.path is not None:
            self._folder = IndexFolder(self.path, self._format, lock_timeout)
        self._seen: Stamp | None = None
        self._watched: tuple[str, ...] = ()
        self._committing, self._foreign, self._refreshes = False, 0, 0
        self._index: Index | None = None
        self._view: View
        schema = self._todays.schema
        found = self._folder.open(schema) if self._folder else (_in_ram(schema), self._format)
        with self._explained("opened"):
            self._use(*found)
            self._refresh()

    @property
    def signature(self) -> str:
        """Equal for objects over one folder with the same analyzer, fields and boosts."""
        if self.path is None:
            return f"{type(self).__name__} {id(self)}"
        fields = sorted(self.lexical_fields.items())
        return f"{self.path.resolve()} {self._wanted.fingerprint}, lexical_fields {fields}"

    @property
    def folder(self) -> Path | None:
        """`path`, where its writers note what they begin, too; None in RAM."""
        return self.path

    @staticmethod
    def destroy(path: Path, *, lock_timeout: float = 30.0) -> None:
        """Remove the index at `path`, whatever its state; one that is not there is no error.

        Raises:
            IndexLockedError: another process is writing.
            LexicalIndexError: the folder holds other files too (nothing is removed then), or cannot
                be removed.
        """
        folder.destroy(Path(path), lock_timeout)

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Keep every other writer out, of this and of other processes; may be nested.

        Raises:
            IndexLockedError: another writer kept the lock for longer than `lock_timeout`.
        """
        return self._folder.locked() if self._folder else _held(self._writing)

    def apply(self, upserts: Sequence[Record], deletes: Collection[str] = ()) -> None:
        """Make `upserts` the content of their ids and remove `deletes`, in one commit.

        Of several records with one id the last counts; an id in both is upserted. All or nothing:
        a record that cannot be indexed leaves the index as it was.

        Raises:
            InvalidArgumentError: a record that Chroma could not hold either.
            IndexLockedError: another process kept the writer lock too long.
        """
        stamps = checked(upserts)
        latest = {record.id: record for record in upserts}
        if not latest and not deletes:
            return
        with self._writer(_LARGE_HEAP if len(latest) > _LARGE_APPLY else _SMALL_HEAP) as writer:
            if self._view.searcher.num_docs:
                for old in {*latest, *deletes}:
                    with contextlib.suppress(UnicodeEncodeError):  # such an id was never indexed
                        writer.delete_documents_by_term(ID, id_term(old))
            for record in latest.values():
                writer.add_document(self._view.layout.document(record, stamps[record.id]))

    def search(
        self,
        query: str,
        k: int,
        *,
        where: Filter | None = None,
        syntax: QuerySyntax = "plain",
        corrections: Corrections | None = None,
    ) -> Hits:
        """The best `k` records that contain a query term and pass `where`.

        `corrections`: by a word of the query, those that count for it, for half.
        Scores are > 0, higher is better, to four significant digits, so that equal records tie
        whatever way tantivy adds up; ties are in the order of ids.

        Raises:
            InvalidArgumentError: `where` holds a leaf that `supports` denies.
        """
        view = self._latest()
        compiled = self._compiled(view, query, syntax, corrections)
        wanted, most = compiled.query, compiled.bound * (1.0 + ROUNDING)
        if wanted is None or k < 1:
            return Hits([], most)
        with self._explained("read"):
            if where is not None:
                passing = Query.const_score_query(view.filters.compile(where), 0.0)
                wanted = Query.boolean_query([(Occur.Must, wanted), (Occur.Must, passing)])
            return Hits(best(view.searcher, wanted, k), most)

    def max_score(
        self,
        query: str,
        *,
        syntax: QuerySyntax = "plain",
        corrections: Corrections | None = None,
    ) -> float:
        """The sum over query terms of boost x idf x (k1 + 1); no record's score exceeds it."""
        return self._asked(query, syntax, corrections).bound * (1.0 + ROUNDING)

    def weights(
        self,
        query: str,
        *,
        syntax: QuerySyntax = "plain",
        corrections: Corrections | None = None,
    ) -> Mapping[str, float]:
        """What each term of the words of `query` can add to a score, unknown ones included."""
        return self._asked(query, syntax, corrections).weights

    def corrections(
        self, query: str, where: Filter | None = None, *, sounds: bool = False
    ) -> Corrections:
        """Words that occur in no record which passes `where`, and a few like each that do.

        In an index of few records only what was written as one word and stands there as two, or
        with `sounds`: there such a word is more often missing than mistyped.
        """
        view = self._latest()
        with self._explained("read"):
            passing = None if where is None else view.filters.compile(where)
            return view.compiler().corrections(query, passing, sounds=sounds)

    def unmatched(
        self, words: Sequence[QueryWord], where: Filter | None = None
    ) -> tuple[str, ...]:
        """Those of the words that occur in no record that passes `where`, as they were typed."""
        view = self._latest()
        with self._explained("read"):
            passing = None if where is None else view.filters.compile(where)
            occurs = view.compiler().occurs
            return tuple(w.text for w in words if not occurs(w.terms, w.phrases, passing))

    def matched_terms(self, query: str, record: Record) -> tuple[str, ...]:
        """The words of the record's indexed fields that match `query`, each once."""
        return matched_terms(self.analyzer, query, record, self.lexical_fields)

    def highlight(self, query: str, text: str) -> list[tuple[int, int]]:
        """Spans `(start, end)` of `text`, in characters, that terms of `query` match; ascending."""
        return self.analyzer.highlight(query, text)

    def plan(self, where: Filter | None, limit: int = 0) -> Passing:
        """How many records pass `where` and, if at most `limit` do, which."""
        passing, total = self.match_count(where), self.count()
        return Passing(passing, total, tuple(self.match(where)) if passing <= limit else None)

    def match(self, where: Filter | None, *, limit: int | None = None) -> list[str]:
        """Ids that pass `where` (all ids for None), at most `limit`, in no order."""
        view = self._latest()

        def find(node: Filter | None) -> list[str]:
            with self._explained("read"):
                addresses = self._addresses(view, node, limit)
                return record_ids(view.searcher, addresses)

        return find(where) if where is None or limit is not None else view.ids(where, find)

    def match_count(self, where: Filter | None) -> int:
        """How many records pass `where`."""
        view = self._latest()
        if where is None:
            return int(view.searcher.num_docs)
        with self._explained("read"):
            return view.count(where, lambda: count(view.searcher, view.filters.compile(where)))

    def without_text(self, ids: Collection[str] | None = None) -> frozenset[str]:
        """Those of `ids` (of all records for None) with no term in any of the searched fields."""
        view = self._latest()
        with self._explained("read"):
            if not view.textless:
                return frozenset()
            clauses = [(Occur.MustNot, view.layout.has_text(field)) for field in view.layout.fields]
            given = view.filters.compile(None if ids is None else Ids(frozenset(ids)))
            wanted = Query.boolean_query([(Occur.Must, given), *clauses])
            hits = view.searcher.search(
                Query.const_score_query(wanted, 0.0), max(1, view.searcher.num_docs), count=False
            ).hits
            return frozenset(record_ids(view.searcher, [at for _, at in hits]))

    def supports(self, leaf: Leaf) -> bool:
        """Everything but conditions on the document and on Chroma's own rows."""
        return isinstance(leaf, QueryMatch) or supports(leaf)

    def count(self) -> int:
        """Number of records."""
        return int(self._latest().searcher.num_docs)

    def ids(self) -> Iterable[str]:
        """All ids, in no order."""
        return self._ids(self._latest())

    def _ids(self, view: View) -> Iterator[str]:
        with self._explained("read"):
            for part in self._parts(view):
                yield from record_ids(view.searcher, part)

    def sample(self, n: int) -> list[str]:
        """At most `n` ids from anywhere in the index, the same ones for the same records."""
        view = self._latest()
        searcher = view.searcher
        if n < 1 or searcher.num_docs < 1:
            return []
        # Stamps are digests, they spread evenly: of twice as many as wanted hardly ever too few.
        top = min(2**64 - 1, 2**64 * (2 * n + 16) // int(searcher.num_docs))
        with self._explained("read"):
            low = self._stamped(view, 0, top)
            stamps = searcher.fast_field_values(STAMP, low)
            found = sorted(zip(stamps, record_ids(searcher, low), strict=True))
            return [id_ for _, id_ in found[:n]]

    def digests(self, ids: Collection[str] | None = None) -> Mapping[str, str]:
        """`core.values.digest` of records as they were when indexed, by id; None means all."""
        view = self._latest()
        searcher = view.searcher
        wanted = None if ids is None else Ids(frozenset(ids))
        with self._explained("read"):
            parts = self._parts(view) if wanted is None else [self._addresses(view, wanted)]
            return {
                id_: f"{stamp:016x}"
                for part in parts
                for id_, stamp in zip(
                    record_ids(searcher, part), searcher.fast_field_values(STAMP, part), strict=True
                )
            }

    def unused_fields(self) -> Collection[str]:
        """Names among `lexical_fields`, but for the text, under which no record has a term."""
        if not self._keys:
            return ()
        view = self._latest()
        if view.unused is None:
            with self._explained("read"):
                view.unused = tuple(filter(partial(_is_unused, view), self._keys))
        return view.unused

    def foreign_commits(self) -> int:
        """A number that grows when others are found to have committed; 0 in RAM."""
        self._latest()
        return self._foreign

    def bind(self, collection: str, place: str, *, instead_of: str | None = None) -> None:
        """Belong to one collection from now on, by its id; noted in the folder where it can be.

        Raises:
            IndexBoundError: it belongs to another one, and not to `instead_of`.
            IndexLockedError: it belongs to none yet, and another writer kept the lock.
        """
        wanted = Owner(collection, place)
        if self._bound().give_way(wanted, instead_of) and (
            self._folder is None or is_writable(self._folder.path)
        ):
            with self.locked():
                if (was := self._bound()).give_way(wanted, instead_of):
                    if was.collection:
                        self._states.forget()
                    self._states.set_state(STATE, wanted.state)
        if self._owner.collection != collection:
            self._owner = wanted

    def _bound(self) -> Owner:
        return self._owner if self._folder is None else Owner.of(self.state(STATE))

    def _check_owner(self) -> None:
        """Raise LexicalIndexError where another object has given the folder to another one."""
        self._owner.check(self._bound())

    def state(self, name: str) -> Mapping[str, Any]:
        """What `set_state` was given last under `name`, by whichever process; else empty."""
        return self._states.state(name)

    def set_state(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a small JSON object under `name` in the folder; nothing in RAM.

        Raises:
            OSError: it cannot be written.
            LexicalIndexError: another collection has the folder by now.
        """
        self._check_owner()
        self._states.set_state(name, content)

    def clear(self) -> None:
        """Remove all records at once; a folder is made anew, whatever state it is in."""
        self._opened()
        if self._folder is None:
            with self._writer(_SMALL_HEAP) as writer:
                writer.delete_all_documents()
            return
        with self._explained("made anew"):
            self._folder.make()
        with self._folder.held(), self._refreshing:
            self._check_owner()
            # Readers that find the files gone wait for these locks, then see the new index.
            self._use(*self._folder.recreate(self._todays.schema))
            self._seen = self._folder.stamp(self._watched)

    @property
    def outdated(self) -> bool:
        """Whether the folder was last seen to hold what an older version has built."""
        return self._folder is not None and self._folder.is_outdated(self._format)

    def version(self) -> object:
        """Another value after each commit, of whichever process."""
        self._latest()
        return self._refreshes if self._seen is None else self._seen

    @contextlib.contextmanager
    def successor(self) -> Iterator[TantivyIndex]:
        """An index of today's beside an outdated one, empty or as a killed build has left it.

        Nobody else has it inside the block.

        Raises:
            IndexLockedError: another thread or process has it, or has put it in place.
            LexicalIndexError: it cannot be made.
        """
        place = self._folder
        if place is None or not place.is_outdated(place.check()):
            raise IndexLockedError(f"the lexical index at {self.path} needs no successor")
        index = self._beside(place.successor)
        try:
            with index.locked():
                if not place.is_outdated(place.check()):
                    raise IndexLockedError(f"the lexical index at {self.path} has its successor")
                yield index
        finally:
            index.close()

    def _beside(self, path: Path) -> TantivyIndex:
        """The index there; begun anew where a kill has left what makes no sense."""
        if path.is_symlink():
            raise LexicalIndexError(f"{path} is a link: remove it, an index is to be built there")
        begin = partial(
            TantivyIndex,
            path,
            analyzer=self._wanted,
            lexical_fields=self.lexical_fields,
            lock_timeout=0.0,
        )
        try:
            return begin()
        except (IndexFormatError, AnalyzerMismatchError):
            folder.destroy(path, 0.0)
            return begin()

    def switch(self) -> None:
        """Be the successor from now on, in one step for all processes; for who has locked both.

        An index that is no longer outdated stays.
        """
        if self._folder is not None:
            with self._folder.locked(), self._refreshing:
                self._check_owner()
                self._use(*self._folder.switch())
                self._seen = self._folder.stamp(self._watched)

    def close(self) -> None:
        """Release the files; reading afterwards raises LexicalIndexError. May be called twice."""
        self._index = None

    def _opened(self) -> Index:
        if self._index is None:
            raise LexicalIndexError("the lexical index is closed")
        return self._index

    def _latest(self) -> View:
        """A view of the latest commit; waits where somebody is making the folder anew."""
        self._opened()
        if self._folder is not None and not self._folder.is_at(self._watched, self._seen):
            try:
                self._refresh()
            except IndexFormatError:
                if not self._folder.path.is_dir():
                    raise
                with self._folder.held():  # until now by somebody who was making it anew, perhaps
                    self._refresh()
        return self._view

    def _refresh(self) -> None:
        """Look at the latest commit, of whichever process."""
        with self._refreshing:
            index = self._opened()
            if self._folder is None:
                index.reload()
                self._refreshes += 1
                self._view = View(index, self._view.layout)
                return
            own = self._committing
            self._check_owner()
            with self._folder.explained("read"):
                found = self._folder.check()
                if found != self._format:  # made anew or replaced, by this version or an older one
                    self._use(*self._folder.open_found(found))
                    index = self._opened()
                stamp = self._folder.stamp(self._watched)
                self._folder.reload(index)
                self._view = View(index, self._view.layout)
            # Asked again: a commit of ours that has begun meanwhile is not over before this.
            if self._seen not in (None, stamp) and not (own or self._committing):
                self._foreign += 1
            self._seen = stamp

    def _use(self, index: Index, found: Format) -> None:
        """From now on read and write `index` by the rules that it was built by."""
        layout = self._todays
        if self._folder is not None:
            self._watched = self._folder.watched(found)
            if self._folder.is_outdated(found):
                analyzer = self._wanted.by_rules(found.rules)
                layout = Layout(analyzer, self.lexical_fields, flags=found.version > 1)
        self._index, self._format, self.analyzer = index, found, layout.analyzer
        self._view = View(index, layout)

    @contextlib.contextmanager
    def _writer(self, heap: int) -> Iterator[IndexWriter]:
        """A writer that commits when the block ends, and takes everything back if it raises."""
        with self.locked():
            self._check_owner()
            with self._explained("written"):
                self._latest()
                if self._folder is not None:
                    self._folder.sweep(self._format)
                writer = self._opened().writer(heap, 1)
                # A killed commit leaves files whose names the next one would take again.
                writer.garbage_collect_files()
            self._committing = True
            try:
                with self._committed(writer):
                    yield writer
            finally:
                # After a failure too, which may have come when all was written.
                try:
                    self._refresh()
                finally:
                    self._committing = False

    @contextlib.contextmanager
    def _committed(self, writer: IndexWriter) -> Iterator[None]:
        """Commit when the block ends, roll back if it raises; wait for merges either way."""
        try:
            with self._explained("written"):
                yield
                writer.commit()
        except BaseException:
            with contextlib.suppress(Exception):
                writer.rollback()
            raise
        finally:
            # Without the wait small commits leave a segment each.
            with self._explained("written"):
                writer.wait_merging_threads()

    def _explained(self, done: str) -> contextlib.AbstractContextManager[None]:
        return self._folder.explained(done) if self._folder else contextlib.nullcontext()

    def _asked(
        self, query: str, syntax: QuerySyntax, corrections: Corrections | None
    ) -> Compiled:
        """The query under the view that `search` has just read, if it was that query."""
        known, asked = self._view.query, _key(query, syntax, corrections)
        view = self._view if known and known[0] == asked else self._latest()
        return self._compiled(view, query, syntax, corrections)

    def _compiled(
        self, view: View, query: str, syntax: QuerySyntax, corrections: Corrections | None
    ) -> Compiled:
        # `max_score` is asked for the query that `search` has just run.
        asked, known = _key(query, syntax, corrections), view.query
        if known is None or known[0] != asked:
            with self._explained("read"):
                known = asked, view.compiler().compile(query, syntax, corrections or {})
                view.query = known
        return known[1]

    def _parts(self, view: View) -> Iterator[list[DocAddress]]:
        """Where all records are, in parts of some `_PART`: a million hits at once take 200 MB."""
        searcher = view.searcher
        most = int(searcher.num_docs)
        if most < 1:
            return
        count = 1 + most // _PART
        bounds = [part * 2**64 // count for part in range(count + 1)]
        for low, high in pairwise(bounds):  # stamps are digests: they spread evenly
            yield self._stamped(view, low, high - 1)

    def _stamped(self, view: View, low: int, high: int) -> list[DocAddress]:
        """Where the records with a stamp from `low` to `high` are."""
        stamped = Query.range_query(view.layout.schema, STAMP, FieldType.Unsigned, low, high)
        query = Query.const_score_query(stamped, 0.0)
        most = view.searcher.num_docs
        return [at for _, at in view.searcher.search(query, most, count=False).hits]

    def _addresses(
        self, view: View, where: Filter | None, limit: int | None = None
    ) -> list[DocAddress]:
        searcher = view.searcher
        most = searcher.num_docs if limit is None else min(limit, searcher.num_docs)
        if most < 1:
            return []
        query = Query.const_score_query(view.filters.compile(where), 0.0)
        return [at for _, at in searcher.search(query, most, count=False).hits]


def _key(query: str, syntax: str, corrections: Corrections | None) -> Asked:
    return query, syntax, tuple((corrections or {}).items())


def _is_unused(view: View, name: str) -> bool:
    anything, searcher = view.layout.has_text(view.layout.field(name)), view.searcher
    return searcher.num_docs > 0 and not searcher.search(anything, 1, count=False).hits


def _in_ram(schema: Schema) -> Index:
    index = Index(schema)
    index.config_reader("manual")
    return index


@contextlib.contextmanager
def _held(lock: threading.RLock) -> Iterator[None]:
    with lock:
        yield
