"""The real MiniLM against `SentenceTransformer.encode*` and against vectors kept in a file."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings
from langchain_chroma_hybrid.embeddings.onnx import export
from tests.tiny_models import minilm

sentence_transformers = pytest.importorskip("sentence_transformers", reason="the extra `local`")

GOLDEN = Path(__file__).with_name("test_embeddings_minilm.json")


@pytest.fixture(scope="module")
def golden():
    """Ten sentences and their vectors, as Sentence Transformers 6.2 gave them."""
    kept = json.loads(GOLDEN.read_text(encoding="utf-8"))
    return kept["sentences"], np.array(kept["vectors"], dtype=np.float32)


@pytest.fixture(scope="module")
def embeddings():
    return SentenceTransformerEmbeddings(minilm(), device="cpu")


@pytest.fixture(scope="module")
def model():
    return sentence_transformers.SentenceTransformer(minilm(), device="cpu")


def test_documents_are_encode_document_to_1e_6(embeddings, model, golden):
    sentences, _ = golden
    ours = np.array(embeddings.embed_documents(sentences))
    assert np.abs(ours - model.encode_document(sentences)).max() < 1e-6


def test_queries_are_encode_query_to_1e_6(embeddings, model, golden):
    for sentence in golden[0]:
        ours = np.array(embeddings.embed_query(sentence))
        assert np.abs(ours - model.encode_query(sentence)).max() < 1e-6


def test_the_vectors_are_those_in_the_file(embeddings, golden):
    sentences, vectors = golden
    assert len(sentences) == 10
    assert vectors.shape == (10, 384)
    assert np.abs(embeddings.document_vectors(sentences) - vectors).max() < 2e-6


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """MiniLM as ONNX in float32; int8 is quantised from the same file."""
    for module in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(module, reason="the extra `onnx`")
    folder = tmp_path_factory.mktemp("onnx")
    onnx_way(folder, quantize=False).embed_query("export")
    return folder


def onnx_way(folder, *, quantize):
    return SentenceTransformerEmbeddings(
        minilm(), backend="onnx", quantize=quantize, onnx_folder=folder
    )


@pytest.mark.long  # exporting MiniLM takes ten seconds; tests/unit has the same of a tiny model
@pytest.mark.parametrize(("quantize", "least_cosine"), [(False, 0.999_999), (True, 0.98)])
def test_onnx_is_within_its_tolerance(golden, exported, monkeypatch, quantize, least_cosine):
    done = next(exported.glob("*-float32/model.onnx"))
    monkeypatch.setattr(export, "_export", lambda model, path: shutil.copy(done, path))
    sentences, vectors = golden
    embeddings = onnx_way(exported, quantize=quantize)
    documents = embeddings.document_vectors(sentences)
    queries = np.stack([embeddings.query_vector(sentence) for sentence in sentences])
    assert (documents * vectors).sum(axis=1).min() > least_cosine
    assert (queries * vectors).sum(axis=1).min() > least_cosine
