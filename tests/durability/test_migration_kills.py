"""Whatever instant a migration is killed at: the old collection or the new one, never a mix."""

from __future__ import annotations

import shutil
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any

import chromadb
import pytest
from typer.testing import CliRunner

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.cli.app import app
from langchain_chroma_hybrid.engine.sync.failpoints import OF_MIGRATIONS, OF_NAMES
from langchain_chroma_hybrid.errors import CollectionError, ModelChangedError
from tests.durability.migrating import (
    ACTIONS,
    NAME,
    N,
    at_some_time,
    closed,
    filled,
    migrated,
    opened,
    steps_of,
    until,
)
from tests.durability.processes import ended, started
from tests.durability.workers import Log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KILLED = -getattr(signal, "SIGKILL", signal.SIGTERM)
OF_SWITCHES = ("batch written", "batch copied", "writers wait", "switched")
STEPS = {
    "migrate": OF_MIGRATIONS,
    "swap": (*OF_MIGRATIONS, *OF_NAMES[:3]),
    "roll back": OF_SWITCHES,
    "drop": OF_NAMES,
}
IDS = {f"id{i}" for i in range(N)}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("templates")
    make: dict[str, Callable[[Path], None]] = {"filled": filled, "migrated": migrated}
    for name, fill in make.items():
        assert ended(started(fill, folder / name)) == 0
    return {name: folder / name for name in make}


@pytest.fixture
def begun(templates: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """The state that an action starts from."""

    def copied(action: str) -> Path:
        template = "filled" if action in ("migrate", "swap") else "migrated"
        return shutil.copytree(templates[template], tmp_path / "db")

    return copied


def seen_by(folder: Path, model: str) -> set[str] | None:
    """The ids that a store with that model finds; None if it is told that it has the wrong one."""
    store = opened(folder, model)
    try:
        hits = {document.id or "" for document in store.similarity_search("words", k=10_000)}
        words = {d.id for d in store.similarity_search("words", k=10_000, mode="lexical")}
        assert hits == words == set(store.get(include=[])["ids"])
    except ModelChangedError:
        return None
    finally:
        closed(store)
    return hits


def live(folder: Path) -> tuple[str, set[str]]:
    """The one model that the collection goes by, and its ids."""
    found = {model: seen_by(folder, model) for model in ("old", "new")}
    ((model, ids),) = [(model, ids) for model, ids in found.items() if ids is not None]
    return model, ids


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_passes_its_steps(
    action: str, begun: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = begun(action)
    assert ended(started(steps_of, folder, action, tmp_path / "log")) == 0
    ((_, seen),) = Log(tmp_path / "log").read()
    assert set(STEPS[action]) <= set(seen)
    model, ids = live(folder)
    assert model == ("old" if action == "roll back" else "new")
    assert ids == IDS | ({"since"} if action in ("roll back", "drop") else set())


def some() -> list[Any]:
    """Each step of each action; CI has two of them."""
    quick = {("migrate", "batch written"), ("migrate", "switched")}
    return [
        pytest.param(action, step, marks=[] if (action, step) in quick else [pytest.mark.long])
        for action, steps in STEPS.items()
        for step in steps
    ]


@pytest.mark.parametrize(("action", "step"), some())
def test_killed_at_a_step(action: str, step: str, begun: Callable[[str], Path]) -> None:
    folder = begun(action)
    times = 2 if step.startswith("batch") and action != "roll back" else 1
    assert ended(started(until, folder, action, step, times)) == KILLED
    model, ids = live(folder)
    assert ids >= IDS
    done = "old" if action == "roll back" else "new"
    if model != done or (action == "drop" and step != "old dropped"):
        assert ended(started(ACTIONS[action], folder)) == 0
    model, ids = live(folder)
    assert model == done
    assert ids == IDS | ({"since"} if action in ("roll back", "drop") else set())
    assert len(names(folder)) == (1 if action == "drop" else 2)


def names(folder: Path) -> set[str]:
    client = chromadb.PersistentClient(str(folder))
    found = {collection.name for collection in client.list_collections()}
    client.close()
    assert NAME in found
    return found


@pytest.mark.long
def test_killed_two_hundred_times(begun: Callable[[str], Path], tmp_path: Path) -> None:
    models: Counter[str] = Counter()
    template = begun("migrate")
    for seed in range(200):
        folder = shutil.copytree(template, tmp_path / f"db{seed}")
        log = tmp_path / f"log{seed}"
        assert ended(started(at_some_time, folder, seed, log)) == KILLED
        model, ids = live(folder)
        models[model] += 1
        acknowledged = {id_ for _, id_ in Log(log).read()}
        assert ids >= IDS | acknowledged, seed
        if model == "old":
            assert ended(started(ACTIONS["migrate"], folder)) == 0
            model, ids = live(folder)
            assert model == "new"
            assert ids >= IDS | acknowledged, seed
        shutil.rmtree(folder)
    assert min(models["old"], models["new"]) > 0


def test_a_name_that_has_come_back_is_refused(begun: Callable[[str], Path]) -> None:
    folder = begun("drop")
    assert ended(started(until, folder, "drop", "old renamed", 1)) == KILLED
    client = chromadb.PersistentClient(str(folder))
    client.create_collection(NAME)
    with pytest.raises(CollectionError, match="another collection is called 'documents' by now"):
        opened(folder, "new")
    # That is nothing to other collections of the folder.
    HybridChroma("others", persist_directory=str(folder)).close()
    client.delete_collection(NAME)
    client.close()
    assert live(folder) == ("new", IDS | {"since"})


def test_the_command_finishes_what_was_begun(begun: Callable[[str], Path]) -> None:
    folder = begun("drop")
    assert ended(started(until, folder, "drop", "old renamed", 1)) == KILLED
    found = CliRunner().invoke(app, ["search", "words", "-c", NAME, "--path", str(folder),
                                     "--mode", "lexical"])  # fmt: skip
    assert found.exit_code == 0, found.stderr
