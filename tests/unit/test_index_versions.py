"""Folders of older versions, and such as look like them, at the level of one index."""

from __future__ import annotations

import json
import pickle
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from langchain_chroma_hybrid import Analyzer, TantivyIndex
from langchain_chroma_hybrid.core.analysis.analyzer import RULES
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.errors import (
    IndexFormatError,
    IndexLockedError,
    InvalidArgumentError,
    LexicalIndexError,
)
from langchain_chroma_hybrid.lexical.tantivy import folder as folders
from tests.old_index import FIELDS, OLD, RECORDS, WITHOUT_TEXT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return shutil.copytree(OLD / "format-1", tmp_path / "index")


def opened(path: Path, **options: Any) -> TantivyIndex:
    return TantivyIndex(path, **{"lexical_fields": FIELDS, **options})


def upgraded(path: Path) -> TantivyIndex:
    index = opened(path)
    with index.successor() as new, index.locked():
        new.apply(RECORDS)
        index.switch()
    return index


def found(index: TantivyIndex, query: str) -> list[str]:
    return sorted(hit.id for hit in index.search(query, 20))


def change(path: Path, **values: object) -> None:
    content = json.loads((path / "format.json").read_text("utf-8"))
    (path / "format.json").write_text(json.dumps({**content, **values}))


def test_an_old_folder_is_read_and_written_as_it_was_made(old: Path) -> None:
    index = opened(old)
    assert index.outdated
    assert index.count() == len(RECORDS)
    assert found(index, "pumps") == sorted(found(upgraded(old), "pumps"))
    reference = opened(shutil.copytree(OLD / "format-1", old.with_name("other")))
    reference.apply([Record("more", "one more pump")], ["pump"])
    assert "more" in found(reference, "pump")
    assert "pump" not in found(reference, "pump")
    assert reference.outdated
    assert json.loads((reference.path / "format.json").read_text("utf-8"))["format"] == 1


@pytest.mark.parametrize("make", [opened, upgraded])
def test_what_has_no_text_is_told_in_one_call(old: Path, make: Any) -> None:
    index = make(old)
    assert index.without_text() == WITHOUT_TEXT
    asked = ["pump", "titled", "wordless", "signs", "unknown"]
    assert index.without_text(asked) == {"wordless", "signs"}
    assert index.without_text([]) == frozenset()
    index.apply([Record("wordless", "now it has words"), Record("valve", None, {"year": 1})])
    assert index.without_text() == WITHOUT_TEXT - {"wordless"} | {"valve"}
    assert list(index.unused_fields()) == []


def test_the_switch_is_seen_by_who_has_it_open(old: Path) -> None:
    reader, writer = opened(old), opened(old)
    begun = iter(reader.ids())
    first = next(begun)
    index = upgraded(old)
    assert not index.outdated
    assert {first, *begun} == {record.id for record in RECORDS}
    assert found(reader, "pumps") == found(index, "pumps")
    assert not reader.outdated
    writer.apply([Record("more", "one more pump")])
    assert not writer.outdated
    assert "more" in found(reader, "pump")
    assert "more" in found(index, "pump")
    assert index.foreign_commits() == 1
    assert [p.name for p in old.glob("*.store")] == []


def test_one_at_a_time_has_the_successor(old: Path) -> None:
    index, other = opened(old), opened(old)
    with index.successor() as new:
        with pytest.raises(IndexLockedError), other.successor():
            pass
        new.apply(RECORDS[:3])
    with other.successor() as new:
        assert new.count() == 3, "a half-built one is gone on with"
        other.switch()
    for each in (index, other, opened(old.with_name("new"))):
        with pytest.raises(IndexLockedError), each.successor():
            pass


@pytest.mark.parametrize("spoil", ["meta.json", "format.json"])
def test_a_successor_that_makes_no_sense_is_begun_anew(old: Path, spoil: str) -> None:
    index = opened(old)
    with index.successor() as new:
        new.apply(RECORDS[:3])
        path = new.path
    (path / spoil).write_text("{")
    with index.successor() as new:
        assert new.count() == 0


def test_a_switch_to_what_was_made_anew_meanwhile_changes_nothing(old: Path) -> None:
    index, other = opened(old), opened(old)
    with index.successor() as new:
        new.apply(RECORDS[:3])
        other.clear()
        other.apply(RECORDS)
        index.switch()
    assert index.count() == other.count() == len(RECORDS)
    other.apply([], ["pump"])
    assert not list(old.glob("built-*"))


@pytest.mark.parametrize("name", ["..", "../index", "/", "built-", "journal", 7, None,
                                  "built-" + "g" * 16, "built-0123456789abcdef/.."])  # fmt: skip
def test_the_format_file_leads_nowhere_else(old: Path, name: object) -> None:
    change(old, format=2, folder=name)
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)"):
        opened(old)


def test_a_link_is_not_followed(old: Path, tmp_path: Path) -> None:
    index = opened(old)
    with index.successor() as new:
        path = new.path
    TantivyIndex.destroy(path)
    (tmp_path / "elsewhere").mkdir()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LexicalIndexError, match="link"), index.successor():
        pass
    change(old, format=2, folder=path.name)
    with pytest.raises(IndexFormatError):
        opened(old)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("version", [0, -1, "x", None, [], 2**70, 1.5])
def test_versions_that_are_none(old: Path, version: object) -> None:
    change(old, format=version)
    if version == 1.5:
        assert opened(old).count() == len(RECORDS)  # as JSON numbers go
        return
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)"):
        opened(old)


@pytest.mark.parametrize("fingerprint", ["", "english", "x:english", ":", "²:english"])
def test_fingerprints_that_are_none(old: Path, fingerprint: str) -> None:
    change(old, analyzer=fingerprint)
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)"):
        opened(old)


def test_a_folder_goes_with_all_that_is_in_it(old: Path) -> None:
    index = upgraded(old)
    index.close()
    (old / "built-0123456789abcdef").mkdir()
    TantivyIndex.destroy(old)
    assert not old.exists()


def test_no_file_of_somebody_else_goes_with_it(old: Path) -> None:
    index = upgraded(old)
    (letter,) = (path / "letter.txt" for path in old.glob("built-*"))
    letter.write_text("mine")
    with pytest.raises(LexicalIndexError, match=r"letter\.txt"):
        TantivyIndex.destroy(old)
    assert letter.read_text() == "mine"
    assert index.count() == len(RECORDS)


@pytest.mark.parametrize("make", [opened, upgraded])
def test_clearing_makes_an_index_of_today(old: Path, make: Any) -> None:
    index, other = make(old), opened(old)
    index.clear()
    assert index.count() == other.count() == 0
    assert not other.outdated
    other.apply(RECORDS)
    assert index.without_text() == WITHOUT_TEXT
    assert not list(old.glob("built-*"))


def test_a_reader_without_rights_sees_what_others_commit(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = opened(old)
    rights = {"may write": False}
    monkeypatch.setattr(folders, "is_writable", lambda _: rights["may write"])
    reader = opened(old)
    assert found(reader, "pumps") == found(writer, "pumps")
    for n in range(12):
        writer.apply([Record(f"more{n}", "one more pump")])
        assert f"more{n}" in found(reader, "pump")
    rights["may write"] = True
    with writer.successor() as new, writer.locked():
        new.apply([Record("only", "one pump")])
        writer.switch()
    rights["may write"] = False
    assert found(reader, "pump") == ["only"]
    assert not reader.outdated


def test_the_version_of_the_rules() -> None:
    newest = Analyzer()
    assert newest.version == max(RULES)
    assert newest.fingerprint.startswith(f"{newest.version}:")
    for version in RULES:
        analyzer = Analyzer("german", stop_words=["und"], version=version)
        for same in (analyzer, pickle.loads(pickle.dumps(analyzer)), newest.by_rules(version)):  # noqa: S301  # its own
            assert same.version == version
        assert pickle.loads(pickle.dumps(analyzer)).fingerprint == analyzer.fingerprint  # noqa: S301  # its own
    # Rules that are no more are stood for by the nearest.
    assert newest.by_rules(min(RULES) - 1).version == min(RULES)
    with pytest.raises(InvalidArgumentError, match="version: expected None or one of"):
        Analyzer(version=max(RULES) + 1)


def test_the_rules_of_today_index_as_those_that_made_the_old_folder(old: Path) -> None:
    """Rules 3 must stay as they are: whoever changes them adds a version."""
    index, fresh = opened(old), TantivyIndex(lexical_fields=FIELDS, analyzer=Analyzer(version=3))
    fresh.apply(RECORDS)
    texts = [text for r in RECORDS for text in (r.text, r.metadata.get("title")) if text]
    for text in texts:
        for syntax in ("plain", "simple"):
            assert index.search(text, 20, syntax=syntax) == fresh.search(text, 20, syntax=syntax)


@pytest.mark.parametrize("function", [str.split, str.lower])
def test_methods_of_builtin_types_have_a_name(function: Any) -> None:
    fingerprint = Analyzer(preprocess_func=function).fingerprint
    assert fingerprint.endswith(f":preprocess:builtins.{function.__qualname__}")
