"""Plain Chroma, killed at random while it writes: how often does its collection open again?

python benchmarks/chroma_kills.py --work /path/for/collections [--kills 40]

Nothing of this library takes part. Chroma writes its vector files in place, every `sync_threshold`
records; a kill in the middle of that is what no library on top can mend.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import chromadb
from _results import RESULTS, setting, table, write_section

NAME, IDS, KILLS_A_FOLDER = "documents", 400, 20
OPEN = f"""
import chromadb, sys
client = chromadb.PersistentClient(sys.argv[1])
collection = client.get_collection("{NAME}", embedding_function=None)
collection.query(query_embeddings=[[1.0] * 8], n_results=min(50, collection.count()) or 1)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, help="emptied")
    parser.add_argument("--kills", type=int, default=40)
    options = parser.parse_args()
    shutil.rmtree(options.work, ignore_errors=True)
    rows = []
    for threshold in (1_000, 1_000_000):
        broken = _broken(options.work / str(threshold), threshold, options.kills)
        rows.append([f"{threshold:,}", str(options.kills), str(broken)])
    head = ["sync_threshold", "kills", "collections that no client opens any more"]
    told = table(head, rows)
    text = f"## Plain Chroma, killed while it writes\n\n{told}\n\n{setting('chromadb')}"
    write_section(RESULTS, "kills", text)
    print(text)


def _broken(folder: Path, threshold: int, kills: int) -> int:
    folder.mkdir(parents=True)
    context, chance = multiprocessing.get_context("forkserver"), random.Random(threshold)  # noqa: S311
    broken = used = 0
    for kill in range(kills):
        used = kill if kill % KILLS_A_FOLDER == 0 else used
        place, ready = folder / str(used), folder / f"ready{kill}"
        process = context.Process(target=_write, args=(place, ready, threshold, kill))
        process.start()
        while not ready.exists():
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
        process.join()
        if subprocess.run([sys.executable, "-c", OPEN, place], capture_output=True).returncode:  # noqa: PLW1510, S603
            broken, used = broken + 1, kill + 1
    return broken


def _write(place: Path, ready: Path, threshold: int, seed: int) -> None:
    collection = chromadb.PersistentClient(str(place)).get_or_create_collection(
        NAME, embedding_function=None, configuration={"hnsw": {"sync_threshold": threshold}}
    )
    chance = random.Random(seed)  # noqa: S311
    ready.touch()
    while True:
        some = [f"id{n}" for n in chance.sample(range(IDS), chance.choice([160, 250]))]
        vectors = [[chance.random() for _ in range(8)] for _ in some]
        collection.upsert(some, vectors, documents=["words"] * len(some))
        collection.delete([f"id{n}" for n in chance.sample(range(IDS), 20)])


if __name__ == "__main__":
    main()
