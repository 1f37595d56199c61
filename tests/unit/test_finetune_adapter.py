"""Adapters: a layer on the query side alone, over any embeddings."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `local` is not installed")

from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.errors import InvalidArgumentError, WriteError
from langchain_chroma_hybrid.finetune import (
    AdaptedEmbeddings,
    from_pairs,
    from_scored_pairs,
    from_triplets,
    train_adapter,
)
from tests.helpers import COSINE

SIZE, MANY = 16, 120


class Turned(Embeddings):
    """Numbers as random vectors; queries are turned away by one rotation. Counts its texts."""

    def __init__(self, turned=True) -> None:
        random = np.random.default_rng(0)
        self.points = random.normal(size=(MANY, SIZE))
        self.turn = np.linalg.qr(random.normal(size=(SIZE, SIZE)))[0] if turned else np.eye(SIZE)
        self.embedded: list[str] = []

    def embed_documents(self, texts):
        self.embedded += texts
        return [self.points[int(text.split()[-1])].tolist() for text in texts]

    def embed_query(self, text):
        return (self.turn @ self.points[int(text.split()[-1])]).tolist()


def data(start=0, stop=90, make=from_pairs):
    rows = [(f"query {n}", f"text {n}") for n in range(start, stop)]
    return make([(*row, f"text {(n + 5) % 90}") for n, row in enumerate(rows)]) if (
        make is from_triplets
    ) else make(rows)


def right(model):
    """Share of the last thirty queries, on which nothing was trained, that are answered first."""
    texts = np.array(model.embed_documents([f"text {n}" for n in range(MANY)]))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    queries = np.array([model.embed_query(f"query {n}") for n in range(90, MANY)])
    return float(((queries @ texts.T).argmax(axis=1) == np.arange(90, MANY)).mean())


@pytest.mark.parametrize("options", [{"kind": "linear"}, {"kind": "mlp", "hidden": 64}])
def test_a_layer_learns_what_the_model_does_wrong(options):
    base = Turned()
    made = train_adapter(base, data(), epochs=80, batch_size=32, learning_rate=0.01, **options)
    assert right(made) > right(base) + 0.4
    assert len(base.embedded) == 90 + 2 * MANY, "each text once"


def test_negatives_and_vectors_that_are_known_are_used():
    base = Turned()
    known = {f"text {n}": base.points[n].tolist() for n in range(90)}
    made = train_adapter(base, data(make=from_triplets), vectors=known, epochs=60,
                         batch_size=32, learning_rate=0.01, dev=data(90, 100))  # fmt: skip
    assert len(base.embedded) == 10, "those of dev"
    assert right(made) > right(base) + 0.4


def test_what_does_no_good_comes_back_as_no_layer():
    base = Turned(turned=False)
    wrong = from_pairs([(f"query {n}", f"text {(n * 37 + 11) % 90}") for n in range(90)])
    made = train_adapter(base, wrong, dev=data(90, MANY), epochs=3, learning_rate=0.5)
    assert made.embed_query("query 3") == pytest.approx(base.embed_query("query 3"), abs=1e-4)


def test_saved_and_loaded_it_gives_the_same_and_asks_for_its_base(tmp_path):
    def model(name):
        return FunctionEmbeddings(Turned().embed_documents, fingerprint=name)

    made = train_adapter(model("a"), data(), epochs=2)
    made.save(tmp_path / "layer")
    again = AdaptedEmbeddings.load(tmp_path / "layer", model("a"))
    assert again.embed_query("query 1") == made.embed_query("query 1")
    assert again.fingerprint == "a"
    assert again.query_fingerprint == made.query_fingerprint != "a"
    assert [path.name for path in tmp_path.iterdir()] == ["layer"]
    with pytest.raises(InvalidArgumentError, match=r"^base: .*it was made for"):
        AdaptedEmbeddings.load(tmp_path / "layer", model("b"))
    with pytest.raises(InvalidArgumentError, match=r"^folder: "):
        made.save(tmp_path / "layer")
    (tmp_path / "layer" / "adapter.safetensors").write_bytes(b"torn")
    for folder in (tmp_path / "layer", tmp_path):
        with pytest.raises(InvalidArgumentError, match=r"^folder: "):
            AdaptedEmbeddings.load(folder, model("a"))


def test_the_collection_is_not_embedded_anew(tmp_path):
    base = FunctionEmbeddings(Turned().embed_documents, fingerprint="a")
    options = {"persist_directory": str(tmp_path), "collection_configuration": COSINE}
    with HybridChroma("docs", base, **options) as store:
        store.add_texts([f"text {n}" for n in range(20)], ids=[str(n) for n in range(20)])
    adapted = train_adapter(base, data(), epochs=1)
    with HybridChroma("docs", adapted, persist_directory=str(tmp_path)) as store:
        assert len(store.similarity_search("query 7", k=3, mode="vector")) == 3


def test_bad_values():
    with pytest.raises(InvalidArgumentError, match=r"^data: .* pairs or triplets"):
        train_adapter(Turned(), from_scored_pairs([("a", "b", 1.0), ("c", "d", 0.0)]))
    with pytest.raises(InvalidArgumentError, match=r"^kind: "):
        train_adapter(Turned(), data(), kind="deep")
    with pytest.raises(InvalidArgumentError, match=r"^dev: "):
        train_adapter(Turned(), data(), dev=data(0, 4))
    with pytest.raises(InvalidArgumentError, match=r"^base: .* of dimension 3"):
        AdaptedEmbeddings(Turned(), {"linear": np.zeros((3, 3))}).embed_query("query 1")


class Short(Turned):
    def embed_documents(self, texts):
        return super().embed_documents(texts)[1:]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embeddings": None}, "embeddings: "),
        ({"embeddings": "minilm"}, "embeddings: .* SentenceTransformerEmbeddings"),
        ({"embeddings": Short()}, "embeddings: expected 64, one per text"),
        ({"data": [("a", "b")]}, "data: expected TrainingData"),
        ({"data": from_pairs([("a", "b")])}, "data: expected at least 2"),
        ({"dev": from_pairs([])}, "dev: expected at least 2"),
        ({"dev": []}, "dev: expected TrainingData"),
        ({"seed": "x"}, "seed: "),
        ({"seed": -1}, "seed: "),
        ({"vectors": [[1.0]]}, "vectors: expected a mapping"),
        ({"vectors": {f"text {n}": [1.0] for n in range(90)}}, "dimension 16, got 'dimension 1'"),
        ({"vectors": {"text 3": [1.0, 2.0]}}, "vectors of one length"),
        ({"vectors": {"text 3": "nearest"}}, "embeddings: expected"),
    ],
)
def test_what_no_layer_learns_from(options, message):
    with pytest.raises(InvalidArgumentError, match=message):
        train_adapter(**{"embeddings": Turned(), "data": data(), "epochs": 1, **options})


@pytest.mark.parametrize(
    "weights",
    [
        [1], {"linear": "text"}, {"linear": np.zeros((3, 16))}, {"linear": np.zeros(16)},
        {"linear": np.full((16, 16), np.nan)}, {"other": np.zeros((16, 16))},
        {"inner": np.zeros((5, 16)), "inner_bias": np.zeros(4), "outer": np.zeros((16, 5))},
    ],
)  # fmt: skip
def test_what_is_no_layer(weights):
    with pytest.raises(InvalidArgumentError, match="weights: expected"):
        AdaptedEmbeddings(Turned(), weights)


def test_a_layer_for_vectors_of_another_length_is_refused_when_it_is_opened(tmp_path):
    train_adapter(Turned(), data(), epochs=1).save(tmp_path / "layer")
    longer = Turned()
    longer.dimension = 17
    with pytest.raises(InvalidArgumentError, match=r"base: .* of dimension 16, got 'dimension 17'"):
        AdaptedEmbeddings.load(tmp_path / "layer", longer)


@pytest.mark.parametrize("place", [1, 200])
def test_weights_that_are_not_those_that_were_saved(tmp_path, place):
    train_adapter(Turned(), data(), epochs=1).save(tmp_path / "layer")
    file = tmp_path / "layer" / "adapter.safetensors"
    content = bytearray(file.read_bytes())
    content[-place] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(InvalidArgumentError, match="folder: expected the weights that were saved"):
        AdaptedEmbeddings.load(tmp_path / "layer", Turned())


def test_no_room_for_a_layer_leaves_nothing(tmp_path, monkeypatch):
    made = train_adapter(Turned(), data(), epochs=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", full)
    with pytest.raises(WriteError, match=r"layer cannot be written: .* No space left"):
        made.save(tmp_path / "layer")
    with pytest.raises(InvalidArgumentError, match=r"notes: .* that JSON can hold"):
        made.save(tmp_path / "layer", {"base": object()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_five_thousand_pairs_in_a_minute():
    import time

    random = np.random.default_rng(0)
    texts = {f"text {n}": v for n, v in enumerate(random.normal(size=(5_000, 384)).tolist())}
    noisy = {f"query {n}": texts[f"text {n}"] for n in range(5_000)}
    base = FunctionEmbeddings(lambda some: [noisy[text] for text in some])
    pairs = from_pairs([(f"query {n}", f"text {n}") for n in range(5_000)])
    started = time.process_time()
    train_adapter(base, pairs, vectors=texts)
    # A minute of two cores, whoever else uses them.
    assert time.process_time() - started < 120
