"""Whoever can write to a database writes what a collection remembers: it must choose nothing."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import chromadb
import numpy as np
import pytest
import torch
from chromadb.utils.embedding_functions import SentenceTransformerEmbeddingFunction
from langchain_chroma import Chroma
from langchain_core.documents import Document

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.embeddings import (
    ChromaHybridEmbeddingFunction,
    FunctionEmbeddings,
    MultimodalEmbeddings,
    SentenceTransformerEmbeddings,
    from_chroma,
    to_chroma,
    trust_stored_models,
)
from langchain_chroma_hybrid.embeddings.chroma.stored import stored_function
from langchain_chroma_hybrid.embeddings.chroma.trust import TrustedModels
from langchain_chroma_hybrid.engine.chroma.unread import unread
from langchain_chroma_hybrid.errors import (
    ChromaHybridError,
    EmbeddingError,
    InvalidArgumentError,
)
from tests import pictures
from tests.helpers import WordEmbeddings
from tests.malicious_models import MALICIOUS, options_that_unpickle
from tests.tiny_models import save_encoder, save_sentence_transformer

# Each of them takes a second or two: the others with `-m long`.
SOME = [*MALICIOUS[:2], *(pytest.param(make, marks=pytest.mark.long) for make in MALICIOUS[2:])]
BUILD = ChromaHybridEmbeddingFunction.build_from_config
# What the first version wrote.
WRITTEN = {
    "format": 1,
    "kind": "sentence_transformer",
    "name": None,
    "space": "cosine",
    "on_change": "warn",
    "fingerprint": "0" * 32,
    "model": {
        "model": "",
        "revision": None,
        "pooling": None,
        "max_seq_length": None,
        "model_kwargs": {},
        "query_prompt": None,
        "document_prompt": None,
        "normalize": False,
        "truncate_dim": None,
        "batch_size": 32,
        "backend": "torch",
        "quantize": True,
    },
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return Path(save_sentence_transformer(tmp_path_factory.mktemp("stored") / "good"))


@pytest.fixture(scope="module")
def malicious(tmp_path_factory):
    """Folders by name, in one that nobody trusts; and the file that appears if one runs code."""
    home = tmp_path_factory.mktemp("malicious")
    for make in MALICIOUS:
        make(home / make.__name__ / "evil", home / "it ran")
    yield home
    assert not (home / "it ran").exists()


@pytest.fixture
def folder(good, tmp_path):
    """A model that this process has not loaded by its own choice."""
    return shutil.copytree(good, tmp_path / "models" / "mine")


def naming(model, **options):
    return WRITTEN | {"model": WRITTEN["model"] | {"model": str(model)} | options}


def store_config(database, config, name="langchain_chroma_hybrid"):
    """A client of a collection, and what somebody wrote over what that remembers."""
    client = chromadb.PersistentClient(str(database))
    function = to_chroma(WordEmbeddings(), name="words")
    client.create_collection("docs", embedding_function=function)
    written = json.dumps(function.get_config(), separators=(",", ":"))
    with closing(sqlite3.connect(database / "chroma.sqlite3")) as db, db:
        (schema,) = db.execute("SELECT schema_str FROM collections").fetchone()
        schema = schema.replace(written, json.dumps(config))
        schema = schema.replace('"langchain_chroma_hybrid"', json.dumps(name))
        db.execute("UPDATE collections SET schema_str = ?", (schema,))
    remembered = client.get_collection("docs").configuration_json["embedding_function"]
    assert remembered == {"type": "known", "name": name, "config": config}
    return client


# Nothing runs


@pytest.mark.parametrize("make", MALICIOUS, ids=lambda make: make.__name__)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"trust_remote_code": True},
        {"model_kwargs": {"weights_only": False, "use_safetensors": False}},
        pytest.param({"pooling": "mean"}, marks=pytest.mark.long),
        {"pooling": "mean", "trust_remote_code": True},
        pytest.param({"backend": "onnx"}, marks=pytest.mark.long),
    ],
    ids=str,
)
@pytest.mark.parametrize("trusted", [False, True])
def test_no_code_of_a_strangers_model_runs(make, options, trusted, malicious):
    trust = TrustedModels.of(malicious) if trusted else TrustedModels()
    config = naming(malicious / make.__name__ / "evil", **options)
    with pytest.raises(InvalidArgumentError):
        ChromaHybridEmbeddingFunction(config, trusted=trust).embed_query(["a"])
    assert not (malicious / "it ran").exists()


def test_nor_through_a_collection_in_plain_chromadb(tmp_path):
    mark = tmp_path / "it ran"
    options_that_unpickle(tmp_path / "evil", mark)
    client = store_config(tmp_path / "db", naming(tmp_path / "evil"))
    collection = client.get_collection("docs")
    with pytest.raises(EmbeddingError, match="trust_stored_models"):
        collection.query(query_texts=["a"])
    with pytest.raises(EmbeddingError, match="trust_stored_models"):
        collection.add(ids=["a"], documents=["a"])
    trust_stored_models(tmp_path / "evil")
    with pytest.raises(InvalidArgumentError, match="safetensors"):
        collection.query(query_texts=["a"])
    assert not mark.exists()


def test_nor_as_the_model_of_pictures(folder, tmp_path):
    mark = tmp_path / "it ran"
    options_that_unpickle(tmp_path / "models" / "evil", mark)
    text = pictures.DATA / "tiny-clip"
    config = naming(text, image_model=str(tmp_path / "models" / "evil")) | {"kind": "multimodal"}
    for trusted in ([text], [text, tmp_path / "models"]):
        with pytest.raises(InvalidArgumentError, match=r"trust_stored|safetensors"):
            ChromaHybridEmbeddingFunction(config, trusted=TrustedModels.of(trusted))(["a"])
    assert not mark.exists()


def nested(depth=100_000):
    value = []
    for _ in range(depth):
        value = [value]
    return value


REFUSED = {
    "trust_remote_code": [True, False, "yes", 1],
    "model_kwargs": [
        {"weights_only": False},
        {"use_safetensors": False},
        {"attn_implementation": "somebody/kernels"},
        {"device_map": "auto"},
        [],
        None,
        "",
    ],
    "tokenizer_kwargs": [{}, {"trust_remote_code": True}],
    "processor_kwargs": [{}],
    "config_kwargs": [{}, {"trust_remote_code": True}],
    "cache_folder": ["/somewhere"],
    "onnx_folder": ["/somewhere", None],
    "cache": ["/somewhere/vectors.sqlite3", None],
    "device": ["cuda:7", None],
    "processes": [64, ["cpu"]],
    "query_threads": [512],
    "precision": ["float32"],
    "policy": [{}],
    "text_fn": ["os.system"],
    "image_fn": ["os.system"],
    "modules": [[]],
    "safetensors_only": [False],
    "image_model": ["/etc", None],  # of another kind
    "model": ["", None, 5, ["a"], {}, "../x", "./x", "~/x", "a/b/c", "a\0b", "x" * 5000, nested()],
    "revision": [5, [], "x" * 1000],
    "pooling": ["median", 1, ["mean"]],
    "max_seq_length": [0, -1, 10**9, 1.5, True, "8", float("nan")],
    "query_prompt": [5, ["q"], {}, "x" * 200_000],
    "document_prompt": [5, ["q"], {}, "x" * 200_000],
    "normalize": [1, None, "yes"],
    "truncate_dim": [0, -8, 10**9, 8.0, True],
    "batch_size": [0, -1, 10**9, None, 32.0, float("inf"), True, nested()],
    "backend": ["openvino", "onnx/../../x", None, 1],
    "quantize": [None, 1, "int4"],
    "local_files_only": [None, 1],
    "": [1],
    "__class__": ["x"],
}
CASES = [
    pytest.param(key, value, id=f"{key}-{number}")
    for key, values in REFUSED.items()
    for number, value in enumerate(values)
]


@pytest.mark.parametrize(("key", "value"), CASES)
def test_each_option_is_checked_and_named(key, value, folder):
    config = naming(folder)
    config["model"][key] = value
    function = ChromaHybridEmbeddingFunction(config, trusted=TrustedModels.of(folder))
    with pytest.raises(EmbeddingError) as refused:
        function.embed_query(["a"])
    assert str(refused.value).startswith(f"model: {key}: expected ")
    assert len(str(refused.value)) < 500
    with pytest.raises(EmbeddingError):
        ChromaHybridEmbeddingFunction.validate_config(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "pickle"),
        ("kind", None),
        ("kind", ["named"]),
        ("kind", {}),
        ("kind", "Multimodal"),
        ("name", 5),
        ("name", ["words"]),
        ("space", "hamming"),
        ("space", None),
        ("on_change", "ignore"),
        ("on_change", ["raise"]),
        ("on_change", True),
        ("fingerprint", None),
        ("fingerprint", 5),
        ("fingerprint", {"a": 1}),
        ("fingerprint", "0" * 10_000),
        ("model", None),
        ("model", "all-MiniLM-L6-v2"),
        ("model", ["all-MiniLM-L6-v2"]),
        ("model", []),
        ("class", "os.system"),
        ("trust_remote_code", True),
        ("model_kwargs", {}),
        ("embeddings", "words"),
    ],
)
def test_what_is_around_the_options_is_checked_as_well(key, value, folder):
    config = naming(folder) | {key: value}
    with pytest.raises(EmbeddingError, match=key):
        ChromaHybridEmbeddingFunction(config, trusted=TrustedModels.of(folder))(["a"])


@pytest.mark.parametrize("key", ["kind", "space", "on_change", "fingerprint", "model"])
def test_a_key_that_is_missing_is_named(key, folder):
    config = naming(folder)
    del config[key]
    with pytest.raises(EmbeddingError, match=key):
        BUILD(config).embed_query(["a"])
    without_model = naming(folder)
    del without_model["model"]["model"]
    with pytest.raises(EmbeddingError, match="model: model"):
        BUILD(without_model).embed_query(["a"])


@pytest.mark.parametrize(
    "config", [None, [], "x", 5, {}, {"format": 2}, {"format": True}, {"format": "1"}]
)
def test_another_format_is_refused(config):
    with pytest.raises(InvalidArgumentError, match="format"):
        BUILD(config)


@pytest.mark.parametrize("kind", ["named", "multimodal"])
def test_one_kind_does_not_read_the_keys_of_another(kind, folder):
    config = naming(folder, backend="onnx") | {"kind": kind}
    with pytest.raises(EmbeddingError):
        ChromaHybridEmbeddingFunction(config, trusted=TrustedModels.of(folder))(["a"])


# Consent


def test_a_model_that_only_a_database_names_is_not_loaded(folder, tmp_path):
    client = store_config(tmp_path / "db", naming(folder))
    with pytest.raises(EmbeddingError) as refused:
        client.get_collection("docs").query(query_texts=["katze"])
    assert f"trust_stored_models({str(folder)!r})" in str(refused.value)
    with pytest.raises(EmbeddingError, match="trust_stored_models"):
        from_chroma(BUILD(naming(folder))).embed_query("a")


def test_a_name_of_the_hub_is_not_even_asked_for(tmp_path):
    for name in ("all-MiniLM-L6-v2", "owner/model"):
        with pytest.raises(EmbeddingError, match=rf"trust_stored_models\('{name}'\)"):
            BUILD(naming(name)).embed_query(["a"])
    trusted = TrustedModels.of("owner/model")
    config = naming("owner/model", revision="refs/pr/1")
    with pytest.raises(EmbeddingError, match=r"trust_stored_models\('owner/model@refs/pr/1'\)"):
        ChromaHybridEmbeddingFunction(config, trusted=trusted).embed_query(["a"])


@pytest.mark.parametrize("how", ["itself", "parent", "text", "several", "link", "True", "by name"])
def test_what_is_trusted_is_loaded(how, folder, tmp_path):
    (tmp_path / "link").symlink_to(folder.parent)
    given = {
        "itself": folder,
        "parent": folder.parent,
        "text": f"{folder.parent}/",
        "several": ["another/model", folder],
        "link": tmp_path / "link",
        "True": True,
        "by name": str(folder),
    }[how]
    function = ChromaHybridEmbeddingFunction(naming(folder), trusted=TrustedModels.of(given))
    expected = SentenceTransformerEmbeddings(folder, device="cpu").query_vector("katze")
    assert np.allclose(function.embed_query(["katze"]), [expected], atol=1e-6)
    with pytest.raises(EmbeddingError, match="trust_stored_models"):
        BUILD(naming(folder)).embed_query(["katze"])  # it held for that function alone


def test_what_is_beside_it_is_not(good, folder, tmp_path):
    trusted = TrustedModels.of(folder.parent)
    beside = shutil.copytree(good, tmp_path / "models-of-others")
    (folder.parent / "link").symlink_to(beside)
    for path in (beside, folder.parent / "link", folder.parent / ".." / beside.name):
        with pytest.raises(EmbeddingError, match="trust_stored_models"):
            ChromaHybridEmbeddingFunction(naming(path), trusted=trusted).embed_query(["katze"])


def test_a_folder_here_is_not_the_model_of_the_hub_that_was_meant(good, tmp_path, monkeypatch):
    shutil.copytree(good, tmp_path / "owner" / "model")
    trusted = TrustedModels.of("owner/model")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EmbeddingError, match="folder of that name"):
        ChromaHybridEmbeddingFunction(naming("owner/model"), trusted=trusted).embed_query(["a"])
    trusted = TrustedModels.of("owner/model")  # a folder now
    with pytest.raises(EmbeddingError, match="trust_stored_models"):
        ChromaHybridEmbeddingFunction(naming("owner/model"), trusted=trusted).embed_query(["a"])


@pytest.mark.parametrize(
    "wrong", [(), (None,), (5,), ("",), ("  ",), (b"x",), (False,), (["a"],), ("a\0b",)]
)
def test_bad_arguments_of_trust(wrong):
    with pytest.raises(InvalidArgumentError, match="trust_stored_models"):
        trust_stored_models(*wrong)


def test_what_this_process_made_it_may_load_again(good, folder, tmp_path):
    client = chromadb.PersistentClient(str(tmp_path / "db"))
    function = to_chroma(SentenceTransformerEmbeddings(folder, device="cpu"))
    client.create_collection("docs", embedding_function=function).add(ids=["a"], documents=["a"])
    assert client.get_collection("docs").query(query_texts=["a"])["ids"] == [["a"]]
    beside = shutil.copytree(good, folder / "below")
    with pytest.raises(EmbeddingError, match="trust_stored_models"):
        BUILD(naming(beside)).embed_query(["a"])


IN_A_NEW_PROCESS = """
    import json, sys
    import chromadb
    from langchain_chroma_hybrid import trust_stored_models
    steps = json.loads(sys.argv[1])
    clients = {database: chromadb.PersistentClient(database) for database, _ in steps}
    opened = {database: client.get_collection("docs") for database, client in clients.items()}
    said = []
    for database, trusted in steps:
        if trusted is not None:
            trust_stored_models(trusted)
        try:
            said.append(opened[database].query(query_texts=["a"])["ids"])
        except Exception as error:
            said.append([type(error).__name__, str(error)])
    print(json.dumps(said))
"""


def in_a_new_process(steps, hub):
    """What one process is told: each step trusts something, or None, and asks a database."""
    written = json.dumps([(str(database), trusted) for database, trusted in steps])
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(IN_A_NEW_PROCESS), written],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def of_the_hub(good, folder, mark):
    """Steps with models of the Hub, whose cache is `folder / "hub"`."""
    shutil.copytree(good, hub_snapshot(folder / "hub", "model"))
    options_that_unpickle(hub_snapshot(folder / "hub", "evil"), mark)
    vector = SentenceTransformerEmbeddings(good, device="cpu").embed_query("a")
    for name in ("model", "evil"):
        client = store_config(folder / name, naming(f"owner/{name}"))
        client.get_collection("docs", embedding_function=None).add(["a"], embeddings=[vector])
    model, evil = folder / "model", folder / "evil"
    return [(model, None), (model, "owner/model"), (evil, "owner/evil")]


def of_folders(good, folder):
    """Steps with models in folders: refused, refused, found, found; and where they lie."""
    places = {}
    for how in ("exactly", "parent", "everything"):
        places[how] = shutil.copytree(good, folder / how / "models" / "mine")
        function = to_chroma(SentenceTransformerEmbeddings(places[how], device="cpu"))
        client = chromadb.PersistentClient(str(folder / how))
        client.create_collection("docs", embedding_function=function).add(["a"], documents=["a"])
    given = [str(places["exactly"]), str(places["parent"].parent), True]
    steps = [
        (folder / how, trusted)
        for how, consent in zip(places, given, strict=True)
        for trusted in (None, "other/model", consent, None)
    ]
    return steps, list(places.values())


def test_consent_is_given_once_in_a_process_and_the_hubs_models_are_safetensors(good, tmp_path):
    # One process for both: it loads sentence-transformers, which takes ten seconds.
    mark = tmp_path / "it ran"
    hub = of_the_hub(good, tmp_path, mark)
    folders, places = of_folders(good, tmp_path)
    refused, found, unsafe, *said = in_a_new_process([*hub, *folders], tmp_path / "hub")
    assert (refused[0], "trust_stored_models('owner/model')" in refused[1]) == (
        "EmbeddingError",
        True,
    )
    assert found == [["a"]]
    assert "safetensors" in unsafe[1]
    assert not mark.exists()
    for place in places:
        refused, wrong, *found = (said.pop(0) for _ in range(4))
        for kind, message in (refused, wrong):
            assert kind == "EmbeddingError"
            assert str(place) in message
        assert found == [[["a"]], [["a"]]]


def hub_snapshot(hub, name):
    """Where the Hub's own cache has a model."""
    home = hub / f"models--owner--{name}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("0" * 40)
    (home / "snapshots").mkdir()
    return home / "snapshots" / ("0" * 40)


# The caller's embeddings win


@pytest.mark.parametrize("kind", [Chroma, HybridChroma])
def test_the_callers_embeddings_win_and_nothing_stored_is_read(kind, tmp_path):
    mark = tmp_path / "it ran"
    options_that_unpickle(tmp_path / "evil", mark)
    evil = naming(tmp_path / "evil", trust_remote_code=True) | {"format": [99]}
    client = store_config(tmp_path / "db", evil)
    store = kind("docs", WordEmbeddings(), client=client)
    store.add_texts(["a red pump", "a blue whale"], ids=["pump", "whale"])
    assert store.similarity_search("red pump", k=1)[0].id == "pump"
    function = to_chroma(WordEmbeddings(), name="mine")
    collection = client.get_collection("docs", embedding_function=function)
    assert collection.query(query_texts=["red pump"], n_results=1)["ids"] == [["pump"]]
    assert not mark.exists()


# What is written can be read


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"trust_remote_code": True}, "trust_remote_code"),
        ({"model_kwargs": {"attn_implementation": "sdpa"}}, "model_kwargs"),
        ({"model_kwargs": {"weights_only": True}}, "model_kwargs"),
        ({"batch_size": 10**6}, "batch_size"),
        ({"query_prompt": "x" * 200_000}, "query_prompt"),
    ],
)
@pytest.mark.parametrize("kind", [SentenceTransformerEmbeddings, MultimodalEmbeddings])
def test_what_could_not_be_read_is_not_written(kind, options, key, folder):
    model = folder if kind is SentenceTransformerEmbeddings else pictures.DATA / "tiny-clip"
    embeddings = kind(model, device="cpu", **options)
    with pytest.raises(InvalidArgumentError, match=key):
        to_chroma(embeddings)
    named = to_chroma(embeddings, name=f"with {key}")
    assert named.get_config()["kind"] == "named"
    assert BUILD(named.get_config()).embeddings is embeddings


def test_nor_a_model_of_pickles(folder):
    model = SentenceTransformerEmbeddings(folder, device="cpu").model
    (folder / "model.safetensors").unlink()
    torch.save(model[0].model.state_dict(), folder / "pytorch_model.bin")
    embeddings = SentenceTransformerEmbeddings(folder, device="cpu")
    with pytest.raises(InvalidArgumentError, match=r"safetensors.*`name`"):
        to_chroma(embeddings)
    assert to_chroma(embeddings, name="of pickles")(["a"])[0].shape == (32,)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"query_prompt": "", "document_prompt": "text: ", "normalize": True, "truncate_dim": 8},
        {"max_seq_length": 8, "batch_size": 4, "revision": "main"},
        {"quantize": False},
    ],
)
def test_what_is_written_is_read_and_gives_the_same(options, folder):
    embeddings = SentenceTransformerEmbeddings(folder, device="cpu", **options)
    config = to_chroma(embeddings).get_config()
    assert json.loads(json.dumps(config)) == config
    assert not {"model_kwargs", "trust_remote_code", "local_files_only"} & config["model"].keys()
    # Of the first version, too.
    old = config | {"model": config["model"] | {"model_kwargs": {}}}
    for each in (config, old):
        assert np.allclose(BUILD(each)(["katze"]), [embeddings.document_vectors(["katze"])[0]])


def test_a_plain_encoder_is_read_with_its_pooling(tmp_path):
    encoder = save_encoder(tmp_path / "encoder")
    embeddings = SentenceTransformerEmbeddings(encoder, pooling="cls", device="cpu")
    config = to_chroma(embeddings).get_config()
    assert np.allclose(BUILD(config).embed_query(["a"]), [embeddings.query_vector("a")], atol=1e-6)


def test_safetensors_only_is_an_option_for_everybody(folder, tmp_path):
    options_that_unpickle(tmp_path / "evil", tmp_path / "it ran")
    for evil in (SentenceTransformerEmbeddings, MultimodalEmbeddings):
        with pytest.raises(InvalidArgumentError, match="safetensors"):
            evil(tmp_path / "evil", safetensors_only=True, trust_remote_code=True).embed_query("a")
    assert not (tmp_path / "it ran").exists()
    one, other = (
        SentenceTransformerEmbeddings(folder, device="cpu", safetensors_only=safe)
        for safe in (True, False)
    )
    assert np.allclose(one.query_vector("a"), other.query_vector("a"))


# Embedding functions of Chroma's own


def remembered(name, config):
    return {"embedding_function": {"type": "known", "name": name, "config": config}}


def chromas(model, **options):
    written = {"device": "cpu", "normalize_embeddings": False, "kwargs": {}}
    return remembered("sentence_transformer", written | {"model_name": str(model)} | options)


def test_chromas_function_gives_the_same_vectors_when_trusted(folder):
    with pytest.raises(EmbeddingError, match="trust_stored_models"):
        stored_function(chromas(folder)).embed_query(["katze"])
    trusted = TrustedModels.of(folder)
    for normalize in (False, True):
        config = chromas(folder, normalize_embeddings=normalize)
        theirs = SentenceTransformerEmbeddingFunction(str(folder), normalize_embeddings=normalize)
        ours = stored_function(config, trusted)
        assert np.allclose(ours.embed_query(["katze"]), theirs.embed_query(["katze"]), atol=1e-6)
        assert np.allclose(ours(["katze", "a"]), theirs(["katze", "a"]), atol=1e-6)


@pytest.mark.parametrize("make", SOME, ids=lambda make: make.__name__)
@pytest.mark.parametrize("trusted", [False, True])
def test_chromas_function_runs_no_code_either(make, trusted, malicious):
    trust = TrustedModels.of(malicious) if trusted else TrustedModels()
    for kwargs in ({}, {"trust_remote_code": True}, {"model_kwargs": {"weights_only": False}}):
        stored = chromas(malicious / make.__name__ / "evil", kwargs=kwargs)
        with pytest.raises(InvalidArgumentError):
            stored_function(stored, trust).embed_query(["a"])
    assert not (malicious / "it ran").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"kwargs": {"trust_remote_code": True}},
        {"kwargs": {"cache_folder": "/somewhere"}},
        {"kwargs": None},
        {"model_name": None},
        {"model_name": ["a"]},
        {"model_name": "./model"},
        {"device": 5},
        {"normalize_embeddings": "yes"},
        {"trust_remote_code": True},
    ],
)
def test_each_option_of_chromas_function_is_checked(options, folder):
    config = chromas(folder)["embedding_function"]["config"] | options
    function = stored_function(remembered("sentence_transformer", config), TrustedModels.of(True))
    with pytest.raises(EmbeddingError, match=next(iter(options))):
        function.embed_query(["a"])


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("openai", {"api_key_env_var": "HOME", "model_name": "m", "api_base": "http://evil"}),
        ("huggingface_server", {"url": "http://evil"}),
        ("ollama", {"url": "http://evil", "model_name": "m", "timeout": 1}),
        ("instructor", {"model_name": "/somewhere/evil", "device": "cpu"}),
        ("open_clip", {"model_name": "m", "checkpoint": "/somewhere/evil.pt", "device": "cpu"}),
    ],
)
def test_no_service_is_asked_because_a_database_says_so(name, config):
    with pytest.raises(EmbeddingError, match=rf"trust_stored_models\('{name}'\)"):
        stored_function(remembered(name, config))


def test_a_function_that_is_trusted_by_its_name_is_built():
    config = {"url": "http://127.0.0.1:1/api"}
    function = stored_function(
        remembered("huggingface_server", config), TrustedModels.of("huggingface_server")
    )
    assert function.get_config()["url"] == config["url"]


@pytest.mark.parametrize("name", ["nobody", None, ["default"], {}])
def test_a_function_that_is_not_here_is_named(name):
    with pytest.raises(EmbeddingError, match="not found"):
        stored_function(remembered(name, {}), TrustedModels.of(True))


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"embedding_function": None},
        {"embedding_function": {"type": "legacy"}},
        {"embedding_function": "x"},
    ],
)
def test_a_collection_may_remember_nothing(configuration):
    assert stored_function(configuration) is None


@pytest.mark.parametrize("name", ["default", "onnx_mini_lm_l6_v2"])
def test_chromas_default_takes_no_options(name):
    built = stored_function(remembered(name, {"preferred_providers": ["/somewhere/evil.so"]}))
    assert built.get_config() in ({}, {"preferred_providers": None})


def test_code_that_is_provided_by_name_needs_no_more(tmp_path):
    function = to_chroma(FunctionEmbeddings(lambda texts: [[1.0, 2.0] for _ in texts]), name="two")
    configuration = remembered("langchain_chroma_hybrid", function.get_config())
    assert np.allclose(stored_function(configuration).embed_query(["a"]), [[1.0, 2.0]])
    named = {"format": 1, "kind": "named", "space": "ip"}
    for config in (None, [], {"kind": "named"}, named, named | {"name": "two", "x": 1}):
        with pytest.raises(ChromaHybridError):
            stored_function(remembered("langchain_chroma_hybrid", config)).embed_query(["a"])


def test_a_write_of_ours_builds_nothing_either(tmp_path):
    """Chroma builds what the schema names at every write, also where vectors are given."""
    mark = tmp_path / "it ran"
    MALICIOUS[0](tmp_path / "evil", mark)
    written = chromas(tmp_path / "evil", kwargs={"trust_remote_code": True})["embedding_function"]
    client = store_config(tmp_path / "db", written["config"], "sentence_transformer")
    collection = unread(client.get_collection("docs"))
    for write in (collection.add, collection.upsert, collection.update):
        write(ids=["a"], embeddings=[[1.0, 2.0]], documents=["a"], metadatas=[{"a": 1}])
    assert collection.get(ids=["a"], include=["documents"])["documents"] == ["a"]
    with pytest.raises(ValueError, match="embedding function"):
        collection.upsert(ids=["b"], documents=["b"])
    assert not mark.exists()


# Through a store


def test_a_store_loads_what_it_was_told_and_no_other_does(folder, tmp_path):
    client = store_config(tmp_path / "db", naming(folder))
    client.get_collection("docs", embedding_function=None).add(
        ids=["a"], documents=["a pump"], embeddings=[[0.1] * 32]
    )
    trusting = HybridChroma("docs", client=client, trust_stored_models=folder.parent)
    for call in (
        lambda store: store.similarity_search("pump"),
        lambda store: store.add_texts(["a valve"], ids=["b"]),
        lambda store: ChromaHybridRetriever(vectorstore=store).invoke("pump"),
    ):
        with pytest.raises(EmbeddingError, match="trust_stored_models"):
            call(HybridChroma("docs", client=client))
        assert call(trusting)
    assert len(HybridChroma("docs", client=client).similarity_search("a", mode="lexical")) == 2


async def test_asynchronously_too(folder, tmp_path):
    client = store_config(tmp_path / "db", naming(folder))
    for call in (
        lambda store: store.aadd_texts(["a pump"], ids=["a"]),
        lambda store: store.asimilarity_search("pump"),
    ):
        with pytest.raises(EmbeddingError, match="trust_stored_models"):
            await call(HybridChroma("docs", client=client))
        assert await call(HybridChroma("docs", client=client, trust_stored_models=[folder]))


@pytest.mark.parametrize("make", SOME, ids=lambda make: make.__name__)
@pytest.mark.parametrize("given", [True, False], ids=["embeddings given", "none given"])
def test_no_call_of_a_store_runs_a_strangers_code(malicious, tmp_path, make, given):
    place = malicious / make.__name__ / "evil"
    config = chromas(place, kwargs={"trust_remote_code": True})["embedding_function"]["config"]
    client = store_config(tmp_path / "db", config, "sentence_transformer")
    store = HybridChroma("docs", WordEmbeddings(8) if given else None, client=client)
    for call in (
        lambda: store.add_texts(["a pump"], ids=["a"]),
        lambda: store.similarity_search("pump"),
        lambda: store.update_documents(["a"], [Document("a pump")]),
        lambda: store.delete(["a"]),
        lambda: store.sync(deep=True),
        store.rebuild,
        store.get,
    ):
        try:
            call()
        except (EmbeddingError, InvalidArgumentError):
            assert not given
    assert not (malicious / "it ran").exists()


@pytest.mark.parametrize("bad", [3, b"model", [3], "", ["\0"]])
def test_what_is_trusted_is_checked(bad):
    with pytest.raises(InvalidArgumentError, match="trust_stored_models"):
        HybridChroma("docs", trust_stored_models=bad)
