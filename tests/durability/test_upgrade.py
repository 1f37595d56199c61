"""An index of an older version answers, with a note, until the new one takes its place."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from langchain_chroma import Chroma
from typer.testing import CliRunner

from langchain_chroma_hybrid import Analyzer, ChromaHybridRetriever, TantivyIndex
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.core.analysis import analyzer
from langchain_chroma_hybrid.core.analysis.subwords import Splitter
from langchain_chroma_hybrid.engine.chroma.collection import ChromaStore
from langchain_chroma_hybrid.engine.sync import failpoints, freshness, reconcile
from langchain_chroma_hybrid.engine.sync.build import THREAD
from langchain_chroma_hybrid.engine.sync.failpoints import OF_UPGRADES
from langchain_chroma_hybrid.errors import AnalyzerMismatchError, IndexFormatError
from langchain_chroma_hybrid.lexical.tantivy.folder import FORMAT_VERSION
from tests.durability.processes import ended, started, wait_until
from tests.durability.workers import Log, kill_myself
from tests.helpers import MODES
from tests.old_index import (
    FIELDS,
    MODEL,
    NAME,
    RECORDS,
    Gate,
    ask,
    builders,
    hits,
    leave_behind,
    open_old,
    write_collection,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_chroma_hybrid import HybridChroma

NOTE = (
    "the lexical index is of an older version and answers as it did; "
    "it is being rebuilt in the background"
)
QUERIES = ("pump valve water", "R123-78", "rivers running", "Насос клапан", "水泵", '"red" +water')
FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"filter": {"year": {"$gte": 2022}}},
    {"filter": {"$and": [{"live": True}, {"year": 2021}]}},
    {"filter": {"tags": {"$contains": "b"}}},
    {"where_document": {"$contains": "water"}},
)

NEXT = max(analyzer.RULES) + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    leave_behind(tmp_path / "db")
    return tmp_path / "db"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[HybridChroma]:
    """The same records with an index that was never old."""
    write_collection(tmp_path / "fresh")
    store = open_old(tmp_path / "fresh")
    ask(store)
    yield store
    store.close()


@pytest.fixture
def opened(folder: Path) -> Iterator[Callable[..., HybridChroma]]:
    stores: list[HybridChroma] = []

    def opener(**options: Any) -> HybridChroma:
        stores.append(open_old(folder, **options))
        return stores[-1]

    yield opener
    for store in stores:
        store.close()


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Gate]]:
    """Holds the build at a step until the gate is opened."""
    gates: list[Gate] = []

    def hold(step: str = "index locked", times: int = 1) -> Gate:
        gates.append(Gate(step, times))
        monkeypatch.setattr(failpoints, "watcher", gates[-1])
        return gates[-1]

    yield hold
    for gate in gates:
        gate.opened.set()


def index_folder(folder: Path) -> Path:
    (path,) = (folder / "lexical").iterdir()
    return path


def format_of(folder: Path) -> int:
    return json.loads((index_folder(folder) / "format.json").read_text("utf-8"))["format"]


def wait_for_the_new(store: HybridChroma) -> None:
    wait_until(lambda: not ask(store).notes)
    wait_until(lambda: not builders())


def assert_in_step(store: HybridChroma, fresh: HybridChroma | None = None) -> None:
    """The index is of today's version, and tells what one does that was never old."""
    assert not store._index.lexical.outdated
    assert store.verify().ok
    assert store._index.lexical.count() == store._collection.count()
    if fresh is not None:
        assert store._index.lexical.without_text() == fresh._index.lexical.without_text()
        for mode in MODES:
            for query in QUERIES:
                assert hits(ask(store, query, mode=mode)) == hits(ask(fresh, query, mode=mode))


@pytest.mark.parametrize("mode", MODES)
def test_it_answers_at_once_in_every_mode_and_after_it_as_a_fresh_one(
    opened, held, fresh, folder, mode
):
    gate, store = held(), opened()
    for options in FILTERS:
        for query in QUERIES:
            answer = ask(store, query, mode=mode, **options)
            assert hits(answer) == hits(ask(fresh, query, mode=mode, **options)), (query, options)
            assert answer.notes == (NOTE,)
            assert store.explain(query, mode=mode, **options).notes == (NOTE,)
    assert gate.reached.wait(30)
    assert format_of(folder) == 1
    gate.opened.set()
    wait_for_the_new(store)
    assert format_of(folder) == FORMAT_VERSION
    assert store.explain("pump", mode=mode).notes == ()
    assert_in_step(store, fresh)


def test_base_filters_hold_before_and_after(folder, held):
    gate = held()
    store = open_old(folder)
    guarded = ChromaHybridRetriever(vectorstore=store, base_filter={"live": True}, k=9)
    allowed = {record.id for record in RECORDS if record.metadata.get("live") is True}
    for mode in MODES:
        found = guarded.search("pump valve water Ventil", mode=mode)
        assert found.notes == (NOTE,)
        assert {hit.id for hit in found.hits} == allowed
    gate.opened.set()
    wait_for_the_new(store)
    assert {hit.id for hit in guarded.search("pump valve water Ventil").hits} == allowed
    store.close()


def test_a_retriever_over_a_plain_chroma(folder, held):
    gate, chroma = held(), Chroma(NAME, MODEL, persist_directory=str(folder))
    retriever = ChromaHybridRetriever.from_vectorstore(chroma, lexical_fields=FIELDS, k=1)
    assert retriever.search("R123-78").notes == (NOTE,)
    assert [d.id for d in retriever.invoke("R123-78", mode="lexical")] == ["pump"]
    gate.opened.set()
    wait_until(lambda: not retriever.search("R123-78").notes)
    retriever.close()
    chroma._client.close()


async def test_without_blocking_a_loop(opened, held):
    gate, store = held(), opened()
    retriever = ChromaHybridRetriever.from_vectorstore(store)
    assert (await retriever.asearch("pump")).notes == (NOTE,)
    gate.opened.set()
    wait_for_the_new(store)


def test_it_is_told_once_in_the_log(opened, held, caplog):
    caplog.set_level(logging.INFO, "langchain_chroma_hybrid")
    gate, store = held(), opened()
    for _ in range(3):
        ask(store)
        ask(opened())
    gate.opened.set()
    wait_for_the_new(store)
    told = [r for r in caplog.records if r.name.startswith("langchain_chroma_hybrid")]
    assert [record.getMessage().count("of an older version") for record in told] == [1]


# Writes while it is being built


def add(store: HybridChroma) -> None:
    store.add_texts(["a new pump"], [{"year": 2030}], ["new"])


def add_many(store: HybridChroma) -> None:
    store.add_texts([f"pump number {n}" for n in range(160)], ids=[f"n{n}" for n in range(160)])


def update(store: HybridChroma) -> None:
    store.add_texts(["quite another pump", "now with words"], ids=["pump", "wordless"])


def delete(store: HybridChroma) -> None:
    store.delete(["pump", "wordless", "titled"])


def straight(store: HybridChroma) -> None:
    store._collection.delete(["valve"])
    text = "no water any more"
    store._collection.update("river", MODEL.embed_query(text), {"year": 1}, documents=text)


def by_another_client(store: HybridChroma) -> None:
    other = store._client.get_collection(NAME, embedding_function=None)
    other.add("foreign", MODEL.embed_query("pump"), documents="a foreign pump")
    other.delete(["valve"])


def write_from_outside(folder: Path) -> None:
    store = open_old(folder, backfill="manual")
    update(store)
    add_many(store)
    store.similarity_search("pump")
    store.close()
    os._exit(0)


def by_another_process(store: HybridChroma) -> None:
    assert ended(started(write_from_outside, store._index.lexical.path.parents[1])) == 0


WRITES = (add, add_many, update, delete, straight, by_another_client, by_another_process)


STEPS = ("index locked", "index read", "successor built", "successor in step")


@pytest.mark.parametrize(
    ("write", "step"),
    [
        pytest.param(write, step, marks=[pytest.mark.long] if (w + s) % len(STEPS) else [])
        for w, write in enumerate(WRITES)
        for s, step in enumerate(STEPS)
    ],
)
def test_no_write_is_lost(opened, held, monkeypatch, write, step):
    monkeypatch.setattr(reconcile, "PAGE", 5)
    gate, store = held(step, 2 if step.startswith("index") else 1), opened()
    ask(store)
    assert gate.reached.wait(30)
    write(store)
    during = {m: hits(ask(store, "pump water valve", k=200, mode=m)) for m in MODES}
    assert ask(store).notes == (NOTE,)
    gate.opened.set()
    wait_for_the_new(store)
    after = {m: hits(ask(store, "pump water valve", k=200, mode=m)) for m in MODES}
    assert [id_ for id_, _ in during["lexical"]] == [id_ for id_, _ in after["lexical"]]
    assert {m: {id_ for id_, _ in during[m]} for m in MODES} == {
        m: {id_ for id_, _ in after[m]} for m in MODES
    }
    assert_in_step(store)


# Processes


def die_at(folder: Path, step: str, times: int) -> None:
    """Have the index built anew and be killed at a step of that."""
    reconcile.PAGE = 4
    gate = Gate(step, times)

    def watch(name: str) -> None:
        gate.opened.set()
        gate(name)
        if gate.reached.is_set():
            kill_myself()

    failpoints.watcher = watch
    store = open_old(folder)
    while True:
        assert hits(ask(store))


def assert_a_kill_does_no_harm(folder: Path, step: str, times: int, read: list[str]) -> None:
    assert ended(started(die_at, folder, step, times)) < 0
    store = open_old(folder)
    answer = ask(store)
    assert answer.notes == (() if step == "successor in place" else (NOTE,))
    assert hits(answer)
    wait_for_the_new(store)
    # Pages that the killed one had committed are not read again.
    built = (times - (step != "index applied")) * 4 if step.startswith("index") else len(RECORDS)
    fetched = [id_ for id_ in read if id_ in {record.id for record in RECORDS}]
    hydrated = 6 * 3
    assert len(fetched) <= len(RECORDS) - built + hydrated
    assert_in_step(store)
    store.add_texts(["whatever"], ids=["more"])
    assert ask(store, "whatever", mode="lexical").hits[0].id == "more"
    assert_nothing_is_left_over(folder)
    store.close()


def assert_nothing_is_left_over(folder: Path) -> None:
    path = index_folder(folder)
    assert {p.name.partition("-")[0] for p in path.iterdir()} <= {
        "journal", "built", "format.json", "writer.lock"}  # fmt: skip
    assert len(list(path.glob("built-*"))) == 1


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids whose records the thread that builds reads from Chroma."""
    read: list[str] = []
    original = ChromaStore.fetch

    def fetch(self: ChromaStore, ids: Any, *more: Any, **options: Any) -> Any:
        listed = list(ids)
        if threading.current_thread().name == THREAD:
            read.extend(listed)
        return original(self, listed, *more, **options)

    monkeypatch.setattr(ChromaStore, "fetch", fetch)
    return read


def test_a_kill_in_the_middle_does_no_harm(folder, read):
    assert_a_kill_does_no_harm(folder, "index applied", 2, read)


KILLS = [("index locked", 1), ("index read", 3), ("index applied", 1), ("index applied", 4),
         *((step, 1) for step in OF_UPGRADES)]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(("step", "times"), KILLS)
def test_a_kill_at_any_step_does_no_harm(folder, read, step, times):
    assert_a_kill_does_no_harm(folder, step, times, read)


def build_slowly(folder: Path, log: Path, go_on: Path) -> None:
    """Have the index built anew, but not end before a file appears."""

    def watch(name: str) -> None:
        if name == "successor built":
            Log(log).write("built", None)
            wait_until(go_on.exists)

    failpoints.watcher = watch
    store = open_old(folder)
    wait_until(lambda: not ask(store).notes)
    assert_in_step(store)
    store.close()


def test_one_process_builds_and_the_others_answer(opened, folder, tmp_path, read, fresh):
    process = started(build_slowly, folder, tmp_path / "log", tmp_path / "go on")
    wait_until(lambda: bool(Log(tmp_path / "log").read()))
    store = opened()
    reader = TantivyIndex(index_folder(folder), lexical_fields=FIELDS)
    ids = reader.ids()
    assert ask(store).notes == (NOTE,)
    wait_until(lambda: not builders())
    assert read == [], "one process builds"
    store.add_texts(["written meanwhile"], ids=["meanwhile"])
    store.delete(["pump"])
    assert ask(store, "meanwhile", mode="lexical").notes == (NOTE,)
    (tmp_path / "go on").touch()
    assert ended(process) == 0
    assert read == []
    assert ask(store, "meanwhile", mode="lexical").notes == ()
    assert [hit.id for hit in ask(store, "meanwhile", mode="lexical").hits] == ["meanwhile"]
    assert_in_step(store)
    assert {*ids} >= {"valve", "river"}  # begun before, ended after
    assert reader.search("R123-78", 1)
    assert not reader.outdated
    reader.apply([], ["meanwhile"])
    assert not ask(store, "meanwhile", mode="lexical").hits
    assert_nothing_is_left_over(folder)


def test_who_was_killed_between_the_switch_and_the_clearing(opened, folder):
    store = opened()
    ask(store)
    wait_for_the_new(store)
    path = index_folder(folder)
    old = path.parents[1] / "data"
    shutil.copytree(Path(__file__).parents[1] / "data" / "old-index" / "format-1", old)
    (old / "format.json").unlink()
    shutil.rmtree(old / "journal")
    shutil.copytree(old, path, dirs_exist_ok=True)
    (path / "built-0123456789abcdef").mkdir()
    assert ask(store).notes == ()
    store.add_texts(["whatever"], ids=["more"])
    assert ask(store, "whatever", mode="lexical").hits[0].id == "more"
    assert_nothing_is_left_over(folder)


def read_only(folder: Path, log: Path) -> None:
    """As somebody who may read the index and no more."""
    store = open_old(folder)
    store.get()  # all that Python loads for it is loaded by whom it belongs to
    if os.geteuid() == 0:
        os.seteuid(65534)
    answers = [(ask(store, mode=mode), store.verify().ok) for mode in MODES]
    wait_until(lambda: not builders())
    answers.append((ask(store, filter={"live": True}), True))
    Log(log).write("found", [[len(a.hits), a.notes, ok] for a, ok in answers])
    store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows folders have no mode")
def test_a_folder_that_can_only_be_read(tmp_path):
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name) / "db", Path(name) / "log"
        leave_behind(folder)
        before = {p: p.read_bytes() for p in index_folder(folder).rglob("*") if p.is_file()}
        log.touch()
        for path in (Path(name), *Path(name).rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o666)
        for path in (index_folder(folder), *index_folder(folder).rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            assert ended(started(read_only, folder, log)) == 0
        finally:
            for path in (index_folder(folder), index_folder(folder) / "journal"):
                path.chmod(0o777)
        assert before == {p: p.read_bytes() for p in index_folder(folder).rglob("*") if p.is_file()}
        ((_, answers),) = Log(log).read()
        assert len(answers) == len(MODES) + 1
        for found, (note,), ok in answers:
            assert found > 0
            assert ok
            assert "of an older version and answers as it did" in note
        assert "rebuilding it failed" in answers[-1][1][0]
        assert "Permission denied" in answers[-1][1][0]


# Everything else that one may do meanwhile


def test_rebuild_builds_the_new_one_right_away(opened, held, folder, fresh):
    gate, store = held("successor built"), opened()
    ask(store)
    assert gate.reached.wait(30)
    gate.opened.set()
    assert store.rebuild().added == len(RECORDS)
    assert format_of(folder) == FORMAT_VERSION
    assert ask(store).notes == ()
    assert_in_step(store, fresh)
    assert not builders()


def test_rebuild_beside_another_process_that_builds(opened, folder, tmp_path, fresh):
    process = started(build_slowly, folder, tmp_path / "log", tmp_path / "go on")
    wait_until(lambda: bool(Log(tmp_path / "log").read()))
    store = opened()
    assert store.rebuild().added == len(RECORDS)
    assert ask(store).notes == ()
    (tmp_path / "go on").touch()
    assert ended(process) == 0
    assert_in_step(store, fresh)
    store.add_texts(["whatever"], ids=["more"])
    store.similarity_search("whatever")
    assert not list(index_folder(folder).glob("built-*"))


@pytest.mark.parametrize(
    "step",
    [
        "index applied",
        pytest.param("successor built", marks=pytest.mark.long),
        pytest.param("successor in step", marks=pytest.mark.long),
    ],
)
def test_closing_meanwhile_leaves_the_old_one_whole(opened, held, folder, fresh, monkeypatch, step):
    monkeypatch.setattr(reconcile, "PAGE", 5)
    gate, store = held(step), opened()
    ask(store)
    assert gate.reached.wait(30)
    stop = store._index.half.freshness.upgrade.build.stop
    closing = threading.Thread(target=store.close)
    closing.start()
    wait_until(stop.is_set)
    gate.opened.set()
    closing.join(60)
    assert not builders()
    assert format_of(folder) in (1, FORMAT_VERSION)
    failpoints.watcher = None
    again = opened()
    assert hits(ask(again, "pump", mode="lexical")) == hits(ask(fresh, "pump", mode="lexical"))
    wait_for_the_new(again)
    assert_in_step(again, fresh)


def test_verify_and_sync_meanwhile(opened, held):
    gate, store = held("successor built"), opened()
    ask(store)
    assert gate.reached.wait(30)
    other = store._client.get_collection(NAME, embedding_function=None)
    other.update("pump", MODEL.embed_query("changed"), documents="changed unseen")
    other.add("unseen", MODEL.embed_query("unseen"), documents="unseen")
    found = store.verify()
    assert (found.missing, found.stale) == (("unseen",), ("pump",))
    report = store.sync(deep=True)
    assert (report.added, report.updated) == (1, 1)
    assert store.verify().ok
    assert ask(store).notes == (NOTE,)
    gate.opened.set()
    wait_for_the_new(store)
    assert_in_step(store)
    assert {hit.id for hit in ask(store, "unseen", mode="lexical").hits} == {"pump", "unseen"}


def test_nothing_is_built_unasked_with_manual(opened, folder):
    store = opened(backfill="manual")
    for _ in range(2):
        (note,) = ask(store).notes
        assert note.endswith("`sync()` rebuilds it")
    assert not builders()
    assert format_of(folder) == 1
    store.sync()
    assert ask(store).notes == ()
    assert_in_step(store)


def test_a_build_that_fails_is_told_and_tried_again(opened, fresh, monkeypatch):
    original = ChromaStore.ids

    def fails(self: ChromaStore) -> Any:
        if threading.current_thread().name == THREAD:
            raise ConnectionError("Chroma is gone for a while")
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(ChromaStore, "ids", fails)
        store = opened()
        ask(store)
        wait_until(lambda: not builders())
        (note,) = ask(store).notes
        assert "rebuilding it failed (Chroma is gone for a while)" in note
        assert not builders()
    assert hits(ask(store, "pump")) == hits(ask(fresh, "pump"))
    store.sync()
    wait_for_the_new(store)
    assert_in_step(store, fresh)


def test_a_store_that_is_closed_while_another_goes_on(opened, held, folder):
    gate, store = held(), opened()
    ask(store)
    other = open_old(folder)
    ask(other)
    store.close()
    gate.opened.set()
    wait_for_the_new(other)
    assert_in_step(other)
    other.close()


def test_what_an_older_version_had_only_half_built(opened, folder, fresh):
    state = index_folder(folder) / "journal" / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text("utf-8")), "ready": False}))
    store = opened()
    assert hits(ask(store, "pump")) == hits(ask(fresh, "pump"))
    assert ask(store).notes == ()
    assert format_of(folder) == FORMAT_VERSION


def test_the_collection_is_deleted_meanwhile(opened, held, folder):
    gate, store = held(), opened()
    ask(store)
    assert gate.reached.wait(30)
    gate.opened.set()
    store.delete_collection()
    assert list((folder / "lexical").iterdir()) == []
    assert not builders()


# Settings, rules and formats


@pytest.mark.parametrize("settings", [
    {"analyzer": "german"},
    {"analyzer": None},
    {"analyzer": Analyzer(stop_words=["pump"])},
    {"analyzer": Analyzer(preprocess_func=str.split)},
    {"lexical_fields": {"page_content": 1.0}},
], ids=str)  # fmt: skip
def test_other_settings_of_the_user_are_no_upgrade(opened, folder, settings):
    before = {p.name: p.read_bytes() for p in index_folder(folder).iterdir() if p.is_file()}
    with pytest.raises(AnalyzerMismatchError, match=r"rebuild\(\)"):
        opened(**settings).similarity_search("pump", mode="lexical")
    after = {p.name: p.read_bytes() for p in index_folder(folder).iterdir() if p.is_file()}
    assert after == before
    store = opened(**settings)
    store.rebuild()
    assert ask(store).notes == ()
    assert_in_step(store)


def newer_format(content: dict[str, Any]) -> None:
    content["format"] = FORMAT_VERSION + 1


def newer_rules(content: dict[str, Any]) -> None:
    settings = content["analyzer"].partition(":")[2]
    content["analyzer"] = f"{NEXT}:{settings}"


@pytest.mark.parametrize("change", [newer_format, newer_rules])
def test_an_index_of_a_newer_version_says_what_to_do(opened, folder, change):
    path = index_folder(folder) / "format.json"
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content))
    store = opened()
    with pytest.raises(IndexFormatError, match=r"newer version.*upgrade.*rebuild\(\)"):
        store.similarity_search("pump")
    (note,) = ask(store, on_leg_error="degrade").notes
    assert "upgrade langchain-chroma-hybrid" in note
    assert json.loads(path.read_text("utf-8")) == content
    store.rebuild()
    assert ask(store).notes == ()
    assert_in_step(store)


class Reversed(Splitter):
    """Rules of tomorrow: words are read backwards."""

    def pieces(self, chunk: str) -> Any:
        return [piece._replace(term=piece.term[::-1]) for piece in super().pieces(chunk)]


def test_queries_go_by_the_rules_that_the_index_was_built_by(opened, held, folder, monkeypatch):
    monkeypatch.setitem(analyzer.RULES, NEXT, Reversed)
    gate, store = held("successor built"), opened()
    assert [hit.id for hit in ask(store, "leaning on rivers", mode="lexical").hits] == ["river"]
    assert store._index.lexical.analyzer.version == 3
    assert store._index.lexical.search("pump", 1)
    store.add_texts(["a pumping station"], ids=["written by the old rules"])
    assert gate.reached.wait(30)
    found = ask(store, "stations", mode="lexical")
    assert [hit.id for hit in found.hits] == ["written by the old rules"]
    assert found.notes == (NOTE,)
    gate.opened.set()
    wait_for_the_new(store)
    assert store._index.lexical.analyzer.version == NEXT
    found = ask(store, "stations", mode="lexical")
    assert [hit.id for hit in found.hits] == ["written by the old rules"]
    assert_in_step(store)
    store.close()
    monkeypatch.delitem(analyzer.RULES, NEXT)
    with pytest.raises(IndexFormatError, match=f"analyzer's rules {NEXT}"):
        opened().similarity_search("pump")


def test_another_stemmer_is_an_upgrade_too(opened, folder, fresh, held):
    path = index_folder(folder) / "format.json"
    path.write_text(path.read_text("utf-8").replace("english-", "english-0123456789ab:")
                    .replace("0123456789ab:", "0123456789ab;", 1)
                    .replace("0123456789ab;a51a6b547151", "0123456789ab"))  # fmt: skip
    assert "english-0123456789ab:stop" in path.read_text("utf-8")
    gate, store = held(), opened()
    assert ask(store).notes == (NOTE,)
    gate.opened.set()
    wait_for_the_new(store)
    assert_in_step(store, fresh)


def test_an_index_in_memory_is_never_old():
    store = chromadb.EphemeralClient().get_or_create_collection("ram", embedding_function=None)
    store.add("a", [0.5] * 16, documents="a pump")
    chroma = Chroma("ram", MODEL)
    assert ChromaHybridRetriever.from_vectorstore(chroma).search("pump").notes == ()
    assert not builders()
    chroma.delete_collection()


# The command line


def command(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_the_command_line(folder, held, monkeypatch):
    gate, end = held(), freshness._end

    def ending(*args: Any) -> None:
        gate.opened.set()
        end(*args)

    monkeypatch.setattr(freshness, "_end", ending)
    settings = ("--path", folder, "--collection", NAME)
    store = index_folder(folder) / "format.json"
    store.write_text(store.read_text("utf-8").replace(
        '"page_content",\n    "title"', '"page_content"'))  # fmt: skip
    search = ("search", "R123-78", *settings, "--mode", "lexical", "-k", 1, "--json")
    assert json.loads(command("info", *settings, "--json").stdout)["ready"] is False
    first = command(*search)
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout)["id"] == "pump"
    assert "of an older version" in first.stderr
    # Each call ends long before the build would: what it has done, the next one goes on with.
    later = [(wait_until(lambda: not builders()), command(*search))[1] for _ in range(3)]
    assert {each.stdout for each in later} == {first.stdout}
    assert later[-1].stderr == ""
    assert json.loads(command("info", *settings, "--json").stdout)["ready"] is True
    assert command("verify", *settings).exit_code == 0
