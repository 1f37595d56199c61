"""What a record looks like as a document, and the mappings of our indices.

Each searched field has its own tokens, in fields `t0`, `t1`, …, as all engines have them, so that
the server has only to split at white space. What no filter or search needs is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_chroma_hybrid.lexical.filter_terms import digest_of, filter_terms, numbers
from langchain_chroma_hybrid.lexical.scoring import K1, B
from langchain_chroma_hybrid.lexical.texts import field_texts
from langchain_chroma_hybrid.lexical.tokens import SURFACE, Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.words import Words

FORMAT = 1
"""Of our documents and mappings; an index of a newer one is refused."""

TEMPLATE_META = {"of": "langchain-chroma-hybrid"}
"""By which our templates are known."""

LEVELS, STEP = 4, 16
"""A number is a term for each of its 16-bit parts, with all that is before that part."""

MAX_TOKEN = 1_000
"""Characters of a token; Lucene takes 32,766 bytes."""

_MAX_ID = 400  # bytes of an `_id`, of which 512 may be; with `#` begin those that are none
_MAX_ORDER = 1_000
_PLAIN = 200  # characters of a term that stands as it is
_OFFSET = 2**63
_SETTINGS = {
    "similarity": {"own": {"type": "BM25", "k1": K1, "b": B}},
    "analysis": {
        "tokenizer": {"own": {"type": "whitespace", "max_token_length": MAX_TOKEN}},
        "analyzer": {"own": {"type": "custom", "tokenizer": "own"}},
    },
    # For as long a write that comes late finds what was deleted, and loses.
    "gc_deletes": "5m",
}
_STORED = {"type": "keyword", "index": False, "doc_values": False}
_WORD = {"type": "text", "analyzer": "own", "similarity": "own"}


class DocumentTokens(Tokens):
    """Terms as they are, but for those that white space or control characters are in."""

    @staticmethod
    def made(field: int, term: str) -> str:
        """As it is, where the server's splitting lets it be."""
        made = Tokens.made(field, term)
        if len(term) <= _PLAIN and term.isprintable() and " " not in term:
            return f"x{made[1:3]}{term}"
        made = "y" + made[1:3] + term.encode("utf-8", "surrogatepass").hex()
        return made if len(made) <= MAX_TOKEN else made[: MAX_TOKEN // 2] + digest_of(term)

    @staticmethod
    def term(token: str) -> str:
        """The term of a token; of one that was too long the token itself."""
        try:
            return Tokens.term(token)
        except ValueError:
            return token


def field_of(token: str) -> str:
    """The name of the field that a token stands in."""
    number = Tokens.field(token)
    return "surface" if number == SURFACE else f"t{number}"


def key_of(record_id: str) -> str | None:
    """The `_id` of a record: its id, or a digest where that cannot be one; None if none can be."""
    try:
        size = len(record_id.encode())
    except UnicodeEncodeError:
        return None
    good = 0 < size <= _MAX_ID and not record_id.startswith("#")
    return record_id if good else f"#{digest_of(record_id)}"


def order_of(record_id: str) -> str:
    """What records are ordered by: their ids, of long ones a digest of the rest."""
    long = len(record_id) > _MAX_ORDER
    return record_id[:_MAX_ORDER] + digest_of(record_id) if long else record_id


def document(record: Record, digest: str, words: Words, tokens: Tokens) -> dict[str, Any]:
    """A record as it is written; `digest` is its own, see `core.values.digest`."""
    found: dict[str, Any] = {}
    surface: set[str] = set()
    for field, name in enumerate(tokens.names):
        texts = []
        for text in field_texts(record, name):
            terms, changed = words.of(text)
            texts.append(" ".join(tokens.token(field, t) for t in terms.split(" ") if t))
            surface.update(changed.split())
        if any(texts):
            found[f"t{field}"] = [text for text in texts if text]
    return {
        "id": record.id,
        "order": order_of(record.id),
        "digest": digest,
        "textless": not found,
        **found,
        "surface": " ".join(sorted(tokens.token(SURFACE, word) for word in surface)),
        "facts": list(filter_terms(record.metadata)),
        "numbers": list(number_terms(numbers(record.metadata))),
    }


def number_terms(columns: dict[str, int]) -> Iterator[str]:
    """The terms of numbers, by column."""
    for column, number in columns.items():
        for level in range(LEVELS):
            yield number_term(column, level, (number + _OFFSET) >> (STEP * level))


def number_term(column: str, level: int, part: int) -> str:
    """One of them; in order for as long as column and level are the same."""
    return f"{column}{level}{part:0{(LEVELS - level) * STEP // 4}x}"


def unsigned(number: int) -> int:
    """A signed 64-bit integer in the same order from 0 on."""
    return number + _OFFSET


def mappings(analyzer: str, fields: int, names: list[str]) -> dict[str, Any]:
    """The mappings of one index: those of the template, with the fields that are searched."""
    return {
        "_meta": {"format": FORMAT, "analyzer": analyzer, "fields": names},
        "properties": {f"t{n}": _WORD for n in range(fields)},
    }


def template(prefix: str) -> dict[str, Any]:
    """The template of all indices of records of a prefix."""
    about = {
        "settings": {"index": _SETTINGS},
        "mappings": {
            "dynamic": "strict",
            "_source": {"includes": ["id", "digest"]},
            "properties": {
                "id": _STORED,
                "order": {"type": "keyword", "index": False},
                "digest": {"type": "keyword", "index": False},
                "textless": {"type": "boolean"},
                "surface": {**_WORD, "norms": False, "index_options": "docs"},
                "facts": {"type": "keyword", "doc_values": False},
                "numbers": {"type": "keyword", "doc_values": False},
            },
        },
    }
    return as_template(f"{prefix}.*.*", about)


def as_template(pattern: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """The template of indices by their names."""
    return {
        "index_patterns": [pattern],
        "version": FORMAT,
        "priority": 500,
        "_meta": TEMPLATE_META,
        "template": about,
    }


def side_index(replicas: int) -> dict[str, Any]:
    """The index beside those of records: what is known of each, its notes and journals."""
    return {
        "settings": {
            "index": {"number_of_shards": 1, "number_of_replicas": replicas, **_SETTINGS}
        },
        "mappings": {
            "_meta": {"format": FORMAT},
            "dynamic": False,
            "properties": {
                "kind": {"type": "keyword"},
                "name": {"type": "keyword"},
                "probe": _WORD,
            },
        },
    }
