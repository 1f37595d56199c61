"""What PyPI shows of README.md: without links into the repository, which lead nowhere there."""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#]*)[^)]*\)")


class Readme(MetadataHookInterface):
    """Links to files become their paths in the source archive, links within the page their text."""

    def update(self, metadata: dict) -> None:
        """Set the long description."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": LINK.sub(plain, text)}


def plain(link: re.Match[str]) -> str:
    """A link in words."""
    words, path = link.groups()
    return f"`{path}`" if path == words else f"{words} (`{path}`)" if path else words
