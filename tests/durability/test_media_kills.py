"""A process that is killed while it brings in sound and video: the next `sync` makes it whole."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("av", reason="sound and video need the extra `media`")

from langchain_chroma_hybrid.multimodal import MediaCollection
from tests import recordings
from tests.durability.processes import ended, started

KILLED = -getattr(signal, "SIGKILL", signal.SIGTERM)
COLOURS = ("red", "green", "blue", "cyan")


def opened(home: str) -> MediaCollection:
    return MediaCollection.open("archive", recordings.embeddings(), Path(home) / "db")


def sync_for_ever(home: str) -> None:
    """Files come, change, are described otherwise, and go, from one `sync` to the next."""
    archive, folder = opened(home), Path(home) / "media"
    for turn in range(1_000):
        recordings.save_video(folder / f"{turn % 3}.mp4", *COLOURS[: 2 + turn % 3], seconds=1)
        if turn % 4 == 3:
            (folder / f"{(turn + 1) % 3}.mp4").unlink(missing_ok=True)
        archive.sync(folder, captions=lambda path, turn=turn: f"caption {turn // 2}")


def kill_and_look(home: Path, seed: int) -> None:
    process = started(sync_for_ever, str(home))
    while not (home / "db" / "chroma.sqlite3").exists():
        time.sleep(0.05)
    time.sleep(random.Random(seed).uniform(0.2, 4.0))  # noqa: S311 - no secrets here
    process.kill()
    assert ended(process) == KILLED
    folder = home / "media"
    for path in folder.glob("*.mp4"):
        if path.stat().st_size < 1_000:  # killed while it was encoded
            path.unlink()
    recordings.save_video(folder / "9.mp4", "red", seconds=1)
    archive = opened(str(home))
    report = archive.sync(folder, captions=lambda path: "whole")
    kept = archive.store.get(include=["metadatas", "documents"])
    by_file: dict[str, set[int]] = {}
    for facts in kept["metadatas"]:
        by_file.setdefault(facts["media"], set()).add(facts["part"])
    assert set(by_file) >= set(report.ids)
    assert set(by_file) <= {str(path) for path in folder.glob("*.mp4")}
    whole = [path for path in by_file if path in report.ids]
    fresh = MediaCollection.open("fresh", recordings.embeddings())
    fresh.add(whole)
    expected = sorted(fresh.store.get()["ids"])
    assert sorted(i for i in kept["ids"] if i.rpartition("#")[0] in whole) == expected
    texts = zip(kept["documents"], kept["metadatas"], strict=True)
    assert {text for text, facts in texts if facts["media"] in whole} == {"whole"}
    assert archive.store.verify().ok
    fresh.store.delete_collection()
    archive.store.close()


@pytest.mark.long
def test_killed_at_random_instants(tmp_path: Path):
    for seed in range(12):
        kill_and_look(tmp_path / f"home{seed % 4}", seed)
