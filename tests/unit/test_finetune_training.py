"""Training a tiny model: the folder, what decides it, errors; the rest is in tests/long.md."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("sentence_transformers", reason="the extra `local` is not installed")
pytest.importorskip("accelerate", reason="the extra `finetune` is not installed")
pytest.importorskip("datasets", reason="the extra `finetune` is not installed")

from langchain_chroma_hybrid import SentenceTransformerEmbeddings
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune import fine_tune, from_pairs, from_scored_pairs, from_triplets
from langchain_chroma_hybrid.finetune.losses import chosen, columns
from tests.tiny_models import save_sentence_transformer

PAIRS = [(f"question number {n}?", f"the answer is {n} times {n * 7}") for n in range(24)]
SCORED = [("die katze", "straße", 0.0), ("größe", "übung", 1.0), ("müller", "der müller", 0.0)]
TRIPLETS = [(a, b, "no answer") for a, b in PAIRS]
FAST = {"batch_size": 4, "epochs": 1, "checks": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_sentence_transformer(tmp_path_factory.mktemp("base") / "tiny")


def test_a_model_is_trained_saved_and_known_again(base, tmp_path, capfd):
    data = from_pairs(PAIRS)
    parts = data.split(0.25)
    seen = []
    made = fine_tune(base, parts.train, tmp_path / "new", dev=parts.dev, patience=3, **FAST,
                     progress=lambda done, all_: seen.append((done, all_)))  # fmt: skip

    assert seen[-1][0] == seen[-1][1] == len(seen)
    assert sorted(made.metrics) == ["after", "before"]
    assert made.loss == "multiple_negatives"
    embeddings = SentenceTransformerEmbeddings(made.folder)
    assert embeddings.fingerprint == made.fingerprint == made.embeddings().fingerprint
    assert embeddings.fingerprint != SentenceTransformerEmbeddings(base).fingerprint
    notes = json.loads((tmp_path / "new" / "finetune.json").read_text())
    assert notes["data_digest"] == parts.train.digest
    card = (tmp_path / "new" / "README.md").read_text()
    assert made.fingerprint in card
    assert str(tmp_path) not in card
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert capfd.readouterr() == ("", ""), "no bar but on a terminal"

    again = fine_tune(base, parts.train, tmp_path / "new", dev=parts.dev, patience=3, **FAST)
    assert again == made, "the same run gives what is there"
    with pytest.raises(InvalidArgumentError, match=r"^output: .* of the same run"):
        fine_tune(base, parts.train, tmp_path / "new", seed=1)


def test_the_loss_follows_the_data():
    assert chosen("auto", from_pairs(PAIRS)) == "multiple_negatives"
    assert chosen("auto", from_triplets(TRIPLETS)) == "multiple_negatives"
    assert chosen("auto", from_scored_pairs(SCORED)) == "online_contrastive"
    assert chosen("auto", from_scored_pairs([("a", "b", 0.3), ("c", "d", 1.0)])) == "cosine"
    two = from_triplets([("a", "b", "c", "d"), ("e", "f", "g")])
    assert list(columns(two, "multiple_negatives"))[2:] == ["negative_0", "negative_1"]
    assert columns(two, "multiple_negatives")["negative_1"] == ["d", "g"]
    assert columns(two, "triplet")["negative"] == ["c", "d", "g"]


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (from_pairs([]), {}, "^data: expected at least 2 examples, got '0"),
        (from_pairs(PAIRS[:1]), {}, "^data: expected at least 2 examples"),
        (from_pairs(PAIRS), {"loss": "cosine"}, "^loss: expected one for pairs"),
        (from_scored_pairs([("a", "b", 0.3), ("c", "d", 1.0)]), {"loss": "contrastive"}, "^loss: "),
        (from_pairs(PAIRS), {"loss": "best"}, "^loss: expected one of auto"),
        (from_pairs(PAIRS), {"dev": from_pairs(PAIRS[:3])}, "^dev: expected no query that data"),
        (from_pairs(PAIRS), {"batch_size": 0}, "^batch_size: "),
        (from_pairs(PAIRS), {"learning_rate": -1}, "^learning_rate: "),
        (from_pairs(PAIRS), {"matryoshka": [64]}, "^matryoshka: expected dimensions from 1 to 32"),
        (from_pairs(PAIRS), {"matryoshka": 8}, "^matryoshka: expected dimensions"),
        (from_pairs(PAIRS), {"matryoshka": ["8"]}, "^matryoshka: "),
        (from_pairs(PAIRS), {"learning_rate": 0}, "^learning_rate: "),
        (from_pairs(PAIRS), {"seed": 1.5}, "^seed: "),
        (from_pairs(PAIRS), {"bf16": True}, "^bf16: expected None or False"),
        (from_pairs(PAIRS), {"progress": 5}, "^progress: expected a function"),
        (PAIRS, {}, "^data: expected TrainingData"),
        (from_pairs(PAIRS), {"dev": PAIRS}, "^dev: expected TrainingData"),
        (from_scored_pairs(SCORED), {"dev": from_scored_pairs([("x", "y", 1), ("z", "w", 1)])},
         "^dev: expected scores that are not all alike"),
    ],
)
def test_what_cannot_be_trained(base, tmp_path, data, options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        fine_tune(base, data, tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_bases_that_cannot_be_trained(base, tmp_path):
    without = tmp_path / "without"
    shutil.copytree(base, without)
    for path in without.glob("*token*"):
        path.unlink()
    for path in without.glob("vocab*"):
        path.unlink()
    torn = tmp_path / "torn"
    shutil.copytree(base, torn)
    (torn / "model.safetensors").write_bytes(b"torn")
    for bad, message in (
        (without, r"^base: expected a model with a tokenizer"),
        (tmp_path / "lost", r"^base: expected an existing model folder"),
        (5, r"^base: expected a Hub name, a folder"),
        (torn, r"^base: expected a model that loads"),
    ):
        with pytest.raises(InvalidArgumentError, match=message):
            fine_tune(bad, from_pairs(PAIRS), tmp_path / "new")


def test_half_characters_and_long_texts_are_learnt_from(base, tmp_path):
    data = from_pairs([("a\ud800", "b\udfff"), ("c", "d\0"), ("😀" * 5_000, "word " * 50_000)])
    assert fine_tune(base, data, tmp_path / "模型", **FAST).embeddings().embed_query("a\ud800")


LONG = [
    ({"loss": "cached_multiple_negatives", "mini_batch_size": 2}, PAIRS),
    ({"loss": "multiple_negatives", "matryoshka": [8, 16]}, PAIRS),
    ({"gradient_accumulation": 2, "max_seq_length": 16}, PAIRS),
    ({"lora": 4}, PAIRS),
    ({"loss": "cosine"}, SCORED),
    ({"loss": "contrastive"}, SCORED),
    ({"loss": "online_contrastive"}, [*SCORED, ("katze", "schläft", 1.0)]),
    ({"loss": "triplet"}, TRIPLETS),
]


@pytest.mark.long
@pytest.mark.parametrize(("options", "rows"), LONG)
def test_every_loss_trains_a_whole_model(base, tmp_path, options, rows):
    if "lora" in options:
        pytest.importorskip("peft")
    make = from_pairs if rows is PAIRS else from_triplets if rows is TRIPLETS else from_scored_pairs
    made = fine_tune(base, make(rows), tmp_path / "new", **{**FAST, **options})
    folder = Path(made.folder)
    assert (folder / "model.safetensors").exists()
    assert not (folder / "adapter_config.json").exists()
    assert made.embeddings().fingerprint == made.fingerprint
    assert made.fingerprint != SentenceTransformerEmbeddings(base).fingerprint


@pytest.mark.long
def test_a_plain_encoder_and_minilm_are_bases(tmp_path):
    from langchain_chroma_hybrid import minilm
    from tests.tiny_models import save_encoder

    encoder = save_encoder(tmp_path / "encoder")
    made = fine_tune(encoder, from_pairs(PAIRS), tmp_path / "cls", pooling="cls", **FAST)
    assert len(made.embeddings().embed_query("a")) == 32
    small = fine_tune(minilm(), from_pairs(PAIRS[:4]), tmp_path / "minilm", **FAST)
    assert len(small.embeddings().embed_query("a")) == 384
