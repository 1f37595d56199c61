"""The tiny CLIP in plain chromadb and in langchain-chroma's own picture methods."""

import chromadb
import numpy as np
import pytest
from langchain_chroma import Chroma

pytest.importorskip("sentence_transformers", reason="models need the extra `local`")
pytest.importorskip("PIL", reason="pictures need the extra `image`")
from chromadb.utils.data_loaders import ChromaLangchainPassthroughDataLoader, ImageLoader
from PIL import Image

from langchain_chroma_hybrid import HybridChroma
from langchain_chroma_hybrid.embeddings import (
    FunctionEmbeddings,
    MultimodalEmbeddings,
    from_chroma,
    to_chroma,
)
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError
from tests import pictures
from tests.helpers import fresh_name

NAMES = ("cat", "banana", "train", "guitar", "snail")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    positions = {row["caption"]: at for at, row in enumerate(pictures.rows())}
    for name in NAMES:
        at = positions[name]
        pictures.render(at, pictures.held_out(at)[0]).save(folder / f"{name}.png")
    return folder


@pytest.fixture(params=["arrays", "langchain"])
def collection(request, folder):
    loader = ImageLoader() if request.param == "arrays" else ChromaLangchainPassthroughDataLoader()
    made = chromadb.EphemeralClient().create_collection(
        fresh_name(), embedding_function=to_chroma(pictures.clip()), data_loader=loader
    )
    made.add(ids=list(NAMES), uris=[str(folder / f"{name}.png") for name in NAMES])
    return made


def test_plain_chromadb_finds_pictures_by_words_pictures_and_uris(collection, folder):
    assert collection.query(query_texts=list(NAMES), n_results=1)["ids"] == [[n] for n in NAMES]
    arrays = [np.asarray(Image.open(folder / f"{name}.png")) for name in NAMES]
    assert collection.query(query_images=arrays, n_results=1)["ids"] == [[n] for n in NAMES]
    uri = str(folder / "train.png")
    found = collection.query(query_uris=[uri], n_results=1)
    assert found["ids"] == [["train"]]
    assert found["distances"][0][0] == pytest.approx(0, abs=1e-4)


def test_texts_and_pictures_live_in_one_collection(collection, folder):
    collection.add(ids=["words"], documents=["a picture of a guitar"])
    array = np.asarray(Image.open(folder / "guitar.png"))
    assert collection.query(query_images=[array], n_results=2)["ids"] == [["guitar", "words"]]


def test_pictures_to_embeddings_of_texts_are_one_clear_error():
    function = to_chroma(FunctionEmbeddings(lambda texts: [[1.0]] * len(texts)))
    made = chromadb.EphemeralClient().create_collection(fresh_name(), embedding_function=function)
    with pytest.raises((EmbeddingError, ValueError), match="pictures"):
        made.query(query_images=[np.zeros((4, 4, 3), np.uint8)])


def test_it_comes_back_from_chroma_as_what_it_was():
    assert from_chroma(to_chroma(pictures.clip())) is pictures.clip()


@pytest.mark.parametrize("kind", [Chroma, HybridChroma])
def test_langchain_chroma_adds_and_finds_pictures(kind, folder):
    store = kind(fresh_name(), pictures.clip())
    store.add_images([str(folder / f"{name}.png") for name in NAMES], ids=list(NAMES))
    (found,) = store.similarity_search_by_image(str(folder / "snail.png"), k=1)
    assert found.id == "snail"
    best = store.similarity_search_by_vector(pictures.clip().embed_query("cat"), k=1)
    assert best[0].id == "cat"


def test_a_model_of_texts_alone_is_refused_at_first_use():
    from tests.tiny_models import minilm

    embeddings = MultimodalEmbeddings(minilm(), device="cpu")
    with pytest.raises(InvalidArgumentError, match="joint model"):
        embeddings.embed_image([Image.new("RGB", (8, 8))])


def test_a_loaded_model_and_a_picture_model_of_its_own_give_the_same(folder):
    path = pictures.DATA / "tiny-clip"
    picture = folder / "cat.png"
    expected = pictures.clip().embed_image([picture])
    loaded = MultimodalEmbeddings(MultimodalEmbeddings(path, device="cpu").text.model)
    apart = MultimodalEmbeddings(path, image_model=path, device="cpu")
    for other in (loaded, apart):
        assert np.allclose(other.embed_image([picture]), expected, atol=1e-5)
        assert np.allclose(other.embed_query("cat"), pictures.clip().embed_query("cat"), atol=1e-5)
    assert apart.image_source == str(path.resolve())
    assert loaded.image_source is None


def test_a_smaller_decoding_of_a_photograph_moves_its_vector_little(tmp_path):
    big = pictures.render(0, "green").resize((1500, 1500))
    big.save(tmp_path / "big.jpg", quality=92)
    clip = pictures.clip()
    small, whole = clip.image_vectors([tmp_path / "big.jpg", Image.open(tmp_path / "big.jpg")])
    assert small @ whole > 0.98


def test_text_that_names_a_file_is_text_also_for_the_model(folder):
    clip = pictures.clip()
    path = str(folder / "cat.png")
    as_text, as_picture = clip.query_vector(path), clip.image_vectors([path])[0]
    assert not np.allclose(as_text, as_picture, atol=0.05)
    assert np.allclose(clip.document_vectors([path])[0], as_text, atol=1e-5)
