"""Every error that this package raises on its own account.

ChromaHybridError
├── InvalidArgumentError (ValueError)          a value that cannot be used: names it, got, expected
│   ├── FilterError                            a malformed `where` / `where_document`
│   ├── EmbeddingError                         vectors of the wrong count, shape or content
│   ├── IndexBoundError                        a lexical index that belongs to another collection
│   ├── ModelChangedError                      another model has filled the collection
│   ├── MediaError                             a sound or video that cannot be read or be opened
│   │   └── PictureError                       the same of a picture
│   ├── DocumentError                          a file that cannot be read into documents
│   └── ToolArgumentError                      what a model gave a tool; says how to mend it
├── UnknownArgumentError (TypeError)           a keyword that nothing would have read
├── MissingDependencyError (ImportError)       an extra is not installed; says the pip line
├── CollectionError (LookupError, ValueError)  the Chroma collection is gone or was never there
├── LexicalIndexError (RuntimeError)           the lexical index on disk cannot be used as it is
│   ├── IndexFormatError                       damaged, half deleted, or written by a newer version
│   ├── AnalyzerMismatchError                  built with another analyzer or other fields
│   └── IndexLockedError (TimeoutError)        another process kept the writer lock too long
├── TornCollectionError (RuntimeError)         Chroma cannot read a collection's vector files
├── RescueError (RuntimeError)                 a rescue has stopped; nothing has changed
├── SearchError (RuntimeError)                 no leg of a query could answer, or no server
├── NotPicklableError (TypeError)              a store or retriever belongs to its process
└── WriteError (RuntimeError)                  a write stopped half-way; `written` has what is in

ChromaHybridWarning (UserWarning)              something that was given has no effect
"""

from __future__ import annotations

import reprlib
from collections.abc import Awaitable
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Number
from pathlib import PurePath
from types import NoneType
from typing import TYPE_CHECKING, Self
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Sequence


class ChromaHybridError(Exception):
    """Base of all errors of `langchain_chroma_hybrid`."""


class ChromaHybridWarning(UserWarning):
    """Something that was given has no effect here; `warnings` filters can hide or raise it."""


class InvalidArgumentError(ChromaHybridError, ValueError):
    """An argument has a value that cannot be used."""

    @classmethod
    def of(cls, name: str, got: object, expected: str) -> Self:
        """Build the one message form: argument, what was expected, what was got."""
        return cls(f"{name}: expected {expected}, got {shown(got)}")

    @classmethod
    def of_kind(cls, name: str, got: object, expected: str) -> Self:
        """The same for what must not stand in a message: only what kind of value it is."""
        return cls(f"{name}: expected {expected}, got {kind_of(got)}")


class FilterError(InvalidArgumentError):
    """A `where` or `where_document` that Chroma's filter language does not know."""


class EmbeddingError(InvalidArgumentError):
    """An embedding function returned something that is not one finite vector per text."""


class IndexBoundError(InvalidArgumentError):
    """A lexical index belongs to another collection.

    Attributes:
        collection: the id of that one.
        place: its folder or server.
    """

    def __init__(self, message: str, collection: str = "", place: str = "") -> None:
        super().__init__(message)
        self.collection, self.place = collection, place


class ModelChangedError(InvalidArgumentError):
    """The embeddings are not of the model that has filled the collection."""


class MediaError(InvalidArgumentError):
    """A sound or video that cannot be read, is over a limit, or at a place not allowed."""


class PictureError(MediaError):
    """A picture that cannot be read, is damaged, over a limit, or at a place not allowed."""


class DocumentError(InvalidArgumentError):
    """A file that cannot be read into documents: encrypted, broken, of another encoding."""


class ToolArgumentError(InvalidArgumentError):
    """What a model gave a tool cannot be used; the message is for the model, and says what can."""


class UnknownArgumentError(ChromaHybridError, TypeError):
    """A keyword argument that nothing would have read."""


class MissingDependencyError(ChromaHybridError, ImportError):
    """A package of an optional extra is not installed."""


class CollectionError(ChromaHybridError, LookupError, ValueError):
    """The Chroma collection does not exist (any more).

    A ValueError, too, because that is what `langchain_chroma` raises then.
    """


class LexicalIndexError(ChromaHybridError, RuntimeError):
    """The lexical index cannot be used as it is; nothing in Chroma is affected."""


class IndexFormatError(LexicalIndexError):
    """The index folder is damaged, incomplete or of a format this version does not read."""


class AnalyzerMismatchError(LexicalIndexError):
    """The index was built with another analyzer or other `lexical_fields`."""


class IndexLockedError(LexicalIndexError, TimeoutError):
    """Another process held the writer lock for longer than the settable wait."""


class TornCollectionError(ChromaHybridError, RuntimeError):
    """Chroma cannot read a collection's vector files; `rescue` makes a whole copy of its folder."""


class RescueError(ChromaHybridError, RuntimeError):
    """A rescue has stopped: the old folder is as it was, and there is no new one."""


class SearchError(ChromaHybridError, RuntimeError):
    """No leg of a query could answer, or Chroma's server did not; the causes are chained."""


class NotPicklableError(ChromaHybridError, TypeError):
    """A store or retriever holds a client and files of this process; make another one there."""


class WriteError(ChromaHybridError, RuntimeError):
    """A write stopped half-way.

    Attributes:
        written: ids that Chroma holds from this call; both halves agree on them.
    """

    def __init__(self, message: str, written: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.written = tuple(written)


def kind_of(value: object) -> str:
    """What kind of value it is, for what must not stand in a message, such as document text."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    kind = f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
    if isinstance(value, str | bytes):
        return f"{kind} of length {len(value)}"
    if isinstance(value, Awaitable):
        return f"{kind} that has to be awaited first"
    return "None" if value is None else kind


class _Plain(reprlib.Repr):
    """Plain values as they are written; of all others the kind, since they may hold texts."""

    _PLAIN = (str, bytes, Number, NoneType, Enum, date, time, timedelta, Decimal, PurePath, UUID)

    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 40
        self.maxstring = self.maxlong = 10_000  # `shown` cuts, and says how long it is

    def repr_instance(self, x: object, level: int) -> str:
        """What is in no container, and no plain text or number."""
        del level
        if isinstance(x, self._PLAIN) or type(x).__module__ == "numpy":
            return repr(x)
        name = getattr(x, "__name__", None)
        function = callable(x) and name is not None and not isinstance(x, type)
        return f"the function {name}" if function else kind_of(x)


def shown(value: object, limit: int = 120) -> str:
    """A value as messages show it, cut to `limit` characters."""
    try:
        text = _Plain().repr(value)
    except ValueError:  # an int of thousands of digits has no decimal form
        text = f"a huge {type(value).__name__}"
    except Exception:  # noqa: BLE001  # what cannot be shown is named, or the error would be lost
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
