"""Folders that no client opens any more, made whole in a new one."""

from __future__ import annotations

import json
import random
import re
import shutil
import sqlite3
import sys
import time
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import chromadb
import numpy as np
import pytest
from chromadb.api.types import Documents, EmbeddingFunction
from chromadb.errors import InternalError
from typer.testing import CliRunner

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, rescue
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.embeddings import to_chroma
from langchain_chroma_hybrid.engine.chroma.torn import SAID_OF_TORN_FILES
from langchain_chroma_hybrid.engine.rescue import trial
from langchain_chroma_hybrid.engine.rescue.segments import Place, places
from langchain_chroma_hybrid.engine.sync import failpoints
from langchain_chroma_hybrid.errors import (
    EmbeddingError,
    InvalidArgumentError,
    RescueError,
    TornCollectionError,
    WriteError,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.durability import torn
from tests.durability.processes import ended, started, wait_until
from tests.durability.torn import COUNT, EMBEDDINGS, HNSW, KEPT, SIZE, Close, client_at, everything
from tests.durability.workers import kill_myself

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result


class OtherWords(WordEmbeddings):
    """Another model of the same size."""

    def embed_query(self, text: str) -> list[float]:
        return super().embed_query(" ".join(f"other{word}" for word in text.split()) or "other")


class Failing(WordEmbeddings):
    """Fails after so many texts."""

    def __init__(self, after: int) -> None:
        super().__init__(SIZE)
        self.left = after

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.left -= len(texts)
        if self.left < 0:
            raise ConnectionError("the service is down")
        return super().embed_documents(texts)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A torn folder, made once."""
    return torn.torn(tmp_path_factory.mktemp("made") / "old")


@pytest.fixture
def old(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of it, which has to be as it was after the test."""
    folder = tmp_path / "old"
    shutil.copytree(made, folder)
    before = torn.hashes(folder)
    yield folder
    assert torn.hashes(folder) == before


@pytest.fixture
def new(tmp_path: Path) -> Iterator[Path]:
    """Where the new one is to be; nothing may be left beside it."""
    home = tmp_path / "home"
    home.mkdir()
    yield home / "new"
    assert {path.name for path in home.iterdir()} <= {"new"}


def expected(count: int = COUNT) -> dict[str, tuple[Any, ...]]:
    vectors = EMBEDDINGS.embed_documents([torn.text(n) for n in range(count)])
    return {
        f"id{n}": (
            torn.text(n),
            {"n": n, "tags": ["a", "ü"], "even": n % 2 == 0},
            None,
            Close(vectors[n]),
        )
        for n in range(count)
    }


def test_all_records_are_there_and_found_again(old, new):
    report = rescue(old, new, embeddings=EMBEDDINGS)

    (one,) = report.torn
    assert (one.name, one.records, one.kept, one.embedded, one.left_out) == (
        "documents", COUNT, KEPT, COUNT - KEPT, ()
    )  # fmt: skip
    assert "hnsw" in one.problem
    assert (report.to, report.whole) == (new, ())
    assert everything(new) == expected()
    store = HybridChroma("documents", EMBEDDINGS, str(new))
    for n in (0, 150, COUNT - 1):
        assert store.similarity_search(torn.text(n), k=1, mode="vector")[0].id == f"id{n}"
    store.close()


@pytest.mark.long
def test_a_folder_that_a_kill_has_torn(tmp_path, new):
    old = torn.torn_for_real(tmp_path / "old")
    before = torn.hashes(old)

    report = rescue(old, new, embeddings=EMBEDDINGS)

    assert torn.hashes(old) == before
    found = everything(new)
    assert len(found) == report.torn[0].records > 300
    vectors = EMBEDDINGS.embed_documents([row[0] for row in found.values()])
    right = np.array(vectors) @ np.array([row[3] for row in found.values()]).T
    assert np.diag(right).min() > 0.999


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100))
def test_a_hundred_folders_that_kills_have_torn(tmp_path, new, seed):
    old = torn.torn_for_real(tmp_path / "old", seed)
    before = torn.hashes(old)
    rescue(old, new, embeddings=EMBEDDINGS)
    assert torn.hashes(old) == before
    for id_, (text, metadata, _, vector) in everything(new).items():
        assert text == torn.text(int(id_[2:]), metadata["version"])
        assert np.allclose(vector, EMBEDDINGS.embed_query(text), atol=1e-4)


KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
FILES = ("header.bin", "data_level0.bin", "link_lists.bin", "length.bin", "index_metadata.pickle")


@pytest.mark.long
@pytest.mark.parametrize("how", torn.TEARS)
@pytest.mark.parametrize("file", FILES)
def test_every_file_torn_in_every_way(tmp_path, new, file, how):
    """Some tears do no harm."""
    old = tmp_path / "old"
    torn.fill(old)
    torn.tear(old, file=file, how=how)
    report = rescue(old, new, embeddings=EMBEDDINGS)
    assert everything(new if report.torn else old) == expected()


@pytest.mark.long
def test_lengths_that_are_lost_are_told_from_vectors_of_zeros(tmp_path, new):
    """Chroma reads both without a word."""
    old, hnsw = tmp_path / "old", {"space": "cosine", "sync_threshold": 20, "batch_size": 20}
    client = torn.client_at(old)
    for name in ("documents", "zeros"):
        made = client.create_collection(name, embedding_function=None, configuration={"hnsw": hnsw})
        texts = [torn.text(n) for n in range(30)]
        scale = float(name == "documents")
        vectors = scale * np.array(EMBEDDINGS.embed_documents(texts), np.float32)
        made.add([f"id{n}" for n in range(30)], vectors, documents=texts)
    client.close()
    torn.tear(old, file="length.bin", how="zeros")
    report = rescue(old, new, embeddings=EMBEDDINGS)
    assert ([each.name for each in report.torn], report.whole) == (["documents"], ("zeros",))
    for text, _, _, vector in everything(new).values():
        assert np.allclose(vector, EMBEDDINGS.embed_query(text), atol=1e-4)


@pytest.mark.long
def test_files_of_which_chroma_says_little_or_dies(tmp_path, new):
    old = tmp_path / "old"
    torn.fill(old)
    torn.tear(old, file="data_level0.bin", how="half")
    assert rescue(old, new, embeddings=EMBEDDINGS).torn[0].problem
    assert everything(new) == expected()


DIES_AT_THE_SECOND = """
import json, os, signal, sys
_, collections = json.load(sys.stdin)
print("what libraries print")
for at, (*_, name, _) in enumerate(collections):
    if name == "b":
        os.kill(os.getpid(), signal.SIGSEGV)
    print(json.dumps([at, None if name == "a" else "torn"]), flush=True)
"""


def test_the_process_that_tries_dies(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "_CHILD", DIES_AT_THE_SECOND)
    a, b, c = (Place("t", "d", name, name) for name in "abc")
    found = trial.unreadable(tmp_path, [a, b, c])
    assert found == {b: "the process that reads them dies (code -11)", c: "torn"}


def test_the_process_that_tries_fails_or_is_killed(tmp_path, monkeypatch):
    for code, why in (("raise OSError('no file')", "no file"), (KILL, "killed")):
        monkeypatch.setattr(trial, "_CHILD", code)
        with pytest.raises(RescueError, match=f"'a' cannot be tried: .*{why}"):
            trial.unreadable(tmp_path, [Place("t", "d", "a", "a")])


@pytest.mark.long
def test_all_else_is_as_it_was(tmp_path, new):
    """Names of all scripts, other databases, collections that are whole, what is in the folder."""
    old = tmp_path / "Dätén 漢字"
    torn.fill(old, "first", metadata={"about": "ä 漢"})
    torn.fill(old, "second")
    torn.fill(old, "whole", 40)
    chromadb.AdminClient(client_at(old).get_settings()).create_database("other")
    client = client_at(old, database="other")
    client.get_or_create_collection("first", embedding_function=None).add(["a"], [[1.0, 2.0]])
    client.close()
    (old / "notes.txt").write_text("of the user", "utf-8")
    torn.tear(old, "first")
    torn.tear(old, "second", "index_metadata.pickle")
    before = torn.hashes(old)

    report = rescue(old, new, embeddings=EMBEDDINGS, batch_size=7)

    assert torn.hashes(old) == before
    assert [one.name for one in report.torn] == ["first", "second"]
    assert sorted(report.whole) == ["first", "whole"]
    assert everything(new, "first") == everything(new, "second") == expected()
    assert everything(new, "whole") == expected(40)
    assert everything(new, "first", database="other") == {"a": (None, None, None, [1.0, 2.0])}
    assert (new / "notes.txt").read_text("utf-8") == "of the user"
    client = client_at(new)
    first = client.get_collection("first", embedding_function=None)
    client.close()
    assert first.metadata == {"about": "ä 漢"}
    settings = first.configuration_json["hnsw"]
    assert {key: settings[key] for key in ("space", "sync_threshold", "ef_search")}.items() <= (
        HNSW.items()
    )
    assert [place.folder for place in places(old)] == [place.folder for place in places(new)]


@pytest.mark.long
def test_the_lexical_index_is_carried_over(tmp_path, new):
    old = tmp_path / "old"
    torn.fill(old)
    store = HybridChroma("documents", EMBEDDINGS, str(old))
    store.sync()
    store.close()
    torn.tear(old)
    rescue(old, new, embeddings=EMBEDDINGS)
    (folder,) = (new / "lexical").iterdir()
    store = HybridChroma("documents", EMBEDDINGS, str(new))
    assert store.verify().ok
    assert folder.name == str(store._collection.id)
    assert [d.id for d in store.similarity_search("number 17", k=1)] == ["id17"]
    store.close()


@pytest.mark.long
def test_more_records_than_a_page(tmp_path, new):
    old = torn.torn(tmp_path / "old", count=4_350)
    seen: list[tuple[int, int]] = []
    report = rescue(
        old, new, embeddings=EMBEDDINGS, progress=lambda done, of: seen.append((done, of))
    )
    assert everything(new) == expected(4_350)
    assert seen[-1] == (report.torn[0].embedded,) * 2
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


# Which model


@pytest.mark.long
def test_the_collections_own_model(tmp_path, new):
    function = to_chroma(EMBEDDINGS, name="words-of-32")
    old = torn.torn(tmp_path / "old", embedding_function=function)
    rescue(old, new)
    assert everything(new) == expected()
    client = client_at(new)
    found = client.get_collection("documents").query(query_texts=[torn.text(5)])
    assert found["ids"][0][0] == "id5"
    client.close()


@pytest.mark.long
def test_a_function_of_chromas_may_be_given(old, new):
    rescue(old, new, embeddings=to_chroma(EMBEDDINGS, name="words-of-32"))
    assert everything(new) == expected()


class Named(EmbeddingFunction[Documents]):
    """What a collection stores as the function `name` with that configuration."""

    def __init__(self, name: str, config: dict[str, Any]) -> None:
        self.name, self.get_config = (lambda: name), (lambda: config)

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> Any:
        del config

    def __call__(self, input: Documents) -> Any:
        raise AssertionError("nobody embeds by it")


@pytest.mark.long
def test_a_model_that_only_the_database_names_is_not_loaded(tmp_path, new):
    config = {"model_name": "/nowhere/model", "device": "cpu", "normalize_embeddings": False,
              "kwargs": {}}  # fmt: skip
    function = Named("sentence_transformer", config)
    old = torn.torn(tmp_path / "old", embedding_function=function)
    with pytest.raises(EmbeddingError, match=r"'documents'.*trust_stored_models"):
        rescue(old, new)
    rescue(old, new, embeddings=EMBEDDINGS)


@pytest.mark.long
def test_chromas_own_model(tmp_path, new):
    """Its own 384 dimensions, not 32, or its model is not here: either is said."""
    old = torn.torn(tmp_path / "old", embedding_function=Named("default", {}))
    with pytest.raises(EmbeddingError, match=r"'documents'.*(dimension|all-MiniLM)"):
        rescue(old, new)


@pytest.mark.long
def test_no_model_at_all(old, new):
    with pytest.raises(EmbeddingError, match=r"collection 'documents': embeddings: expected"):
        rescue(old, new)


def test_another_model(old, new):
    with pytest.raises(EmbeddingError, match=r"'documents'.*not the model.*cosine of -?0.[0-4]"):
        rescue(old, new, embeddings=OtherWords(SIZE))


@pytest.mark.long
def test_another_dimension(old, new):
    with pytest.raises(EmbeddingError, match=r"'documents'.*32.*64"):
        rescue(old, new, embeddings=WordEmbeddings(64))


@pytest.mark.parametrize("after", [0, 100])
@pytest.mark.long
def test_a_model_that_fails(old, new, after):
    with pytest.raises(RescueError, match=r"'documents'.*the service is down") as raised:
        rescue(old, new, embeddings=Failing(after), batch_size=10)
    assert f"after {after and 70} of {COUNT - KEPT} records" in str(raised.value)


def test_what_is_no_model(old, new):
    for wrong in (WordEmbeddings, "all-MiniLM-L6-v2", 3):
        with pytest.raises(InvalidArgumentError, match="embeddings: expected"):
            rescue(old, new, embeddings=wrong)


# What no text gives back


@pytest.mark.long
def test_records_without_text(tmp_path, new):
    old = tmp_path / "old"
    torn.fill(old)
    client = client_at(old)
    collection = client.get_collection("documents", embedding_function=None)
    far = [[float(n == 0) for n in range(SIZE)]] * 2
    collection.add(["uri", "empty"], far, uris=["file:///a.png"] * 2, metadatas=[{"a": 1}] * 2)
    collection.upsert(["empty"], far[:1], documents=[""])
    numbers = [f"id{n}" for n in range(200)]
    collection.upsert(numbers, EMBEDDINGS.embed_documents([torn.text(n) for n in range(200)]))
    client.close()
    torn.tear(old)

    report = rescue(old, new, embeddings=EMBEDDINGS)

    (gone,) = report.torn[0].left_out
    assert (gone.id, gone.uri, gone.metadata) == ("uri", "file:///a.png", {"a": 1})
    found = everything(new)
    assert found.keys() == {*expected(), "empty"}
    assert found["empty"][3] == EMBEDDINGS.embed_query("")


class Pictures(WordEmbeddings):
    """Embeds pictures, too, which the texts of records say something about."""

    def embed_image(self, uris: list[str]) -> list[list[float]]:
        return OtherWords(SIZE).embed_documents(list(uris))


@pytest.mark.long
def test_no_vector_of_a_picture_is_made_of_words(tmp_path, new):
    old = tmp_path / "old"
    client = client_at(old)
    collection = client.create_collection(
        "documents", embedding_function=None, configuration={"hnsw": HNSW}
    )
    texts = [torn.text(n) for n in range(COUNT)]
    vectors = Pictures(SIZE).embed_image(texts)
    for start in range(0, COUNT, 50):
        ids = [f"id{n}" for n in range(start, min(start + 50, COUNT))]
        part = slice(start, start + 50)
        collection.add(ids, vectors[part], documents=texts[part])
    client.close()
    torn.tear(old)
    report = rescue(old, new, embeddings=Pictures(SIZE))
    assert len(report.torn[0].left_out) == COUNT - KEPT
    assert len(everything(new)) == KEPT


# Bad input


def test_what_is_no_folder_of_chromas(tmp_path, new):
    empty = tmp_path / "empty"
    empty.mkdir()
    no_tables, no_database = tmp_path / "no_tables", tmp_path / "no_database"
    no_tables.mkdir()
    sqlite3.connect(no_tables / "chroma.sqlite3").execute("CREATE TABLE t (a)").close()
    no_database.mkdir()
    (no_database / "chroma.sqlite3").write_text("not a database" * 100)
    for folder in (tmp_path / "nowhere", empty, no_database, no_tables):
        with pytest.raises((InvalidArgumentError, RescueError), match=r"path: "):
            rescue(folder, new, embeddings=EMBEDDINGS)


def test_a_database_of_another_version(old, new, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(old, copy)
    with sqlite3.connect(copy / "chroma.sqlite3") as db:
        db.execute("ALTER TABLE segments RENAME TO parts")
    with pytest.raises((InvalidArgumentError, RescueError), match=r"path: .*version"):
        rescue(copy, new, embeddings=EMBEDDINGS)


def test_targets_that_will_not_do(old, new, tmp_path):
    new.mkdir()
    (new / "file").touch()
    for to in (new, new / "file", old, old / "within", tmp_path):
        with pytest.raises(InvalidArgumentError, match="to: expected"):
            rescue(old, to, embeddings=EMBEDDINGS)
    (new / "file").unlink()
    rescue(old, new, embeddings=EMBEDDINGS)
    assert everything(new) == expected()


@pytest.mark.long
def test_no_room(old, new, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
    with pytest.raises(RescueError, match=r"no room in .*MB are needed, 1 MB are free"):
        rescue(old, new, embeddings=EMBEDDINGS)


def _stay_open(folder: Path, ready: Path) -> None:
    client = client_at(folder)
    client.list_collections()
    ready.touch()
    time.sleep(600)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system does not tell")
@pytest.mark.long
def test_a_folder_that_another_process_has_open(made, tmp_path, new):
    old, ready = tmp_path / "open", tmp_path / "ready"
    shutil.copytree(made, old)
    process = started(_stay_open, old, ready)
    wait_until(ready.exists)
    with pytest.raises(RescueError, match=f"open in process {process.pid}"):
        rescue(old, new, embeddings=EMBEDDINGS)
    process.kill()
    process.join()


@pytest.mark.long
def test_a_folder_that_is_written_to_meanwhile(old, new, tmp_path, monkeypatch):
    folder, copytree = tmp_path / "written", shutil.copytree
    copytree(old, folder)

    def write_too(*arguments: Any, **options: Any) -> Any:
        (folder / "chroma.sqlite3").touch()
        return copytree(*arguments, **options)

    monkeypatch.setattr(shutil, "copytree", write_too)
    with pytest.raises(RescueError, match="somebody has written"):
        rescue(folder, new, embeddings=EMBEDDINGS)


@pytest.mark.long
def test_nothing_is_torn(tmp_path, new):
    old = tmp_path / "old"
    torn.fill(old)
    before = torn.hashes(old)
    report = rescue(old, new)
    assert (report.to, report.torn, report.whole) == (None, (), ("documents",))
    assert torn.hashes(old) == before
    assert not new.exists()


@pytest.mark.long
def test_some_collections(tmp_path, new):
    old = torn.torn(tmp_path / "old")
    torn.fill(old, "foreign")
    torn.tear(old, "foreign")
    with pytest.raises(InvalidArgumentError, match="there are: 'documents', 'foreign'"):
        rescue(old, new, collections=["document"])
    with pytest.raises(InvalidArgumentError, match="collections: expected"):
        rescue(old, new, collections="documents")
    rescue(old, new, collections=["documents"], embeddings=EMBEDDINGS)
    assert everything(new) == expected()
    client = client_at(new)
    assert [collection.name for collection in client.list_collections()] == ["documents"]
    client.close()


@pytest.mark.long
def test_who_does_not_approve(old, new):
    def refuse(report: Any) -> None:
        assert [one.embedded for one in report.torn] == [COUNT - KEPT]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rescue(old, new, embeddings=EMBEDDINGS, approve=refuse)
    assert not new.exists()


@pytest.mark.long
def test_two_at_once(old, new):
    def another(_: Any) -> None:
        with pytest.raises(RescueError, match="another rescue is at work"):
            rescue(old, new, embeddings=EMBEDDINGS)

    rescue(old, new, embeddings=EMBEDDINGS, approve=another)
    assert everything(new) == expected()


# The command


def run(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=typed)


WORDS = "tests.durability.torn:EMBEDDINGS"


@pytest.mark.long
def test_the_command_asks_and_prints(old, new):
    given = ("rescue", old, "--to", new, "--embeddings", WORDS)
    no = run(*given, typed="n\n")
    assert (no.exit_code, new.exists()) == (1, False)
    assert "torn: 'documents'" in no.stderr
    assert f"Embed {COUNT - KEPT} records again, and write {new}?" in no.stderr
    yes = run(*given, "--json", typed="y\n")
    assert yes.exit_code == 0
    found = json.loads(yes.stdout.splitlines()[-1])  # behind what was typed
    assert (found["to"], found["torn"][0]["embedded"]) == (str(new), COUNT - KEPT)
    assert everything(new) == expected()
    again = run("rescue", new, "--to", new.with_name("other"), "--yes")
    assert (again.exit_code, again.stdout) == (0, "nothing is torn; whole: documents\n")


@pytest.mark.long
def test_the_command_says_in_one_line_what_will_not_do(old, new):
    for given, code in (("--collection", "other"), 2), (("--embeddings", "nowhere:X"), 2), ((), 1):
        result = run("rescue", old, "--to", new, "--yes", *given)
        assert (result.exit_code, result.stderr.count("error: ")) == (code, 1)


def test_other_commands_say_what_to_do(made):
    for name in ("info", "list", "export", "verify"):
        result = run(name, "--path", made)
        assert result.exit_code == 1
        assert f"chroma-hybrid rescue {made}" in result.stderr


# Kills


def _rescue_and_die(old: Path, new: Path, step: str) -> None:
    def watch(reached: str) -> None:
        if reached == step:
            kill_myself()

    failpoints.watcher = watch
    rescue(old, new, embeddings=EMBEDDINGS, batch_size=50)


def killed(old: Path, new: Path, step: str) -> None:
    assert ended(started(_rescue_and_die, old, new, step)) != 0
    if step == failpoints.OF_RESCUES[-1]:
        shutil.rmtree(new)
    assert not new.exists()
    rescue(old, new, embeddings=EMBEDDINGS)
    assert everything(new) == expected()


@pytest.mark.long
def test_killed_in_the_middle(old, new):
    killed(old, new, "vectors written")


@pytest.mark.long
@pytest.mark.parametrize("step", failpoints.OF_RESCUES)
def test_killed_at_every_step(old, new, step):
    killed(old, new, step)


@pytest.mark.long
def test_killed_at_random_instants(old, new):
    chance = random.Random(7)  # noqa: S311
    for _ in range(50):
        process = started(_rescue_and_die, old, new, "never")
        time.sleep(chance.uniform(0.0, 8.0))
        process.kill()
        process.join()
        if new.exists():
            assert everything(new) == expected()
            shutil.rmtree(new)
    rescue(old, new, embeddings=EMBEDDINGS)
    assert everything(new) == expected()


# What is said of a torn collection


@pytest.mark.parametrize("file", ["header.bin", "index_metadata.pickle"])
@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "two_step"])
def test_every_search_says_what_to_do(made, tmp_path, mode, file):
    """At other tears this very process would die."""
    folder = tmp_path / "db"
    shutil.copytree(made, folder)
    torn.tear(folder, file=file)
    store = HybridChroma("documents", EMBEDDINGS, str(folder))
    for _ in range(2):
        with pytest.raises(TornCollectionError) as raised:
            store.similarity_search("words", mode=mode)
    said = str(raised.value)
    assert "'documents'" in said
    assert f"chroma-hybrid rescue {folder}" in said
    assert isinstance(raised.value, RuntimeError)
    store.close()


def test_every_call_says_what_to_do(made, tmp_path):
    folder = tmp_path / "db"
    shutil.copytree(made, folder)
    calls = {
        "get": lambda store: store.get(),
        "get_by_ids": lambda store: store.get_by_ids(["id1"]),
        "add": lambda store: store.add_texts(["new"], ids=["new"]),
        "delete": lambda store: store.delete(["id1"]),
        "sync": lambda store: store.sync(),
        "retriever": lambda store: store.as_retriever().invoke("words"),
        "count": lambda store: ChromaHybridRetriever.from_vectorstore(store).invoke("words"),
    }
    for call in calls.values():
        store = HybridChroma("documents", EMBEDDINGS, str(folder))
        with pytest.raises((TornCollectionError, WriteError), match="chroma-hybrid rescue"):
            call(store)
        store.close()


@pytest.mark.parametrize("said", SAID_OF_TORN_FILES)
def test_all_that_chroma_says_is_known(said, tmp_path, monkeypatch):
    def fail(*_: Any, **__: Any) -> Any:
        raise InternalError(f"Error executing plan: {said}: something")

    store = HybridChroma("documents", EMBEDDINGS, str(tmp_path))
    monkeypatch.setattr(chromadb.Collection, "get", fail)
    monkeypatch.setattr(chromadb.Collection, "count", fail)
    with pytest.raises(TornCollectionError, match=re.escape(said)):
        store.similarity_search("words")


def test_the_schema_is_as_it_is_read(tmp_path):
    """Which vector folder is whose, by what Chroma makes of a folder."""
    folder = tmp_path / "db"
    torn.fill(folder, "first", 210)
    known = {path.name for path in folder.iterdir() if path.is_dir()}
    torn.fill(folder, "second", 210)
    both = {path.name for path in folder.iterdir() if path.is_dir()}
    found = {place.name: place for place in places(folder)}
    assert {found["first"].folder} == known
    assert {found["second"].folder} == both - known
    assert found["first"][:2] == ("default_tenant", "default_database")
