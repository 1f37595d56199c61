"""What a record looks like in its table.

Terms become tokens of letters and digits, which no parser of PostgreSQL's takes apart, and which
begin with the field that they stand in: one column holds all fields. A word that a stemmer changed
stands there a second time as it was, in a field of its own, for prefixes and fuzzy words.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from langchain_chroma_hybrid.lexical.filter_terms import filter_terms, numbers
from langchain_chroma_hybrid.lexical.texts import field_texts
from langchain_chroma_hybrid.lexical.tokens import SURFACE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_chroma_hybrid.core.values import Record
    from langchain_chroma_hybrid.lexical.tokens import Tokens
    from langchain_chroma_hybrid.lexical.words import Words

_MAX_KEY = 1_000  # bytes of an id, of which a B-tree holds 2,704
_MOST_BYTES = 900_000  # of one text in pg_textsearch, whose parser ends at 1,048,575


class Row(NamedTuple):
    """A record as it is written.

    Attributes:
        key: stands for the id.
        long_id: the id itself, where the key is a digest of it.
        digest: of the content, as a signed integer.
        terms: tokens in text order, see `in_order`, and a dot between texts.
        indexed: tokens for pg_textsearch, which cannot take very many.
        words: the distinct tokens, unstemmed ones among them, in the order of their bytes.
        counts: how often each is there; 0 for unstemmed ones.
        lengths: tokens of each field.
        facts: what filters look for.
        numbers: what ranges are compared with, as JSON.
    """

    key: bytes
    long_id: bytes | None
    digest: int
    terms: str
    indexed: str
    words: str
    counts: str
    lengths: str
    facts: str
    numbers: str


def in_order(tokens: Sequence[str]) -> str:
    """Tokens as phrases are looked for: each between spaces of its own."""
    return f" {'  '.join(tokens)} " if tokens else ""


def key_of(record_id: str) -> bytes:
    """What stands for an id: itself, or a digest where it is too long for an index."""
    encoded = record_id.encode("utf-8", "surrogatepass")
    if len(encoded) <= _MAX_KEY:
        return encoded
    # 0xFF begins no UTF-8: no id is like it.
    return b"\xff" + blake2b(encoded, digest_size=20).digest()


def row(record: Record, digest: str, words: Words, tokens: Tokens) -> Row:
    """The record in its table; `digest` is its own, see `core.values.digest`."""
    found: list[list[str]] = []
    surface: set[str] = set()
    lengths = [0 for _ in tokens.fields]
    for field, name in enumerate(tokens.names):
        for text in field_texts(record, name):
            terms, changed = words.of(text)
            found.append([tokens.token(field, term) for term in terms.split(" ") if term])
            surface.update(changed.split())
            lengths[field] += len(found[-1])
    counts = Counter(chain.from_iterable(found))
    distinct = sorted({*counts, *(tokens.token(SURFACE, word) for word in surface)})
    key, encoded = key_of(record.id), record.id.encode()
    return Row(
        key,
        None if key == encoded else encoded,
        int.from_bytes(bytes.fromhex(digest), signed=True),
        ".".join(map(in_order, found)),
        " ".join(_bounded(counts, [*chain.from_iterable(found)])),
        " ".join(distinct),
        " ".join(str(counts[token]) for token in distinct),
        " ".join(map(str, lengths)),
        " ".join(filter_terms(record.metadata)),
        json.dumps(numbers(record.metadata)),
    )


def _bounded(counts: Mapping[str, int], tokens: list[str]) -> Iterable[str]:
    """The tokens, without the last ones where they are more than one text may have."""
    if sum(map(len, counts)) + 16 * len(tokens) < _MOST_BYTES:
        return tokens
    size, kept = 0, dict[str, int]()
    for token in counts:
        size += len(token) + 8 + 2 * min(counts[token], 255)
        if size > _MOST_BYTES:
            break
        kept[token] = 0
    return (token for token in tokens if token in kept)


def lock_number(*names: str) -> int:
    """A number for an advisory lock."""
    return int.from_bytes(blake2b("\0".join(names).encode(), digest_size=8).digest(), signed=True)
