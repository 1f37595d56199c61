"""Folders that cannot be used as they are, and how one gets rid of them."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from langchain_chroma_hybrid.core.analysis.analyzer import Analyzer
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import (
    AnalyzerMismatchError,
    IndexFormatError,
    IndexLockedError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.tantivy.index import TantivyIndex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "index"
    index = TantivyIndex(path)
    index.apply([Record(f"r{n}", f"some word{n}", {"n": n}) for n in range(50)])
    index.apply([], ["r7"])
    index.close()
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".lock"}


def newer(folder: Path) -> None:
    content = json.loads((folder / "format.json").read_text())
    (folder / "format.json").write_text(json.dumps({**content, "format": 99}))


def cut(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for file in folder.glob(pattern):
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return damage


def remove(pattern: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        for file in folder.glob(pattern):
            file.unlink()

    return damage


def overwrite(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content) and None


DAMAGES = {
    "newer": newer,
    "no format": remove("format.json"),
    "no meta": remove("meta.json"),
    "no store": remove("*.store"),
    "no terms": remove("*.term"),
    "no fast": remove("*.fast"),
    "no deletes": remove("*.del"),
    "all segments gone": remove("*.*[!n]"),
    "garbled format": overwrite("format.json", "{nonsense"),
    "format of another kind": overwrite("format.json", "[1, 2]"),
    "format without fields": overwrite("format.json", '{"format": 1}'),
    "garbled meta": overwrite("meta.json", "\0\0"),
    "empty meta": overwrite("meta.json", ""),
    "cut store": cut("*.store"),
    "cut terms": cut("*.term"),
    "cut fast": cut("*.fast"),
    "cut postings": cut("*.idx"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_an_error_that_names_the_way_out(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder)
    before = contents(folder)
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)") as raised:
        TantivyIndex(folder)
    assert str(folder) in str(raised.value)
    assert contents(folder) == before
    TantivyIndex.destroy(folder)
    assert not folder.exists()
    TantivyIndex(folder).close()


def test_another_analyzer_or_other_fields(folder: Path) -> None:
    with pytest.raises(AnalyzerMismatchError, match=r"english.*french.*rebuild\(\)"):
        TantivyIndex(folder, analyzer=Analyzer("french"))
    with pytest.raises(AnalyzerMismatchError, match=r"page_content.*title.*rebuild\(\)"):
        TantivyIndex(folder, lexical_fields={"page_content": 1, "title": 1})
    assert TantivyIndex(folder).count() == 49


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file" / "index"):
        with pytest.raises(LexicalIndexError):
            TantivyIndex(path)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(IndexFormatError):
        TantivyIndex(tmp_path)
    for file in tmp_path.glob("*.lock"):
        file.unlink()
    with pytest.raises(LexicalIndexError, match=r"letter\.txt"):
        TantivyIndex.destroy(tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_creation_that_was_killed_is_finished(folder: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    TantivyIndex(half).close()
    (half / "format.json").unlink()
    (half / ".tmp-1-format.json").write_text("{")
    (half / "journal").mkdir()
    index = TantivyIndex(half)
    index.apply([Record("a", "cat")])
    assert index.count() == 1
    assert not list(half.glob(".tmp*"))
    assert (half / "journal").is_dir()


def test_leftovers_are_swept_by_the_next_writer(folder: Path) -> None:
    (folder / ".tmpAbC123").write_text("torn")
    index = TantivyIndex(folder)
    assert (folder / ".tmpAbC123").exists()
    index.apply([Record("a", "cat")])
    assert not (folder / ".tmpAbC123").exists()


def test_a_folder_that_vanishes_under_a_reader(folder: Path) -> None:
    index = TantivyIndex(folder)
    TantivyIndex.destroy(folder)
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)"):
        index.count()
    rebuilt = TantivyIndex(folder)
    rebuilt.apply([Record("a", "cat")])
    assert index.count() == 1
    TantivyIndex.destroy(folder)
    TantivyIndex(folder, analyzer=Analyzer("german")).close()
    with pytest.raises(AnalyzerMismatchError):
        index.count()


def test_destroy_is_idempotent(folder: Path) -> None:
    (folder / "journal").mkdir()
    (folder / "journal" / "1.json").write_text("{}")
    TantivyIndex.destroy(folder)
    TantivyIndex.destroy(folder)
    assert not folder.exists()


def test_a_lock_that_is_held_too_long(folder: Path) -> None:
    holder, other = TantivyIndex(folder), TantivyIndex(folder, lock_timeout=0.05)
    with holder.locked():
        with pytest.raises(IndexLockedError):
            other.apply([Record("a", "cat")])
        with pytest.raises(TimeoutError):
            TantivyIndex.destroy(folder, lock_timeout=0.05)
        assert other.count() == 49
    other.apply([Record("a", "cat")])
    assert holder.count() == 50


def test_threads_wait_for_each_other(folder: Path) -> None:
    index = TantivyIndex(folder)

    def write(name: str) -> None:
        for n in range(4):
            index.apply([Record(f"{name}{n}", "zebra")])

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(index.search("zebra", 100)) == 12


def test_errors_inside_locked_pass_unchanged(folder: Path) -> None:
    index = TantivyIndex(folder)
    for error in (ValueError("mine"), OSError("mine"), KeyError("mine")):
        with pytest.raises(type(error), match="mine") as raised, index.locked():
            raise error
        assert raised.value is error
