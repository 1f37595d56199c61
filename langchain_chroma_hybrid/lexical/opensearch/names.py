"""Names of indices, aliases and the template."""

from __future__ import annotations

import re
from dataclasses import dataclass

from langchain_chroma_hybrid.errors import InvalidArgumentError

PREFIX = "chroma-hybrid"
_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_NAME = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True, slots=True)
class Names:
    """Of one index. No name of another prefix or index begins like one of these and a dot."""

    prefix: str
    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.prefix, str) or not _PREFIX.fullmatch(self.prefix):
            expected = "at most 64 of a-z, 0-9, - and _, beginning with a letter or digit"
            raise InvalidArgumentError.of("prefix", self.prefix, expected)
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise InvalidArgumentError.of("name", self.name, "at most 64 of a-z, 0-9 and _")

    @property
    def alias(self) -> str:
        """What is searched and written."""
        return f"{self.prefix}.{self.name}"

    @property
    def side(self) -> str:
        """Where it is noted what is known of all indices of the prefix."""
        return f"{self.prefix}.-side"

    def generation(self, number: str) -> str:
        """An index behind the alias."""
        return f"{self.alias}.{number}"
