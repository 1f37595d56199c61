"""Text as a terminal may have it; imports nothing, so that `--help` can use it."""

__all__ = ["one_line", "printable"]


def one_line(text: str) -> str:
    """Without line breaks and tabs."""
    return " ".join(text.split())


def printable(text: str) -> str:
    """Without control characters: what a document holds must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
