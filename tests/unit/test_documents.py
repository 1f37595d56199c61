"""Files as documents: every kind, every way to be broken, and what is in folders."""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from langchain_chroma_hybrid.documents import (
    SUFFIXES,
    FileIndex,
    read_files,
    read_records,
    reading,
    text,
    word,
)
from langchain_chroma_hybrid.errors import InvalidArgumentError
from tests.files import BROKEN, docx, encrypted_pdf, paragraph, pdf, write_broken
from tests.helpers import make_store

TABLE = (
    "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>part</w:t></w:r></w:p></w:tc>"
    "<w:tc><w:p><w:r><w:t>price</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
)
PAGE = b"""<html><head><title>The &amp; manual</title><style>p {}</style></head>
<body><h1>Pumps</h1><p>A <b>red</b> pu<i>mp</i><br>runs</p><script>evil()</script></body></html>"""
GOOD = {
    "a.txt": (b"A red pump", ["A red pump"], {}),
    "a.md": (b"# Pumps\n\nA red pump", ["# Pumps\n\nA red pump"], {}),
    "a.markdown": (b"A red pump", ["A red pump"], {}),
    "a.TXT": (b"A red pump", ["A red pump"], {}),
    "a.html": (PAGE, ["Pumps\n\nA red pump\nruns"], {"title": "The & manual"}),
    "a.htm": ("<meta charset=latin-1>Zubehör".encode("latin-1"), ["Zubehör"], {}),
    "a.pdf": (pdf("A red pump", "", "A valve"), ["A red pump", "A valve"], {"page": [1, 3]}),
    "open.pdf": (lambda: encrypted_pdf(""), ["Secret pump"], {"page": 1}),
    "a.docx": (docx(paragraph("A red pump") + TABLE), ["A red pump\npart\n\tprice"], {}),
    "a.csv": (
        b"part,price\npump,12\nvalve,7\n",
        ["part: pump\nprice: 12", "part: valve\nprice: 7"],
        {"row": [1, 2]},
    ),
    "b.csv": (b'part;text\npump;"a ""red""; one"\n', ['a "red"; one'], {"part": "pump", "row": 1}),
    "a.jsonl": (b'{"text": "A red pump", "year": 2024}\n', ["A red pump"], {"year": 2024}),
    "a.ndjson": (b'{"page_content": "A pump", "metadata": {"l": ["a"]}}', ["A pump"], {"l": ["a"]}),
    "le.txt": (codecs.BOM_UTF16_LE + "Zubehör".encode("utf-16-le"), ["Zubehör"], {}),
    "mark.txt": (codecs.BOM_UTF8 + b"A red pump", ["A red pump"], {}),
}


def write(file: Path, content: object) -> Path:
    file.write_bytes(content() if callable(content) else content)  # type: ignore[arg-type]
    return file


def read(*paths: object, **options: object) -> list[reading.ReadFile]:
    return list(read_files(paths, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", GOOD)
def test_every_kind_is_read(name, tmp_path):
    content, texts, metadata = GOOD[name]
    file = write(tmp_path / name, content)
    (found,) = read(file)
    assert (found.state, found.problem) == ("read", None)
    documents = list(found.documents)
    assert ["".join(d.page_content.strip()) for d in documents] == texts
    for key, value in metadata.items():
        expected = value if isinstance(value, list) and key != "l" else [value] * len(texts)
        assert [d.metadata[key] for d in documents] == expected
    assert {d.metadata["source"] for d in documents} == {str(file)}
    assert {d.metadata["file_name"] for d in documents} == {name}
    assert list(found.documents) == documents, "it can be gone through twice"


def test_every_suffix_has_a_case_here():
    assert {Path(name).suffix.lower() for name in GOOD} == SUFFIXES


@pytest.mark.parametrize("name", BROKEN)
def test_whatever_is_broken_is_told_and_does_not_raise(name, tmp_path):
    good = write(tmp_path / "z.txt", b"A red pump")
    broken, after = read(write_broken(tmp_path, name), good)
    assert broken.state != "read"
    assert list(broken.documents) == []
    assert broken.problem.startswith(BROKEN[name][1]) or BROKEN[name][1] in broken.problem
    assert "\n" not in broken.problem
    assert after.state == "read"


def test_an_encoding_can_be_named(tmp_path):
    file = write(tmp_path / "a.txt", "Zubehör".encode("cp1252"))
    (found,) = read(file, encoding="cp1252")
    assert [d.page_content for d in found.documents] == ["Zubehör"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chunk_size": 0}, "chunk_size"),
        ({"chunk_size": "1"}, "chunk_size"),
        ({"chunk_overlap": -1}, "chunk_overlap"),
        ({"chunk_size": 10, "chunk_overlap": 10}, "chunk_overlap"),
        ({"encoding": "klingon"}, "encoding"),
        ({"encoding": None}, "encoding"),
    ],
)
def test_wrong_arguments_raise_at_once(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        read_files([], **options)


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html", "a.docx"])
def test_passages_are_where_they_say(name, tmp_path):
    words = " ".join(f"word{n}" for n in range(400))
    content = {
        "a.docx": docx(paragraph(words)), "a.html": f"<p>{words}</p>".encode(),
    }.get(name, words.encode())  # fmt: skip
    (found,) = read(write(tmp_path / name, content), chunk_size=200, chunk_overlap=50)
    documents = list(found.documents)
    assert len(documents) > 10
    for document in documents:
        assert len(document.page_content) <= 200
        start = document.metadata["start_index"]
        assert words[start : start + len(document.page_content)] == document.page_content


def test_pages_of_a_pdf_count_on(tmp_path):
    (found,) = read(write(tmp_path / "a.pdf", pdf("one", "two", "three")))
    starts = [d.metadata["start_index"] for d in found.documents]
    assert starts == sorted(set(starts))


# Folders


def test_a_folder_is_read_once_in_order_without_what_is_hidden(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    for name in ("b.txt", "a.md", ".hidden.txt", "~$open.docx", "x.xyz"):
        write(tmp_path / name, b"pump")
    write(inner / "c.txt", b"pump")
    (tmp_path / ".git").mkdir()
    write(tmp_path / ".git" / "d.txt", b"pump")
    found = read(tmp_path, tmp_path / "b.txt", inner)
    names = [file.path.name for file in found]
    assert names == ["a.md", "b.txt", "c.txt", "x.xyz"]
    assert [file.state for file in found] == ["read", "read", "read", "unsupported"]
    assert not any(file.named for file in found)


def test_links_lead_in_no_circle_and_not_out(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    secret = write(outside / "secret.txt", b"secret")
    folder = tmp_path / "folder"
    folder.mkdir()
    write(folder / "a.txt", b"pump")
    links = {"loop": folder, "out": outside, "same.txt": folder / "a.txt", "secret.txt": secret}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    (folder / "self.txt").symlink_to(folder / "self.txt")
    (folder / "gone.txt").symlink_to(folder / "nowhere.txt")
    found = {file.path.name: file for file in read(folder)}
    assert found["a.txt"].state == "read"
    assert found["secret.txt"].problem == "a link that leads out of the folder"
    assert {name for name, file in found.items() if file.state == "read"} == {"a.txt"}
    assert {file.state for file in found.values()} == {"read", "failed"}


def test_what_is_no_file_is_told_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (pipe,) = read(tmp_path / "pipe.txt")
    (gone,) = read(tmp_path / "gone.txt")
    empty = tmp_path / "empty"
    empty.mkdir()
    (nothing,) = read(empty)
    assert [f.problem for f in (pipe, gone, nothing)] == [
        "not a plain file", "there is no such file", "no files in this folder",
    ]  # fmt: skip


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "I/O")])
def test_a_file_or_folder_that_cannot_be_read_keeps_nothing_else_back(error, tmp_path, monkeypatch):
    inner = tmp_path / "inner"
    inner.mkdir()
    write(inner / "a.txt", b"pump")
    write(tmp_path / "locked.txt", b"pump")
    write(tmp_path / "b.txt", b"pump")
    listed, opened = os.scandir, Path.open

    def refuse(call, place):
        def tried(path, *args, **options):
            if Path(path) == place:
                raise error
            return call(path, *args, **options)

        return tried

    monkeypatch.setattr(os, "scandir", refuse(listed, inner))
    monkeypatch.setattr(Path, "open", refuse(opened, tmp_path / "locked.txt"))
    found = {file.path.name: file for file in read(tmp_path)}
    assert found["b.txt"].state == "read"
    for name in ("inner", "locked.txt"):
        assert found[name].problem == f"cannot be read: {error.strerror}"


def test_a_file_that_is_deleted_meanwhile(tmp_path):
    for name in ("a.txt", "b.txt"):
        write(tmp_path / name, b"pump")
    files = read_files([tmp_path])
    first = next(files)
    (tmp_path / "b.txt").unlink()
    assert first.state == "read"
    (second,) = files
    assert second.problem == "gone: it was deleted meanwhile"


# Large and hostile


def test_a_large_file_is_read_block_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "_BLOCK", 10_000)
    monkeypatch.setattr(reading, "_KEPT", 10)
    paragraphs = [f"Paragraph {n}: {'pump ' * 50}" for n in range(2_000)]
    whole = "\n\n".join(paragraphs)
    file = write(tmp_path / "a.txt", whole.encode())
    tracemalloc.start()
    (found,) = read(file)
    count = sum(1 for _ in found.documents)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count > 500
    assert peak < len(whole)
    for document in found.documents:
        start = document.metadata["start_index"]
        # A block's end takes the place of the blank behind it.
        assert document.page_content[:12] in whole[max(0, start - 200) : start + 400]


def test_a_file_whose_end_is_broken_gives_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_KEPT", 10)
    lines = [f'{{"text": "pump {n}"}}\n' for n in range(100)]
    (found,) = read(write(tmp_path / "a.jsonl", "".join([*lines, "oops\n"]).encode()))
    assert found.problem.startswith("line 101: not JSON")
    assert list(found.documents) == []


@pytest.mark.parametrize(
    ("name", "content", "module", "limit"),
    [
        ("a.docx", docx(paragraph("pump " * 100_000)), "word", "more than 0 MB when unpacked"),
        ("a.html", b"<p>" + b"pump " * 100_000, "html", "MB of HTML, at most"),
        ("a.jsonl", b'{"text": "' + b"pump " * 100_000 + b'"}', "records", "line 1: longer than"),
    ],
)
def test_what_is_over_its_limit_is_refused(name, content, module, limit, tmp_path, monkeypatch):
    constant = "_LONGEST" if module == "records" else "_LARGEST"
    monkeypatch.setattr(f"langchain_chroma_hybrid.documents.{module}.{constant}", 100_000)
    (found,) = read(write(tmp_path / name, content))
    assert limit in found.problem


def test_a_word_file_that_unpacks_to_anything_is_stopped(tmp_path):
    assert word._LARGEST <= 200_000_000
    body = paragraph("a" * 1_000)
    (found,) = read(write(tmp_path / "a.docx", docx(body * 50)))
    assert sum(len(d.page_content) for d in found.documents) > 50_000


def test_word_says_things_twice_for_old_readers(tmp_path):
    again = (
        '<mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006">'
        f"<mc:Choice>{paragraph('new')}</mc:Choice><mc:Fallback>{paragraph('old')}</mc:Fallback>"
        "</mc:AlternateContent>"
    )
    deleted = "<w:p><w:r><w:delText>deleted</w:delText></w:r></w:p>"
    (found,) = read(write(tmp_path / "a.docx", docx(again + deleted + paragraph("end"))))
    assert [d.page_content.split() for d in found.documents] == [["new", "end"]]


# Records


def test_a_line_is_a_record_as_it_is(tmp_path):
    file = write(
        tmp_path / "a.jsonl",
        b'{"_id": "a", "document": "pump", "vector": [1, 2.5], "uri": "u", "n": 1}\n'
        b'{"embedding": [1, 2]}\n{"embedding": [3, 4]}\n{"text": "x"}\n{"text": "x"}\n',
    )
    first, second, third, fourth = read_records(file)
    assert (first.id, first.text, first.uri, first.embedding) == ("a", "pump", "u", [1, 2.5])
    assert first.metadata == {"n": 1}
    assert second.text is None
    assert len({second.id, third.id, fourth.id}) == 3
    assert [r.id for r in read_records(file)] == ["a", second.id, third.id, fourth.id]


# What is not installed

HIDDEN = """
import sys
sys.modules[{hidden!r}] = None
from langchain_chroma_hybrid.documents import read_files
for file in read_files(sys.argv[1:]):
    print(file.path.name, file.problem)
"""


@pytest.mark.parametrize(
    ("hidden", "named"),
    [("pypdf", ["a.pdf"]), ("bs4", ["a.html"]), ("langchain_text_splitters", ["a.pdf", "a.txt"])],
)
def test_a_missing_package_is_a_pip_line_for_the_files_that_need_it(hidden, named, tmp_path):
    files = [write(tmp_path / name, GOOD[name][0]) for name in ("a.pdf", "a.txt", "a.jsonl")]
    files += [write(tmp_path / "a.html", PAGE)] if hidden == "bs4" else []
    command = [sys.executable, "-c", HIDDEN.format(hidden=hidden), *map(str, files)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    said = dict(line.split(" ", 1) for line in printed.splitlines())
    line = f"{hidden} is not installed: pip install 'langchain-chroma-hybrid[files]'"
    assert {name for name, problem in said.items() if problem == line} == set(named)
    assert said["a.jsonl"] == "None"


@pytest.mark.parametrize("way", ["delete_collection", "reset_collection"])
def test_what_is_known_of_files_goes_with_the_collection(tmp_path, way):
    (tmp_path / "a.txt").write_text("a pump", "utf-8")
    store = make_store(tmp_path / "db")
    with FileIndex(store) as files:
        (read,) = read_files([tmp_path / "a.txt"])
        assert files.add(read).became == "added"
    assert len([*(tmp_path / "db" / "files").iterdir()]) == 1
    getattr(store, way)()
    assert [*(tmp_path / "db" / "files").iterdir()] == []
