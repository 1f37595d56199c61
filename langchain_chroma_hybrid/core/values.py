"""Records, and an id with its score: what all rooms speak of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Scalar: TypeAlias = str | int | float | bool
MetadataValue: TypeAlias = Scalar | Sequence[Scalar]
Metadata: TypeAlias = Mapping[str, MetadataValue]

LLAMA_NODE = "_node_content"
"""Metadata key under which LlamaIndex keeps the whole node."""

OWN_KEYS = "chroma_hybrid_"
"""Metadata keys that begin so are ours: put into copies, never stored."""

LEXICAL = "lexical"
VECTOR = "vector"
LISTING = "listing"
"""What answers a blank query: the first records that pass the filter."""
FUSED = "fused"
"""Both legs in one, where the server that has them fuses them itself."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as Chroma holds it, without its vector.

    `text` is None for records that have only a URI; `metadata` is empty, never None.
    """

    id: str
    text: str | None
    metadata: Metadata = field(default_factory=dict)
    uri: str | None = None


def digest(record: Record) -> str:
    """16 hex digits over text and metadata; equal content gives equal digests everywhere."""
    content = json.dumps([record.text, record.metadata], sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


class Scored(NamedTuple):
    """An id and its score in one leg. Which direction is better belongs to the leg."""

    id: str
    score: float
