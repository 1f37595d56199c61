"""Both directions between LangChain embeddings and plain chromadb, within and across processes."""

import json
import logging
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import chromadb
import numpy as np
import pytest
import torch
from chromadb.api.types import EmbeddingFunction
from chromadb.utils.embedding_functions import known_embedding_functions
from langchain_chroma import Chroma
from langchain_core.embeddings import DeterministicFakeEmbedding

from langchain_chroma_hybrid.embeddings import (
    ChromaHybridEmbeddingFunction,
    FunctionEmbeddings,
    SentenceTransformerEmbeddings,
    from_chroma,
    provide,
    to_chroma,
)
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError
from tests import pictures
from tests.tiny_models import save_sentence_transformer
from tests.unit.test_embeddings_function import Lengths

TEXTS = ["die katze schläft", "我们喜欢吃苹果", "größe"]
IDS = ["cat", "apple", "size"]


@pytest.fixture
def folder(tmp_path):
    prompts = {"query": "frage: ", "document": "text: "}
    return save_sentence_transformer(tmp_path / "model", prompts=prompts)


@pytest.fixture
def client(tmp_path):
    return chromadb.PersistentClient(str(tmp_path / "db"))


def embeddings_of(folder, **options):
    return SentenceTransformerEmbeddings(folder, device="cpu", **options)


def in_a_new_process(code, *arguments):
    """What `code` prints as JSON, in a process that shares nothing with this one."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_plain_chromadb_embeds_documents_and_queries_each_in_their_way(client, folder):
    embeddings = embeddings_of(folder)
    collection = client.create_collection("docs", embedding_function=to_chroma(embeddings))
    collection.add(ids=IDS, documents=TEXTS)
    stored = collection.get(ids=["cat"], include=["embeddings"])["embeddings"][0]
    assert np.allclose(stored, embeddings.document_vectors(TEXTS)[0], atol=1e-6)
    found = collection.query(query_texts=["katze"], n_results=3, include=["distances"])
    query, documents = embeddings.query_vector("katze"), embeddings.document_vectors(TEXTS)
    cosine = documents @ query / np.linalg.norm(documents, axis=1) / np.linalg.norm(query)
    order = np.argsort(-cosine)
    assert found["ids"][0] == [IDS[n] for n in order]
    assert np.allclose(found["distances"][0], 1 - cosine[order], atol=1e-5)


REOPEN = """
    import json, sys
    if sys.argv[3]:
        __import__(sys.argv[3])
    import chromadb
    collection = chromadb.PersistentClient(sys.argv[1]).get_collection("docs")
    try:
        found = collection.query(query_texts=[sys.argv[2]], n_results=3, include=["distances"])
        print(json.dumps([found["ids"][0], found["distances"][0]]))
    except Exception as error:
        print(json.dumps([type(error).__name__, str(error)]))
"""


TWO_MODELS = """
    import json, sys
    import chromadb
    from langchain_chroma_hybrid import trust_stored_models
    client, found = chromadb.PersistentClient(sys.argv[1]), {}
    for name, trusted in zip(("docs", "joint"), sys.argv[2:], strict=True):
        trust_stored_models(trusted)
        asked = {"query_texts": ["katze"], "n_results": 3, "include": ["distances"]}
        found[name] = client.get_collection(name).query(**asked)["distances"][0]
    onnx = {"onnxscript", "langchain_chroma_hybrid.embeddings.onnx.backend"} & set(sys.modules)
    print(json.dumps([found, sorted(onnx)]))
"""


@pytest.mark.long
def test_a_new_process_rebuilds_the_same_models_and_loads_no_onnx(client, folder, tmp_path):
    pytest.importorskip("PIL", reason="joint models need the extra `image`")
    models = {"docs": embeddings_of(folder, normalize=True), "joint": pictures.clip()}
    here = {}
    for name, embeddings in models.items():
        collection = client.create_collection(name, embedding_function=to_chroma(embeddings))
        collection.add(ids=IDS, documents=TEXTS)
        found = collection.query(query_texts=["katze"], n_results=3, include=["distances"])
        here[name] = found["distances"][0]
    there, onnx = in_a_new_process(TWO_MODELS, tmp_path / "db", tmp_path, pictures.DATA)
    assert there == {name: pytest.approx(expected, abs=1e-6) for name, expected in here.items()}
    assert onnx == []


def test_without_our_package_the_first_embedding_call_refuses(client, folder, tmp_path):
    collection = client.create_collection(
        "docs", embedding_function=to_chroma(embeddings_of(folder))
    )
    collection.add(ids=IDS, documents=TEXTS)
    kind, message = in_a_new_process(REOPEN, tmp_path / "db", "katze", "")
    assert kind == "ValueError"
    assert "langchain_chroma_hybrid" in message


def test_a_model_retrained_at_the_same_path_is_seen(client, folder, caplog):
    collection = client.create_collection(
        "docs", embedding_function=to_chroma(embeddings_of(folder))
    )
    collection.add(ids=IDS, documents=TEXTS)
    reopened = client.get_collection("docs")
    reopened.query(query_texts=["katze"])
    shutil.rmtree(folder)
    save_sentence_transformer(Path(folder), seed=9)
    with caplog.at_level(logging.WARNING, logger="langchain_chroma_hybrid"):
        reopened.upsert(ids=["new"], documents=["katze"])
        reopened.upsert(ids=["newer"], documents=["katze"])
    expected = embeddings_of(folder).document_vectors(["katze"])[0]
    stored = reopened.get(ids=["new"], include=["embeddings"])["embeddings"][0]
    assert np.allclose(stored, expected, atol=1e-6)
    told = [r for r in caplog.records if "is not the one that this collection" in r.message]
    assert len(told) == 1


def test_or_it_is_refused_if_so_chosen(client, folder, tmp_path):
    function = to_chroma(embeddings_of(folder), on_change="raise")
    client.create_collection("docs", embedding_function=function).add(ids=IDS, documents=TEXTS)
    shutil.rmtree(folder)
    save_sentence_transformer(tmp_path / "model", seed=9)
    with pytest.raises(EmbeddingError, match="embed the documents again"):
        client.get_collection("docs").query(query_texts=["katze"])


def test_a_model_that_is_gone_is_named(client, folder):
    client.create_collection("docs", embedding_function=to_chroma(embeddings_of(folder)))
    shutil.rmtree(folder)
    with pytest.raises(InvalidArgumentError, match="model"):
        client.get_collection("docs").query(query_texts=["katze"])


def test_code_is_stored_by_name_and_provided_anew(client, tmp_path):
    def lengths(texts):
        return [[float(len(text)), 1.0] for text in texts]

    function = to_chroma(FunctionEmbeddings(lengths), name="lengths-of-texts", space="l2")
    collection = client.create_collection("docs", embedding_function=function)
    collection.add(ids=["one", "five"], documents=["x", "xxxxx"])
    assert client.get_collection("docs").query(query_texts=["1234"])["ids"] == [["five", "one"]]
    kind, message = in_a_new_process(
        REOPEN, tmp_path / "db", "1234", "langchain_chroma_hybrid"
    )
    assert kind == "EmbeddingError"
    assert "provide('lengths-of-texts', embeddings)" in message
    provided = REOPEN.replace(
        "import chromadb",
        "from langchain_chroma_hybrid.embeddings import FunctionEmbeddings, provide\n"
        "    fn = FunctionEmbeddings(lambda texts: [[float(len(t)), 1.0] for t in texts])\n"
        "    provide('lengths-of-texts', fn)\n"
        "    import chromadb",
    )
    ids, _ = in_a_new_process(provided, tmp_path / "db", "1234", "")
    assert ids == ["five", "one"]


def test_nameless_code_is_refused_when_reopened(client):
    function = to_chroma(DeterministicFakeEmbedding(size=4))
    client.create_collection("docs", embedding_function=function).add(ids=["a"], documents=["a"])
    with pytest.raises(EmbeddingError, match="embeddings that are code"):
        client.get_collection("docs").query(query_texts=["a"])
    again = client.get_collection("docs", embedding_function=function)
    assert again.query(query_texts=["a"])["ids"] == [["a"]]


def test_the_config_is_json_and_holds_no_machine_or_trust(folder):
    function = to_chroma(embeddings_of(folder, trust_remote_code=False, query_prompt="q: "))
    config = function.get_config()
    assert json.loads(json.dumps(config)) == config
    assert not {"device", "trust_remote_code", "local_files_only"} & config["model"].keys()
    rebuilt = ChromaHybridEmbeddingFunction.build_from_config(config)
    assert np.allclose(rebuilt.embed_query(["a"]), function.embed_query(["a"]), atol=1e-6)
    assert rebuilt.get_config() == config
    assert not rebuilt.is_legacy()
    with pytest.raises(InvalidArgumentError, match="format"):
        ChromaHybridEmbeddingFunction.build_from_config(config | {"format": 99})


@pytest.mark.parametrize(
    ("similarity", "space"), [("cosine", "cosine"), ("dot", "ip"), ("euclidean", "l2")]
)
def test_the_distance_is_the_models_own(client, tmp_path, similarity, space):
    folder = save_sentence_transformer(tmp_path / "model", similarity_fn_name=similarity)
    collection = client.create_collection(
        "docs", embedding_function=to_chroma(embeddings_of(folder))
    )
    assert collection.configuration_json["hnsw"]["space"] == space
    assert to_chroma(embeddings_of(folder), space="l2").default_space() == "l2"


def test_langchain_opens_a_collection_that_chromadb_made(client, folder):
    embeddings = embeddings_of(folder)
    collection = client.create_collection("docs", embedding_function=to_chroma(embeddings))
    collection.add(ids=IDS, documents=TEXTS)
    store = Chroma(
        "docs", client=client, embedding_function=embeddings, create_collection_if_not_exists=False
    )
    best = collection.query(query_texts=["katze"], n_results=1)["ids"][0][0]
    assert store.similarity_search("katze", k=1)[0].id == best


def test_both_directions_cancel_out(folder):
    embeddings = embeddings_of(folder)
    assert from_chroma(to_chroma(embeddings)) is embeddings
    function = Lengths(-1)
    assert to_chroma(from_chroma(function)) is function


def test_chromas_functions_become_langchain_embeddings():
    embeddings = from_chroma(Lengths(-1))
    assert embeddings.embed_documents(["aa", "b"]) == [[-2.0, 1.0], [-1.0, 1.0]]
    assert embeddings.embed_query("aa") == [-2.0, 2.0]


def test_results_are_checked_for_any_embeddings(folder):
    class TooFew(DeterministicFakeEmbedding):
        def embed_documents(self, texts):
            return super().embed_documents(texts[1:])

    with pytest.raises(EmbeddingError, match="one per text"):
        to_chroma(TooFew(size=3))(["a", "b"])


def test_bad_arguments(folder):
    for wrong in (len, None, Lengths()):
        with pytest.raises(InvalidArgumentError, match="LangChain Embeddings"):
            to_chroma(wrong)
    fake = DeterministicFakeEmbedding(size=3)
    with pytest.raises(InvalidArgumentError, match="space"):
        to_chroma(fake, space="hamming")
    with pytest.raises(InvalidArgumentError, match="on_change"):
        to_chroma(fake, on_change="ignore")
    with pytest.raises(InvalidArgumentError, match="EmbeddingFunction"):
        from_chroma(len)
    with pytest.raises(InvalidArgumentError, match="name"):
        provide("", fake)
    with pytest.raises(InvalidArgumentError, match="model_kwargs"):
        to_chroma(embeddings_of(folder, model_kwargs={"dtype": torch.float32}))


def test_another_model_may_not_take_a_collections_place(folder, tmp_path):
    old = to_chroma(embeddings_of(folder))
    moved = to_chroma(embeddings_of(shutil.copytree(folder, tmp_path / "moved")))
    other = to_chroma(embeddings_of(save_sentence_transformer(tmp_path / "other", seed=3)))
    moved.validate_config_update(old.get_config(), moved.get_config())
    with pytest.raises(EmbeddingError, match="model"):
        other.validate_config_update(old.get_config(), other.get_config())


@pytest.mark.parametrize(
    "order",
    [
        pytest.param("import langchain_chroma_hybrid, chromadb", marks=pytest.mark.long),
        "import chromadb, langchain_chroma_hybrid",
    ],
)
def test_the_order_of_imports_does_not_matter(order):
    known = "from chromadb.utils.embedding_functions import known_embedding_functions as known"
    names = in_a_new_process(f"import json\n{order}\n{known}\nprint(json.dumps(sorted(known)))")
    assert "langchain_chroma_hybrid" in names


def test_it_is_registered_and_is_an_embedding_function():
    assert known_embedding_functions["langchain_chroma_hybrid"] is ChromaHybridEmbeddingFunction
    assert issubclass(ChromaHybridEmbeddingFunction, EmbeddingFunction)
