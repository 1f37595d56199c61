"""MultimodalEmbeddings over a pair of functions: what every model is held to."""

import asyncio

import numpy as np
import pytest

pytest.importorskip("PIL", reason="pictures need the extra `image`")

from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings, PicturePolicy
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError, PictureError
from tests.unit import colours


@pytest.fixture
def pair():
    return colours.embeddings()


def test_texts_and_pictures_meet(pair):
    (red,) = pair.embed_image([colours.picture("red")])
    assert np.dot(red, pair.embed_query("red")) > 0.99
    assert np.dot(red, pair.embed_documents(["blue"])[0]) < 0.1


def test_vectors_have_length_one_unless_told_otherwise(pair):
    assert np.linalg.norm(pair.embed_image([colours.picture("yellow")])[0]) == pytest.approx(1)
    assert np.linalg.norm(pair.embed_query("yellow")) == pytest.approx(1)
    raw = colours.embeddings(normalize=False)
    assert np.linalg.norm(raw.embed_query("yellow")) == pytest.approx(2**0.5, abs=0.01)


def test_order_and_batches(tmp_path):
    sizes = []

    def images(given):
        sizes.append(len(given))
        return colours.images(given)

    pair = MultimodalEmbeddings(text_fn=colours.texts, image_fn=images, batch_size=4)
    names = [f"{name}_{i}.png" for i in range(2) for name in colours.COLOURS][:11]
    colours.save(tmp_path, *names)
    found = np.array(pair.embed_image([str(tmp_path / name) for name in names]))
    expected = pair.document_vectors([name.split("_")[0] for name in names])
    assert sizes == [4, 4, 3]
    assert np.allclose(found, expected, atol=1e-4)


def test_a_text_that_looks_like_a_file_or_an_address_is_a_text(tmp_path):
    colours.save(tmp_path, "red.png")
    seen = []

    def texts(given):
        seen.extend(given)
        return colours.texts(given)

    def refuse(_):
        raise AssertionError("a text was opened as a picture")

    pair = MultimodalEmbeddings(text_fn=texts, image_fn=refuse)
    paths = [str(tmp_path / "red.png"), "http://127.0.0.1/a.png", "data:image/png;base64,AA=="]
    for text in paths:
        pair.embed_query(text)
    pair.embed_documents(paths)
    assert seen == [*paths, *paths]


def test_async_gives_the_same(pair):
    picture = colours.picture("cyan")
    assert asyncio.run(pair.aembed_image([picture])) == pair.embed_image([picture])
    assert asyncio.run(pair.aembed_query("red")) == pair.embed_query("red")


def test_the_policy_is_the_embeddings_own(pair, tmp_path):
    with pytest.raises(PictureError, match="http://x"):
        pair.embed_image(["http://x.example/a.png"])
    small = colours.embeddings(policy=PicturePolicy(max_pixels=10))
    with pytest.raises(PictureError, match="pixels"):
        small.embed_image([colours.picture("red")])


@pytest.mark.parametrize("pictures", [[], "a.png", b"x", None, 3])
def test_no_list_of_pictures(pair, pictures):
    with pytest.raises(InvalidArgumentError, match="pictures"):
        pair.embed_image(pictures)


def test_the_first_picture_that_cannot_be_read_is_named(pair, tmp_path):
    with pytest.raises(PictureError, match=r"lost\.png"):
        pair.embed_image([colours.picture("red"), tmp_path / "lost.png"])


@pytest.mark.parametrize(("fault", "reason"), [
    (lambda given: colours.images(given)[:-1], "one per text|2"),
    (lambda given: colours.images(given) * np.nan, "NaN"),
    (lambda given: [[1.0], [1.0, 2.0]], "one length"),
    (lambda given: None, "embeddings"),
])  # fmt: skip
def test_an_image_function_that_gives_something_else(fault, reason):
    pair = MultimodalEmbeddings(text_fn=colours.texts, image_fn=fault)
    with pytest.raises(EmbeddingError, match=reason):
        pair.embed_image([colours.picture("red"), colours.picture("blue")])


def test_pictures_of_another_length_than_texts():
    pair = MultimodalEmbeddings(
        text_fn=colours.texts, image_fn=lambda given: colours.images(given)[:, :2]
    )
    pair.embed_query("red")
    with pytest.raises(EmbeddingError, match="dimension"):
        pair.embed_image([colours.picture("red")])


@pytest.mark.parametrize("given", [
    {},
    {"text_fn": colours.texts},
    {"image_fn": colours.images},
    {"model": "clip-ViT-B-32", "text_fn": colours.texts, "image_fn": colours.images},
    {"model": "clip-ViT-B-32", "backend": "onnx"},
    {"text_fn": 1, "image_fn": colours.images},
    {"text_fn": colours.texts, "image_fn": 1},
    {"model": "./no/such/folder"},
])  # fmt: skip
def test_neither_a_model_nor_a_pair(given):
    with pytest.raises(InvalidArgumentError):
        MultimodalEmbeddings(**given)


def test_the_fingerprint_of_functions_is_what_was_given():
    assert colours.embeddings().fingerprint is None
    assert colours.embeddings(fingerprint="v1").fingerprint == "v1"
