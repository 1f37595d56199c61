"""Tell chromadb about our embedding functions without importing chromadb before the user does."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_REGISTRY = "chromadb.utils.embedding_functions"
_OURS = ("bridge", "sparse")


def register_with_chroma() -> None:
    """Register now if chromadb is loaded, else when it is. Takes microseconds; may be called again.

    chromadb finds no plug-ins by itself, and importing it takes most of a second, which somebody
    who wants an analyzer only need not pay.
    """
    if _REGISTRY in sys.modules:
        _register()
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())


class _AfterImport(MetaPathFinder):
    """Finds nothing itself; lets the registry's own loader run, then registers."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - Python's protocol
        target: ModuleType | None = None,  # noqa: ARG002 - Python's protocol
    ) -> ModuleSpec | None:
        if fullname != _REGISTRY or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _register()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _register() -> None:
    for name in _OURS:  # registers at its end, also when it is what is importing chromadb
        import_module(f"{__package__}.{name}")
