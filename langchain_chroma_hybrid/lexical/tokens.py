"""Terms as tokens, which say the field that they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SURFACE = 36**2 - 1
"""The number of the field of unstemmed words."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_REMEMBERED = 1 << 16


class Tokens:
    """Terms as tokens, of one field or of all. Immutable."""

    def __init__(self, lexical_fields: Mapping[str, float]) -> None:
        self.names = sorted(lexical_fields)
        self.boosts = [lexical_fields[name] for name in self.names]
        self.fields = range(len(self.names))
        self._known: dict[tuple[int, str], str] = {}

    def token(self, field: int, term: str) -> str:
        """One term of one field."""
        known = self._known.get((field, term))
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[field, term] = self.made(field, term)
        return known

    @staticmethod
    def made(field: int, term: str) -> str:
        """The token of a term, which an engine may have its own way to spell."""
        where = _DIGITS[field // 36] + _DIGITS[field % 36]
        # All three together: of ASCII, letters or digits, none of them upper case.
        plain = term.isascii() and term.isalnum() and term == term.lower()
        return f"x{where}{term}" if plain else f"y{where}{_spelled(term)}"

    def everywhere(self, term: str) -> list[str]:
        """One term in each field that is searched."""
        return [self.token(field, term) for field in self.fields]

    def beginning(self, field: int, prefix: str) -> list[tuple[str, str]]:
        """From where, and up to where, the tokens of a field are that begin so."""
        where = _DIGITS[field // 36] + _DIGITS[field % 36]
        found = [f"y{where}{_spelled(prefix)}"]
        if (own := self.token(field, prefix)) not in found:
            found.append(own)
        return [(each, f"{each}~") for each in found]

    @staticmethod
    def field(token: str) -> int:
        """The number of the field that a token stands in."""
        return 36 * _DIGITS.index(token[1]) + _DIGITS.index(token[2])

    def boost(self, token: str) -> float:
        """That of its field."""
        field = self.field(token)
        return 1.0 if field == SURFACE else self.boosts[field]

    @staticmethod
    def term(token: str) -> str:
        """The term of a token."""
        return token[3:] if token[0] == "x" else bytes.fromhex(token[3:]).decode()


def _spelled(term: str) -> str:
    return term.encode("utf-8", "surrogatepass").hex()
