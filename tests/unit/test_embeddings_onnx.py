"""The ONNX backend: kept by fingerprint, written whole, faithful within its tolerance."""

import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="the extra `onnx`")
pytest.importorskip("onnxruntime", reason="the extra `onnx`")
pytest.importorskip("onnxscript", reason="the extra `onnx`")

from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings
from langchain_chroma_hybrid.embeddings.onnx import export
from langchain_chroma_hybrid.errors import InvalidArgumentError, MissingDependencyError
from tests.tiny_models import save_encoder, save_sentence_transformer

TEXTS = ["die katze schläft", "我们喜欢吃苹果", "größe", "übung " * 100]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    prompts = {"query": "frage: ", "document": "text: "}
    return save_sentence_transformer(tmp_path_factory.mktemp("st") / "model", prompts=prompts)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Where exports of this file's tests are kept."""
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture
def quick(folder, kept, monkeypatch):
    """Exporting takes seconds: where the file matters and not its content, one is copied.

    Gives the paths that were written.
    """
    onnx_of(folder, kept, quantize=False).embed_query("katze")
    done = next(kept.glob("*-float32/model.onnx"))
    written = []
    monkeypatch.setattr(
        export, "_export", lambda model, path: written.append(shutil.copy(done, path))
    )
    return written


def onnx_of(model, kept, **options):
    return SentenceTransformerEmbeddings(model, backend="onnx", onnx_folder=kept, **options)


def cosine(left, right):
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(axis=1) / lengths


@pytest.mark.parametrize("options", [{}, {"truncate_dim": 8, "normalize": True}])
def test_float32_gives_torchs_vectors_to_1e_5(folder, kept, options):
    torch_way = SentenceTransformerEmbeddings(folder, device="cpu", **options)
    onnx_way = onnx_of(folder, kept, quantize=False, **options)
    assert np.allclose(
        onnx_way.document_vectors(TEXTS), torch_way.document_vectors(TEXTS), atol=1e-5
    )
    for text in TEXTS:
        assert np.allclose(onnx_way.query_vector(text), torch_way.query_vector(text), atol=1e-5)
    assert onnx_way.fingerprint == torch_way.fingerprint
    assert onnx_way.truncated_count == torch_way.truncated_count > 0


@pytest.mark.long
def test_int8_points_the_same_way_and_the_root_logger_is_left_alone(folder, kept, caplog):
    torch_way = SentenceTransformerEmbeddings(folder, device="cpu").document_vectors(TEXTS)
    assert cosine(onnx_of(folder, kept).document_vectors(TEXTS), torch_way).min() > 0.98
    assert [record.message for record in caplog.records if record.name == "root"] == []


@pytest.mark.long
def test_a_plain_encoder_goes_the_same_way(tmp_path, kept):
    encoder = save_encoder(tmp_path / "encoder", seed=2)
    torch_way = SentenceTransformerEmbeddings(encoder, pooling="cls", device="cpu")
    onnx_way = onnx_of(encoder, kept, pooling="cls", quantize=False)
    assert np.allclose(
        onnx_way.document_vectors(TEXTS), torch_way.document_vectors(TEXTS), atol=1e-5
    )


def test_the_model_that_was_given_stays_what_it_was(folder, kept):
    model = SentenceTransformerEmbeddings(folder, device="cpu").model
    before, network = model.encode(TEXTS), model[0].auto_model
    SentenceTransformerEmbeddings(model, backend="onnx", onnx_folder=kept).embed_query("katze")
    assert model[0].auto_model is network
    assert np.array_equal(model.encode(TEXTS), before)


def test_it_is_exported_once_and_anew_for_a_retrained_model(folder, tmp_path, quick):
    kept = tmp_path / "onnx"
    for _ in range(2):
        onnx_of(folder, kept).embed_query("katze")
    assert len(quick) == 1
    retrained = save_sentence_transformer(tmp_path / "model", seed=7)
    onnx_of(retrained, kept).embed_query("katze")
    assert len(quick) == 2


def test_a_failed_export_leaves_nothing_behind(folder, tmp_path, quick):
    def fail(source, target):
        Path(target).write_bytes(b"half a file")
        raise OSError("disk full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "_quantize", fail)
        with pytest.raises(OSError, match="disk full"):
            onnx_of(folder, tmp_path).embed_query("katze")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    assert len(onnx_of(folder, tmp_path).embed_query("katze")) == 32


def test_what_a_killed_process_left_is_swept(folder, tmp_path, quick):
    onnx_of(folder, tmp_path / "one").embed_query("katze")
    name = next(path.name for path in (tmp_path / "one").iterdir() if path.is_dir())
    left, half = tmp_path / "two" / f".{name}-abc", tmp_path / "two" / name
    for path in (left, half):
        path.mkdir(parents=True)
        (path / "part").write_bytes(b"x")
    assert len(onnx_of(folder, tmp_path / "two").embed_query("katze")) == 32
    assert not left.exists()
    assert not (half / "part").exists()


def test_threads_share_it(folder, kept):
    embeddings = onnx_of(folder, kept, quantize=False)
    together = threading.Barrier(4)

    def work(number):
        together.wait()
        return embeddings.embed_query(TEXTS[number % 2])

    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(work, range(4)))
    assert got[0] == got[2]
    assert got[1] == got[3]


def test_the_users_cache_folder_is_the_default(folder, tmp_path, monkeypatch, quick):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    SentenceTransformerEmbeddings(folder, backend="onnx").embed_query("katze")
    assert list(tmp_path.rglob("langchain-chroma-hybrid/onnx/*-int8/model.onnx"))


def test_models_without_a_text_transformer_are_named(kept):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "katze": 1}))
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=4)], device="cpu")
    assert len(SentenceTransformerEmbeddings(model).embed_query("katze")) == 4
    with pytest.raises(InvalidArgumentError, match="begins with StaticEmbedding"):
        SentenceTransformerEmbeddings(model, backend="onnx", onnx_folder=kept).embed_query("a")


def test_a_gpu_is_refused(folder):
    with pytest.raises(InvalidArgumentError, match="'cpu' with backend='onnx'"):
        SentenceTransformerEmbeddings(folder, backend="onnx", device="cuda")


def test_without_the_extra_the_error_is_the_pip_line(folder, kept, monkeypatch):
    embeddings = onnx_of(folder, kept)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .*\[onnx\]"):
        embeddings.embed_query("a")
