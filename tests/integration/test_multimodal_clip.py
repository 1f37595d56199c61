"""A real, small CLIP on renderings that it never saw: pictures are found by words and by pictures.

With LCH_CLIP_MODEL the same tests run with that model, by Hub name or path.
"""

import os

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="models need the extra `local`")
pytest.importorskip("PIL", reason="pictures need the extra `image`")

from langchain_chroma_hybrid.multimodal import ImageCollection
from tests import pictures

# Every third picture, before backgrounds that training never showed it with. Chance is 1 in 95.
POSITIONS = range(0, 285, 3)
CHANCE = 1 / len(POSITIONS)
TINY = pytest.mark.skipif("LCH_CLIP_MODEL" in os.environ, reason="knows the tiny model's colours")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Two folders of renderings, and the names."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
    for position in POSITIONS:
        stem = pictures.rows()[position]["file"].removesuffix(".png")
        for folder, colour in zip(folders, pictures.held_out(position), strict=True):
            pictures.render(position, colour, seed=11).save(folder / f"{stem}.jpg", quality=90)
    return folders, [pictures.rows()[position]["caption"] for position in POSITIONS]


@pytest.fixture(scope="module")
def vectors(rendered):
    folders, captions = rendered
    clip = pictures.clip()
    files = [pictures.rows()[at]["file"].replace(".png", ".jpg") for at in POSITIONS]
    one, other = (clip.image_vectors([folder / file for file in files]) for folder in folders)
    return clip.document_vectors(captions), one, other


def test_words_find_pictures(vectors):
    texts, one, _ = vectors
    assert pictures.recall(texts, one, 1) > 20 * CHANCE
    assert pictures.recall(texts, one, 10) > 0.7


def test_pictures_find_words(vectors):
    texts, one, _ = vectors
    assert pictures.recall(one, texts, 1) > 20 * CHANCE


def test_pictures_find_other_renderings(vectors):
    _, one, other = vectors
    assert pictures.recall(one, other, 1) > 10 * CHANCE
    assert pictures.recall(one, other, 10) > 0.5


@TINY
def test_words_and_arithmetic_change_the_background(rendered, vectors):
    _, captions = rendered
    _, one, other = vectors
    backgrounds = [pictures.held_out(position) for position in POSITIONS]
    clip = pictures.clip()
    both = np.concatenate([one, other])
    asked = [f"{c} on a {b[1]} background" for c, b in zip(captions, backgrounds, strict=True)]
    best = (clip.document_vectors(asked) @ both.T).argmax(axis=1)
    assert (best == np.arange(len(asked)) + len(asked)).mean() > 0.6


def test_captions_and_pictures_together_beat_each_alone(rendered, tmp_path):
    folders, _ = rendered
    # Half of the pictures have captions that say what they are, all have vectors.
    files = sorted(folders[0].iterdir())
    by_stem = {
        pictures.rows()[p]["file"].removesuffix(".png"): pictures.rows()[p]["caption"]
        for p in POSITIONS
    }
    known = {file.name: by_stem[file.stem] for at, file in enumerate(files) if at % 2}
    collection = ImageCollection.open("clip", pictures.clip(), tmp_path / "db")
    # File names would say everything.
    collection.store.delete_collection()
    collection = ImageCollection.open(
        "clip", pictures.clip(), tmp_path / "db", lexical_fields={"page_content": 1.0}
    )
    assert collection.sync(folders[0], captions=known).failed == ()

    def recall(mode):
        found = [collection.search(by_stem[file.stem], mode=mode, k=1) for file in files]
        right = [
            bool(documents) and documents[0].metadata["file_name"] == file.name
            for documents, file in zip(found, files, strict=True)
        ]
        return sum(right) / len(right)

    hybrid, vector, lexical = recall("hybrid"), recall("vector"), recall("lexical")
    assert hybrid > vector > 20 * CHANCE
    assert hybrid > lexical > 0.4


def test_the_model_card_and_licences_are_there():
    card = (pictures.DATA / "tiny-clip" / "README.md").read_text(encoding="utf-8")
    assert "Apache License 2.0" in card
    assert "Apache License" in (pictures.PICTURES / "LICENSE.txt").read_text(encoding="utf-8")
    files = {path.name for path in pictures.PICTURES.glob("*.png")}
    assert files == {row["file"] for row in pictures.rows()}
    weights = (pictures.DATA / "tiny-clip" / "model.safetensors").stat().st_size
    assert weights <= 6_000_000
    assert sum(path.stat().st_size for path in pictures.PICTURES.iterdir()) <= 3_000_000


def test_the_training_script_makes_a_model_that_loads(tmp_path, monkeypatch, capsys):
    import runpy
    import sys

    import torch

    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    threads = torch.get_num_threads()
    arguments = ["train", "--steps", "2", "--batch", "8", "--out", str(tmp_path / "made")]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(pictures.DATA / "train_tiny_clip.py"), run_name="__main__")
    torch.set_num_threads(threads)
    made = MultimodalEmbeddings(tmp_path / "made", device="cpu")
    assert made.image_vectors([pictures.render(0, "red")]).shape == (1, 128)
    assert "step" in capsys.readouterr().out
