"""Pictures: how fast they go in, how fast an unchanged folder is passed over, what is found.

    python benchmarks/multimodal.py speed  MODEL FOLDER [--images 256]
    python benchmarks/multimodal.py rescan FOLDER
    python benchmarks/multimodal.py recall FOLDER LITCLIP [--images 1000] [--captioned 1.0]

MODEL    any joint model that Sentence Transformers loads
FOLDER   pictures; for `recall` with a captions.jsonl of `_id`, `file` and `captions`
LITCLIP  a folder with litclip.py and heldout.json, the ids that it was not trained on

`speed` compares with the same model called with one picture at a time, as Chroma's own embedding
functions do, and says where the time goes. `captioned` is the share of pictures that have a caption
to be found by.
"""

from __future__ import annotations

import argparse
import cProfile
import importlib
import json
import pstats
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _results import recorded
from PIL import Image

from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings
from langchain_chroma_hybrid.multimodal import ImageCollection
from langchain_chroma_hybrid.multimodal.scan import find


def seconds(run: Any, times: int = 3) -> float:
    """Median wall time."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def speed(model: str, folder: Path, images: int) -> None:
    files = [file.path for file in find(folder, None, recursive=True)][:images]
    embeddings = MultimodalEmbeddings(model, device="cpu")
    loaded = embeddings.text.model  # type: ignore[attr-defined]

    def one_at_a_time() -> list[Any]:
        return [loaded.encode([Image.open(path)], show_progress_bar=False)[0] for path in files]

    single, ours = one_at_a_time(), embeddings.embed_image(files)
    agree = [float(a @ b / np.linalg.norm(a)) for a, b in zip(single, np.array(ours), strict=True)]
    slow, fast = seconds(one_at_a_time), seconds(lambda: embeddings.embed_image(files))
    pictures = [Image.open(path).convert("RGB") for path in files]
    encode = seconds(lambda: embeddings.encode_images(pictures))
    processor = loaded.processor.image_processor
    prepare = seconds(lambda: processor(pictures, return_tensors="pt"))
    print(f"{len(files)} pictures, lowest cosine between both ways {min(agree):.4f}")
    print(f"one at a time      {len(files) / slow:8.1f} images/s")
    print(f"embed_image        {len(files) / fast:8.1f} images/s   {slow / fast:.2f}x")
    print(f"  of it, decoded   {len(files) / encode:8.1f} images/s if nothing had to be read")
    print(f"  of it, prepared  {len(files) / prepare:8.1f} images/s in the model's own processor")
    profile = cProfile.Profile()
    profile.runcall(embeddings.embed_image, files)
    pstats.Stats(profile).sort_stats("tottime").print_stats(12)


def rescan(folder: Path) -> None:
    def images(given: list[Any]) -> np.ndarray:
        return np.array([np.asarray(image.resize((8, 8)), np.float32).ravel() for image in given])

    def texts(given: list[str]) -> np.ndarray:
        return np.ones((len(given), 192))

    embeddings = MultimodalEmbeddings(text_fn=texts, image_fn=images, batch_size=128)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        collection = ImageCollection.open("rescan", embeddings, place)
        start = time.perf_counter()
        first = collection.sync(folder)
        took = time.perf_counter() - start
        print(f"first sync: {len(first.added)} pictures, {len(first.failed)} failed, {took:.1f} s")
        again = seconds(lambda: collection.sync(folder))
        passed = len(collection.sync(folder).unchanged)
        print(f"unchanged:  {passed} pictures passed over in {again:.2f} s")
        collection.store.delete_collection()


def recall(folder: Path, litclip: Path, images: int, captioned: float) -> None:
    lines = (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    held = json.loads((litclip / "heldout.json").read_text(encoding="utf-8"))
    chosen = next(
        (set(ids) for name, ids in held.items() if folder.name.startswith(name.split("_")[0])),
        set(),
    )
    rows = [row for row in rows if not chosen or row["_id"] in chosen][:images]
    sys.path.insert(0, str(litclip))
    model = importlib.import_module("litclip").LitClip()
    embeddings = MultimodalEmbeddings(text_fn=model.encode_text, image_fn=model.encode_image)
    collection = ImageCollection.open("recall", embeddings, lexical_fields={"page_content": 1.0})
    # The first caption of each picture is stored, the last one asks, where there are several.
    collection.add(
        [folder / row["file"] for row in rows],
        captions=[
            row["captions"][0] if (at * captioned) % 1 < captioned else None
            for at, row in enumerate(rows)
        ],
        ids=[row["_id"] for row in rows],
    )
    asked = [(row["_id"], row["captions"][-1]) for row in rows]
    print(f"{len(rows)} pictures of {folder.name}, {captioned:.0%} with their first caption stored")
    for mode, weights in (
        ("vector", None),
        ("lexical", None),
        ("hybrid", None),
        ("hybrid", (0.25, 0.75)),
    ):
        ranks = []
        for id_, text in asked:
            ids = [
                document.id
                for document in collection.search(text, mode=mode, weights=weights, k=10)
            ]
            ranks.append(ids.index(id_) if id_ in ids else 10)
        at_1, at_10 = np.mean(np.array(ranks) < 1), np.mean(np.array(ranks) < 10)
        name = mode if weights is None else f"{mode} {weights[0]:g}/{weights[1]:g}"
        print(f"{name:16s} recall@1 {at_1:.3f}   recall@10 {at_10:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, places in (
        ("speed", ("model", "folder")),
        ("rescan", ("folder",)),
        ("recall", ("folder", "litclip")),
    ):
        command = commands.add_parser(name)
        for place in places:
            command.add_argument(place, type=str if place == "model" else Path)
        if name != "rescan":
            command.add_argument("--images", type=int, default=256 if name == "speed" else 1000)
        if name == "recall":
            command.add_argument("--captioned", type=float, default=1.0)
    given = vars(parser.parse_args())
    name, folder = given.pop("command"), given["folder"].name
    packages = ("torch", "sentence-transformers", "chromadb", "pillow")
    with recorded(f"multimodal {name} {folder}", f"Pictures, {name}, {folder}", *packages):
        {"speed": speed, "rescan": rescan, "recall": recall}[name](**given)


if __name__ == "__main__":
    main()
