"""What answers when the lexical index cannot be opened, read or written, and what is said then."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.engine import registry
from langchain_chroma_hybrid.errors import IndexFormatError, LexicalIndexError, WriteError
from langchain_chroma_hybrid.lexical.tantivy import folder as index_folder
from langchain_chroma_hybrid.lexical.tantivy import view
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CORPUS, documents, filled, ids_of, plain_chroma

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY = "Error R123-78"


def a_file_in_its_place(folder: Path, _: pytest.MonkeyPatch) -> None:
    folder.write_text("no folder")


def no_permission(folder: Path, patch: pytest.MonkeyPatch) -> None:
    make = Path.mkdir

    def mkdir(self: Path, *args: Any, **options: Any) -> None:
        if self == folder or folder in self.parents:
            raise PermissionError(13, "Permission denied", str(self))
        make(self, *args, **options)

    patch.setattr(Path, "mkdir", mkdir)


def disk_full(folder: Path, patch: pytest.MonkeyPatch) -> None:
    def full(target: Path, _: Any) -> None:
        raise OSError(28, "No space left on device", str(target))

    patch.setattr(index_folder, "write_json", full)


def no_home(_: Path, patch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: Any) -> Path:
        raise RuntimeError("Could not determine home directory.")

    patch.setattr(registry, "index_folder", nowhere)


def panics(_: Path, patch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """As tantivy's, which is no Exception."""

    def panic(*_: Any, **__: Any) -> None:
        raise PanicException("range end index 8 out of range")

    patch.setattr(view, "FilterCompiler", panic)


UNOPENED = [a_file_in_its_place, no_permission, disk_full, no_home, panics]


@pytest.fixture(params=UNOPENED, ids=lambda way: way.__name__)
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> HybridChroma:
    """A collection with records, whose index cannot be opened."""
    chroma = plain_chroma(tmp_path)
    spoil: Callable[[Path, pytest.MonkeyPatch], None] = request.param
    spoil(tmp_path / "lexical", monkeypatch)
    return HybridChroma(chroma._collection.name, WordEmbeddings(), client=chroma._client)


def test_degrading_answers_in_every_mode(store):
    expected = ids_of(store.similarity_search(QUERY, k=3, mode="vector"))
    for mode in ("hybrid", "lexical", "two_step", "vector"):
        options = {"k": 3, "mode": mode, "on_leg_error": "degrade"}
        result = store.explain(QUERY, **options)
        assert [hit.id for hit in result.hits] == expected
        assert result.notes[0].startswith("vectors only: ")
        assert ids_of(ChromaHybridRetriever(vectorstore=store, **options).invoke(QUERY)) == expected


async def test_what_needs_no_words_answers_without_being_told(store):
    vector = WordEmbeddings().embed_query(QUERY)
    where = {"tenant": "a"}
    found = [
        store.similarity_search(QUERY, k=2, mode="vector", filter=where),
        store.similarity_search(QUERY, k=2, weights={"lexical": 0}, filter=where),
        store.similarity_search_by_vector(vector, k=2, filter=where),
        store.similarity_search_by_vector_with_relevance_scores(vector, k=2, filter=where),
        store.max_marginal_relevance_search_by_vector(vector, k=2, lambda_mult=1, filter=where),
        store.similarity_search_with_relevance_scores(QUERY, k=2, mode="vector", filter=where),
        await store.asimilarity_search(QUERY, k=2, mode="vector", filter=where),
        await store.asimilarity_search_by_vector(vector, k=2, filter=where),
        ChromaHybridRetriever(vectorstore=store, k=2, mode="vector").invoke(QUERY, filter=where),
    ]
    assert {tuple(ids_of(each)) for each in found} == {("pump", "manual")} or all(
        ids_of(each)[0] == "pump" and len(each) == 2 for each in found
    )
    assert store.explain(QUERY, mode="vector").notes


def test_what_needs_words_says_what_to_do(store, request):
    with pytest.raises(LexicalIndexError) as raised:
        store.similarity_search(QUERY)
    if "panics" not in request.node.name:
        assert "lexical_directory=" in str(raised.value)
    with pytest.raises(LexicalIndexError):
        store.add_texts(["words"])


def test_base_filters_and_documents_hold_without_an_index(store):
    retriever = ChromaHybridRetriever(
        vectorstore=store,
        k=8,
        base_filter={"tenant": {"$in": ["a", "b"]}},
        base_where_document={"$not_contains": "R123"},
        on_leg_error="degrade",
    )
    allowed = {id_ for id_, text, meta in CORPUS if meta["tenant"] in "ab" and "R123" not in text}
    assert set(ids_of(retriever.invoke(QUERY))) == allowed
    assert set(ids_of(retriever.invoke(QUERY, filter={"year": 2023}))) <= allowed


def test_reading_by_id_needs_no_index(store):
    assert ids_of(store.get_by_ids(["pump"])) == ["pump"]
    assert len(store.get()["ids"]) == len(CORPUS)


def test_once_the_cause_is_gone_it_opens(tmp_path, monkeypatch):
    chroma = plain_chroma(tmp_path)
    store = HybridChroma(chroma._collection.name, WordEmbeddings(), client=chroma._client)
    with monkeypatch.context() as patch:
        no_permission(tmp_path / "lexical", patch)
        assert store.explain(QUERY, on_leg_error="degrade").notes
    assert not store.explain(QUERY, on_leg_error="degrade").notes
    assert ids_of(store.similarity_search(QUERY, k=1, mode="lexical")) == ["pump"]


# Damage


def damaged(store: HybridChroma) -> Path:
    """Cut short every file of the segments, as a full disk or a bad copy does."""
    folder = store._index.lexical.path
    store.close()
    for file in folder.iterdir():
        if len(file.stem) == 32 and file.is_file():
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return folder


@pytest.mark.parametrize("what", ["segments", "meta.json", "format.json"])
def test_a_damaged_index(tmp_path, what):
    store = filled(tmp_path)
    assert store.similarity_search(QUERY)
    if what == "segments":
        damaged(store)
    else:
        folder = store._index.lexical.path
        store.close()
        (folder / what).write_text('{"format": ')
    again = HybridChroma(store._collection.name, WordEmbeddings(), str(tmp_path))
    with pytest.raises(LexicalIndexError, match=r"rebuild\(\)"):
        again.similarity_search(QUERY)
    assert ids_of(again.similarity_search(QUERY, k=1, mode="vector")) == ["pump"]
    filtered = {"k": 8, "filter": {"tenant": "a"}}
    assert len(again.similarity_search(QUERY, on_leg_error="degrade", **filtered)) == 4
    assert len(again.similarity_search(QUERY, mode="vector", **filtered)) == 4
    again.rebuild()
    assert ids_of(again.similarity_search(QUERY, k=1, mode="lexical")) == ["pump"]
    assert again.verify().ok


@pytest.mark.parametrize("content", ["", "{", "[]", '{"segments": 3}', "[" * 100_000, "\xff"])
def test_a_list_of_segments_that_is_garbled(tmp_path, content):
    store = filled(tmp_path)
    folder = store._index.lexical.path
    store.close()
    (folder / "format.json").unlink()
    (folder / "meta.json").write_bytes(content.encode("latin-1"))
    again = HybridChroma(store._collection.name, WordEmbeddings(), str(tmp_path))
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)"):
        again.similarity_search(QUERY)
    again.rebuild()
    assert ids_of(again.similarity_search(QUERY, k=1, mode="lexical")) == ["pump"]


# The folder goes while it is open


def gone(store: HybridChroma, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "lexical")


@pytest.mark.parametrize(
    ("call", "of"),
    [
        (lambda s: s.add_texts(["words"], ids=["new"]), "written"),
        (lambda s: s.update_documents(["pump"], [Document("words")]), "written"),
        (lambda s: s.delete(["pump"]), "deleted"),
        (lambda s: s.delete(["never-there"]), "deleted"),
        (lambda s: s.delete(where={"tenant": "a"}), "deleted"),
    ],
)
def test_writes_say_what_to_do_when_the_folder_is_gone(tmp_path, call, of):
    store = filled(tmp_path)
    assert store.similarity_search(QUERY)
    before = store.get()
    gone(store, tmp_path)
    with pytest.raises(WriteError, match=rf"^0 of \d+ records are {of}.*`rebuild\(\)`") as raised:
        call(store)
    assert raised.value.written == ()
    assert not isinstance(raised.value, FileNotFoundError)
    assert store.get() == before
    store.rebuild()
    call(store)
    assert store.verify().ok


def test_queries_when_the_folder_is_gone(tmp_path):
    store = filled(tmp_path)
    assert store.similarity_search(QUERY)
    gone(store, tmp_path)
    with pytest.raises(IndexFormatError, match=r"rebuild\(\)"):
        store.similarity_search(QUERY)
    assert ids_of(store.similarity_search(QUERY, k=1, mode="vector")) == ["pump"]
    assert ids_of(store.similarity_search(QUERY, k=1, on_leg_error="degrade")) == ["pump"]
    assert not (tmp_path / "lexical").exists(), "reading makes nothing"


@pytest.mark.parametrize(
    "left",
    [
        ["journal/"],
        ["journal/", "0123456789abcdef0123456789abcdef.store"],
        ["meta.json"],
        [".managed.json", ".tantivy-meta.lock"],
        ["0123456789abcdef0123456789abcdef.12.del", "writer.lock"],
        [".tmp123"],
        [],
    ],
    ids=str,
)
def test_rebuild_works_whatever_a_merge_has_put_back(tmp_path, left):
    store = filled(tmp_path)
    folder = store._index.lexical.path
    assert store.similarity_search(QUERY)
    shutil.rmtree(folder)
    for name in left:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).mkdir() if name.endswith("/") else (folder / name).write_text("{}")
    store.rebuild()
    assert store.verify().ok
    assert ids_of(store.similarity_search(QUERY, k=1, mode="lexical")) == ["pump"]


def test_a_folder_of_somebody_elses_is_never_removed(tmp_path):
    store = filled(tmp_path / "db")
    folder = tmp_path / "db" / "lexical" / str(store._collection.id)
    store.close()
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    again = HybridChroma(store._collection.name, WordEmbeddings(), str(tmp_path / "db"))
    with pytest.raises(LexicalIndexError):
        again.similarity_search(QUERY)
    with pytest.raises(LexicalIndexError, match="thesis"):
        again.rebuild()
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_new_document_is_found_after_all_this(tmp_path):
    store = filled(tmp_path)
    gone(store, tmp_path)
    store.rebuild()
    store.add_documents(documents())
    assert store.verify().ok
