"""Names of indices, aliases and the template."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, replace
from hashlib import blake2b

from langchain_chroma_hybrid.errors import InvalidArgumentError

PREFIX = "chroma-hybrid"
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Names:
    """Of one index. No name of another prefix or index begins like one of these and a dot.

    Attributes:
        part: says which one is meant that is built beside it.
    """

    prefix: str
    name: str
    part: str = ""

    def __post_init__(self) -> None:
        if not is_prefix(self.prefix):
            expected = "at most 64 of a-z, 0-9, - and _, beginning with a letter or digit"
            raise InvalidArgumentError.of("prefix", self.prefix, expected)
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidArgumentError.of("name", self.name, "at most 64 of a-z, 0-9 and _")

    @property
    def alias(self) -> str:
        """What somebody else may search."""
        return f"{self.prefix}.{self.name}"

    @property
    def key(self) -> str:
        """Under which it is noted what is known of it."""
        return self.name + self.part

    @property
    def side(self) -> str:
        """Where it is noted what is known of all indices of the prefix."""
        return f"{self.prefix}.-side"

    @property
    def every(self) -> str:
        """All indices that are or were behind the alias, or are to be."""
        return f"{self.alias}.*"

    def new_generation(self) -> str:
        """A name for one of them."""
        return f"{self.alias}.{uuid.uuid4().hex}"

    def successor(self, built: str) -> Names:
        """Of the one that is built beside it in one way, the same for every process."""
        digest = blake2b(built.encode(), digest_size=8).hexdigest()
        return replace(self, part=f".next-{digest}")


def is_prefix(prefix: object) -> bool:
    """Whether names can begin with it."""
    return isinstance(prefix, str) and _PREFIX.fullmatch(prefix) is not None


def writable(generation: str) -> str:
    """What is written to: an alias of one index alone, so that none is made by a write."""
    return f"{generation}.write"
