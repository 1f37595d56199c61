"""What PyPI shows of README.md: without links into the repository, which lead nowhere there."""

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

PICTURE = re.compile(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*")
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#]*)[^)]*\)")


class Readme(MetadataHookInterface):
    """Files become paths in the source archive, links within the page text, pictures nothing."""

    def update(self, metadata: dict) -> None:
        """Set the long description."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = PICTURE.sub("", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": LINK.sub(plain, text)}


def plain(link: re.Match[str]) -> str:
    """A link in words."""
    words, path = link.groups()
    return f"`{path}`" if path == words else f"{words} (`{path}`)" if path else words
