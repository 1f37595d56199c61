"""Files as LangChain documents: text, Markdown, HTML, PDF, Word, CSV and JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_chroma_hybrid._lazy import loads

if TYPE_CHECKING:
    from langchain_chroma_hybrid.documents.incremental import Change, FileIndex
    from langchain_chroma_hybrid.documents.reading import SUFFIXES, ReadFile, read_files
    from langchain_chroma_hybrid.documents.record_manager import SqliteRecordManager
    from langchain_chroma_hybrid.documents.records import GivenRecord, read_records

__all__ = [
    "SUFFIXES",
    "Change",
    "FileIndex",
    "GivenRecord",
    "ReadFile",
    "SqliteRecordManager",
    "read_files",
    "read_records",
]

_MODULES = {
    "SUFFIXES": "reading",
    "Change": "incremental",
    "FileIndex": "incremental",
    "GivenRecord": "records",
    "ReadFile": "reading",
    "SqliteRecordManager": "record_manager",
    "read_files": "reading",
    "read_records": "records",
}

__getattr__ = loads(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
