"""Trainings that are stopped, by a kill or a full disk, and the same call once more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

pytest.importorskip("sentence_transformers", reason="the extra `local` is not installed")
pytest.importorskip("accelerate", reason="the extra `finetune` is not installed")
pytest.importorskip("datasets", reason="the extra `finetune` is not installed")

from langchain_chroma_hybrid.errors import InvalidArgumentError, WriteError
from langchain_chroma_hybrid.finetune import fine_tune, from_pairs
from tests.tiny_models import save_sentence_transformer

PAIRS = [(f"question number {n}?", f"the answer is {n} times {n * 7}") for n in range(24)]
FAST = {"batch_size": 4, "epochs": 1, "checks": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_sentence_transformer(tmp_path_factory.mktemp("base") / "tiny")


def interrupted(base, output, step=4):
    """A run that was stopped at a step, and the folder of its checkpoints."""
    def stop(done, _):
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tune(base, from_pairs(PAIRS), output, **FAST, progress=stop)
    return output.with_name(f".{output.name}.training")


def test_no_room_on_disk_is_said_before_anything_is_trained(base, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(WriteError, match=r"no room for .* nothing was trained"):
        fine_tune(base, from_pairs(PAIRS), tmp_path / "new")


def test_a_disk_that_fills_up_loses_no_checkpoint(base, tmp_path, monkeypatch):
    from sentence_transformers import SentenceTransformer

    save = SentenceTransformer.save

    def full(model, path, **options):
        if Path(path).name == "model":
            raise OSError(28, "No space left on device")
        save(model, path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(SentenceTransformer, "save", full)
        with pytest.raises(WriteError, match="call again to go on"):
            fine_tune(base, from_pairs(PAIRS), tmp_path / "new", **FAST)
    assert not (tmp_path / "new").exists()
    seen = []
    fine_tune(base, from_pairs(PAIRS), tmp_path / "new", **FAST, progress=lambda *n: seen.append(n))
    assert not seen, "all steps were done"
    assert (tmp_path / "new" / "model.safetensors").exists()


def test_another_run_is_not_gone_on_with(base, tmp_path):
    interrupted(base, tmp_path / "new")
    with pytest.raises(InvalidArgumentError, match=r"^seed: .* restart=True begins anew"):
        fine_tune(base, from_pairs(PAIRS), tmp_path / "new", **FAST, seed=5)
    torn = next(Path(tmp_path).glob(".new.training/checkpoint-*"))
    (torn.parent / "checkpoint-999").mkdir()
    seen = []
    fine_tune(base, from_pairs(PAIRS), tmp_path / "new", **FAST, progress=lambda *n: seen.append(n))
    assert [done for done, _ in seen] == [4, 5, 6], "from the last whole checkpoint on"


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        pytest.param("optimizer.pt", marks=pytest.mark.long),
        pytest.param("trainer_state.json", marks=pytest.mark.long),
    ],
)
def test_a_torn_checkpoint_is_not_gone_on_with(base, tmp_path, name):
    folder = interrupted(base, tmp_path / "new")
    (folder / "checkpoint-of-another").mkdir()
    for path in folder.rglob(name):
        path.write_bytes(path.read_bytes()[:100])
    seen = []
    fine_tune(base, from_pairs(PAIRS), tmp_path / "new", **FAST, progress=lambda *n: seen.append(n))
    assert [done for done, _ in seen] == [1, 2, 3, 4, 5, 6], "from the beginning"


def test_a_base_that_has_changed_in_its_place_is_another_one(base, tmp_path):
    own = tmp_path / "own"
    shutil.copytree(base, own)
    fine_tune(own, from_pairs(PAIRS), tmp_path / "done", **FAST)
    interrupted(own, tmp_path / "new")
    shutil.rmtree(own)
    save_sentence_transformer(own, seed=1)
    with pytest.raises(InvalidArgumentError, match=r"^weights of base: .* restart=True"):
        fine_tune(own, from_pairs(PAIRS), tmp_path / "new", **FAST)
    with pytest.raises(InvalidArgumentError, match=r"^output: .* of the same run"):
        fine_tune(own, from_pairs(PAIRS), tmp_path / "done", **FAST)


@pytest.mark.parametrize("place", ["file/new", "n" * 260])
def test_places_where_no_model_can_be(base, tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot be written"):
        fine_tune(base, from_pairs(PAIRS), tmp_path / place)
    with pytest.raises(InvalidArgumentError, match=r"^output: "):
        fine_tune(base, from_pairs(PAIRS), "/")


def test_one_process_at_a_time_trains_for_a_folder(base, tmp_path):
    lock = tmp_path / ".new.lock"
    with FileLock(lock), pytest.raises(WriteError, match="another process trains for new"):
        fine_tune(base, from_pairs(PAIRS), tmp_path / "new", **FAST)
    assert lock.exists()


@pytest.mark.long
def test_the_same_seed_gives_the_same_weights_also_after_a_stop(base, tmp_path):
    made = [fine_tune(base, from_pairs(PAIRS), tmp_path / str(n), **FAST) for n in range(2)]
    other = fine_tune(base, from_pairs(PAIRS), tmp_path / "other", **FAST, seed=1)
    interrupted(base, tmp_path / "stopped")
    resumed = fine_tune(base, from_pairs(PAIRS), tmp_path / "stopped", **FAST)
    assert made[0].fingerprint == made[1].fingerprint == resumed.fingerprint
    assert other.fingerprint != resumed.fingerprint


KILLED = """
import os, signal, sys
from langchain_chroma_hybrid.finetune import fine_tune
from tests.unit.test_finetune_interrupted import FAST, PAIRS, from_pairs

def kill(done, _):
    if done == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

fine_tune(sys.argv[1], from_pairs(PAIRS), sys.argv[2], **FAST, progress=kill)
"""


@pytest.mark.long
@pytest.mark.parametrize("step", [1, 4, 6])
def test_killed_at_a_step(base, tmp_path, step):
    whole = fine_tune(base, from_pairs(PAIRS), tmp_path / "whole", **FAST)
    command = [sys.executable, "-c", KILLED, base, str(tmp_path / "killed"), str(step)]
    assert subprocess.run(command, check=False).returncode == -9
    assert not (tmp_path / "killed").exists()
    assert fine_tune(base, from_pairs(PAIRS), tmp_path / "killed", **FAST).fingerprint == (
        whole.fingerprint
    )
