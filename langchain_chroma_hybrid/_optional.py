"""The one place where an optional extra is imported."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from langchain_chroma_hybrid.errors import MissingDependencyError

if TYPE_CHECKING:
    from types import ModuleType


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or say which extra brings it.

    Raises:
        MissingDependencyError: `module` is not installed; the message is the exact pip line.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingDependencyError(
            f"{module} is not installed: pip install 'langchain-chroma-hybrid[{extra}]'"
        ) from error
