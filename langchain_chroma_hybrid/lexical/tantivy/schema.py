"""What a record looks like inside a tantivy index."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tantivy import Document, Query, Schema, SchemaBuilder

from langchain_chroma_hybrid.lexical.filter_terms import filter_terms, numbers
from langchain_chroma_hybrid.lexical.tantivy.filters import (
    EVERY,
    HASHED_ID,
    ID,
    NUMBERS,
    TERMS,
    id_term,
)
from langchain_chroma_hybrid.lexical.texts import field_texts
from langchain_chroma_hybrid.lexical.words import Words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
    from langchain_chroma_hybrid.core.values import Record

LONG_ID, STAMP, SURFACE, HAS_TEXT = "long_id", "stamp", "surface", "has_text"


class Layout:
    """The fields of an index and how records are written into them. Immutable.

    Beside one field of terms per lexical field there is `surface`: the words that a stemmer
    changed, folded but unstemmed, which prefixes and fuzzy words are compared with, and from
    format 2 on `has_text`: which of the fields have any term.

    Attributes:
        analyzer: by which texts and queries become terms.
        fields: boost of each tantivy field.
    """

    def __init__(
        self, analyzer: Analyzer, lexical_fields: Mapping[str, float], *, flags: bool = True
    ) -> None:
        """`flags`: there is `has_text`."""
        self.analyzer = analyzer
        self._flags = flags
        self._words = Words(analyzer)
        self._names = {f"f{n}": name for n, name in enumerate(sorted(lexical_fields))}
        self.fields = {field: lexical_fields[name] for field, name in self._names.items()}
        self.schema = self._schema()

    def field(self, name: str) -> str:
        """The tantivy field of a lexical field."""
        return next(field for field, of in self._names.items() if of == name)

    def document(self, record: Record, digest: str) -> Document:
        """The record as tantivy takes it; `digest` is its own, see `core.values.digest`."""
        document = Document()
        term = id_term(record.id)
        document.add_text(ID, term)
        if term != record.id:
            document.add_bytes(LONG_ID, record.id.encode())
        document.add_unsigned(STAMP, int(digest, 16))
        document.add_text(TERMS, EVERY)
        for filter_term in filter_terms(record.metadata):
            document.add_text(TERMS, filter_term)
        if columns := numbers(record.metadata):
            document.add_json(NUMBERS, columns)
        for field, name in self._names.items():
            found = [self._add_text(document, field, text) for text in field_texts(record, name)]
            if self._flags and any(found):
                document.add_text(HAS_TEXT, field)
        return document

    def has_text(self, field: str) -> Query:
        """Records with a term in a tantivy field; without the flag a look at all of its terms."""
        if self._flags:
            return Query.term_query(self.schema, HAS_TEXT, field, "basic")
        return Query.regex_query(self.schema, field, ".+")

    def _add_text(self, document: Document, field: str, text: str) -> bool:
        """Add the terms of a text, and apart the words that were stemmed; whether there are any."""
        terms, changed = self._words.of(text)
        document.add_text(field, terms)
        if changed:
            document.add_text(SURFACE, changed)
        return bool(terms)

    def _schema(self) -> Schema:
        """One field of ready terms per lexical field; ids and metadata are not split into words."""
        builder = SchemaBuilder()
        builder.add_text_field(ID, stored=True, tokenizer_name="raw", index_option="basic")
        builder.add_bytes_field(LONG_ID, stored=True)
        builder.add_unsigned_field(STAMP, fast=True)
        builder.add_text_field(TERMS, tokenizer_name="raw", index_option="basic")
        builder.add_json_field(NUMBERS, fast=True, tokenizer_name="raw", index_option="basic")
        for field in self.fields:
            builder.add_text_field(field, tokenizer_name="whitespace")
        builder.add_text_field(SURFACE, tokenizer_name="whitespace", index_option="basic")
        if self._flags:
            builder.add_text_field(HAS_TEXT, tokenizer_name="raw", index_option="basic")
        return builder.build()


def stored_ids(documents: Sequence[Document]) -> list[str]:
    """The ids of documents that a searcher gave back."""
    terms = [cast("str", document.get_first(ID)) for document in documents]
    return [
        bytes(document[LONG_ID][0]).decode() if term.startswith(HASHED_ID) else term
        for term, document in zip(terms, documents, strict=True)
    ]
