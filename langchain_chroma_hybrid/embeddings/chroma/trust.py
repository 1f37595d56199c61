"""Which models may be loaded although only a database names them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from langchain_chroma_hybrid.core.keywords import known_keywords
from langchain_chroma_hybrid.embeddings.text.loading import looks_like_path
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

_EXPECTED = "names of models, folders, or True for everything"


@dataclass(frozen=True, slots=True)
class TrustedModels:
    """What somebody said, in code, that a collection may name. Adds up with `|`.

    Attributes:
        names: Hub names, `name@revision`, names of Chroma's embedding functions, and paths that
            are meant exactly.
        folders: absolute; what lies below them is meant, too.
        everything: whatever a collection names.
    """

    names: frozenset[str] = frozenset()
    folders: frozenset[Path] = frozenset()
    everything: bool = False

    @classmethod
    def of(cls, given: object) -> TrustedModels:
        """From an argument: None, True, a name, a folder, or several of those.

        A string is a folder if it looks like a path or is one here, else a name.

        Raises:
            InvalidArgumentError: something else.
        """
        if given is None:
            return cls()
        if isinstance(given, TrustedModels):
            return given
        if given is True:
            return cls(everything=True)
        if isinstance(given, str | os.PathLike):
            return cls._of_one(given)
        if not isinstance(given, Iterable) or isinstance(given, bytes):
            raise InvalidArgumentError.of("trust_stored_models", given, _EXPECTED)
        found = cls()
        for one in given:
            found |= cls.of(one) if one is True else cls._of_one(one)
        return found

    @classmethod
    def _of_one(cls, given: object) -> TrustedModels:
        text = os.fspath(given) if isinstance(given, str | os.PathLike) else None
        if not isinstance(text, str) or not text.strip() or "\0" in text:
            raise InvalidArgumentError.of("trust_stored_models", given, _EXPECTED)
        path = Path(text).expanduser()
        if isinstance(given, str) and not looks_like_path(text) and not path.is_dir():
            return cls(names=frozenset({text}))
        # What a collection stores is resolved; what is below a link is named either way.
        return cls(folders=frozenset({path.absolute(), path.resolve()}))

    def __or__(self, other: TrustedModels) -> TrustedModels:
        return TrustedModels(
            self.names | other.names,
            self.folders | other.folders,
            self.everything or other.everything,
        )

    def covers(self, name: str, revision: str | None = None) -> bool:
        """Whether the model of that Hub name or absolute path is meant."""
        if self.everything or wanted(name, revision) in self.names:
            return True
        path = Path(name)
        if not any(path.is_relative_to(folder) for folder in self.folders):
            return False  # without a look at the disk, which may be a share on a network
        try:
            real = path.resolve()
        except (OSError, RuntimeError, ValueError):
            return False
        return any(real.is_relative_to(folder) for folder in self.folders)


NOBODY = TrustedModels()
"""Nothing is trusted."""


@known_keywords
def trust_stored_models(*models: str | os.PathLike[str] | bool) -> None:
    """Say, for this process, which models may be loaded because a collection names them.

    ```python
    trust_stored_models("all-MiniLM-L6-v2", "/models/")
    ```

    Whoever can write to a database chooses what it names. So nothing is loaded by that alone, but
    for models of this process' own `to_chroma`; and never from pickles, nor with code that comes
    with a model: for those, open the collection with embeddings of your own. May be called again;
    what it says adds up.

    Args:
        *models: Hub names as the collection has them, `name@revision` where it names a revision;
            folders, which stand for all models in them; names of Chroma's own embedding functions
            such as `"openai"`, with whatever options the database gives; or `True` for everything.

    Raises:
        InvalidArgumentError: none, or something else.
    """
    global _here  # noqa: PLW0603 - what the process was told
    if not models:
        raise InvalidArgumentError.of("trust_stored_models", models, _EXPECTED)
    given = TrustedModels.of(models)
    with _lock:
        _here |= given


def trust_exactly(name: str, revision: str | None) -> None:
    """This process loads that very model by its own choice."""
    global _here  # noqa: PLW0603 - what the process was told
    with _lock:
        _here |= TrustedModels(names=frozenset({wanted(name, revision)}))


def is_trusted(name: str, trusted: TrustedModels, revision: str | None = None) -> bool:
    """Whether this process, or `trusted`, says that a collection may name it."""
    return (trusted | _here).covers(name, revision)


def require_trust(name: str, revision: str | None, trusted: TrustedModels) -> None:
    """Refuse a model that nobody but a database named.

    Raises:
        EmbeddingError: neither this process nor `trusted` covers it; says what to write.
    """
    if not is_trusted(name, trusted, revision):
        raise EmbeddingError(
            f"only the collection's database names the embedding model {name!r}, so it is not "
            f"loaded: write langchain_chroma_hybrid.trust_stored_models({wanted(name, revision)!r})"
            ", or open the collection with embeddings of your own"
        )


def wanted(name: str, revision: str | None) -> str:
    """What has to be trusted. Anybody may add revisions to a model of the Hub: refs/pr/1."""
    return name if revision is None or Path(name).is_absolute() else f"{name}@{revision}"


_lock = threading.Lock()
_here = NOBODY
