"""The retrievers as LangChain sees them: pictures alone, texts and pictures, message content."""

import asyncio
import base64
import io

import pytest
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage

pytest.importorskip("PIL", reason="pictures need the extra `image`")
from PIL import Image

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.errors import InvalidArgumentError, UnknownArgumentError
from langchain_chroma_hybrid.multimodal import (
    ImageCollection,
    MultimodalRetriever,
    TextImageRetriever,
    as_content_blocks,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.unit import colours


@pytest.fixture
def collection(tmp_path, request):
    colours.save(tmp_path, "red.png", "green.png", "blue.png")
    name = f"retrievers-{abs(hash(request.node.nodeid))}"
    made = ImageCollection.open(name, colours.embeddings())
    made.sync(tmp_path, captions={"red.png": "tomato soup", "blue.png": "blue sky"})
    yield made
    made.store.delete_collection()


@pytest.fixture
def texts(request):
    store = HybridChroma(f"texts-{abs(hash(request.node.nodeid))}", WordEmbeddings())
    store.add_texts(
        ["How to cook tomato soup", "Why the sky is blue", "Nothing"], ids=["a", "b", "c"]
    )
    yield ChromaHybridRetriever.from_vectorstore(store, k=2)
    store.delete_collection()


def names(documents):
    return [document.metadata.get("file_name", document.page_content) for document in documents]


def test_sync_async_and_batch_agree(collection):
    retriever = collection.as_retriever(k=2)
    picture = colours.picture("red")
    once = retriever.invoke("soup", image=picture)
    assert names(once)[0] == "red.png"
    assert asyncio.run(retriever.ainvoke("soup", image=picture)) == once
    assert retriever.batch(["soup"], image=picture) == [once]


def test_a_picture_can_be_configured_and_survives_a_chain(collection):
    from langchain_core.runnables import ConfigurableField, RunnableParallel

    retriever = collection.as_retriever(k=1).configurable_fields(
        image=ConfigurableField(id="image")
    )
    chain = RunnableParallel(found=retriever)
    config = {"configurable": {"image": colours.picture("blue")}}
    assert names(chain.invoke("", config=config)["found"]) == ["blue.png"]


def test_making_one_opens_nothing():
    store = HybridChroma("opens-nothing", colours.embeddings())
    MultimodalRetriever(vectorstore=store, image="no/such/file.png")
    store.delete_collection()


def test_explain_score_threshold_and_unknown_names(collection):
    retriever = collection.as_retriever(explain=True)
    (best, *_) = retriever.invoke("soup", image=colours.picture("red"))
    assert set(best.metadata["chroma_hybrid_explanation"]) - {"notes"} == {
        *("relevance", "lexical", "vector")
    }
    assert retriever.invoke("", image=colours.picture("red"), score_threshold=0.9) != []
    with pytest.raises(UnknownArgumentError, match="picture"):
        retriever.invoke("soup", picture="red.png")
    with pytest.raises(UnknownArgumentError, match="picture"):
        collection.as_retriever(picture=1)


def test_a_store_without_pictures_is_refused():
    store = HybridChroma("no-pictures", WordEmbeddings())
    with pytest.raises(InvalidArgumentError, match="MultimodalEmbeddings"):
        MultimodalRetriever(vectorstore=store)
    store.delete_collection()


def test_base_filters_are_as_fixed_as_for_texts(collection):
    retriever = collection.as_retriever(base_filter={"file_name": "green.png"})
    with pytest.raises(InvalidArgumentError, match="base_filter"):
        retriever.invoke("red", base_filter=None)
    assert names(retriever.invoke("", image=colours.picture("red"))) == ["green.png"]


# Texts and pictures


def test_both_kinds_are_in_one_answer_by_rank(collection, texts):
    both = TextImageRetriever(
        texts=texts, images=collection.as_retriever(k=2), k=3, score_key="chroma_hybrid_score"
    )
    found = both.invoke("tomato soup")
    assert {d.metadata["chroma_hybrid_found_in"] for d in found[:2]} == {"texts", "images"}
    assert set(names(found[:2])) == {"How to cook tomato soup", "red.png"}
    scores = [document.metadata["chroma_hybrid_score"] for document in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == scores[1] <= 1
    assert asyncio.run(both.ainvoke("tomato soup")) == found
    assert both.invoke("tomato soup", k=2) == found[:2]


def test_weights_of_the_two(collection, texts):
    images = collection.as_retriever(k=2)
    only = TextImageRetriever(texts=texts, images=images, weights=(0.0, 1.0), k=2)
    assert {d.metadata["chroma_hybrid_found_in"] for d in only.invoke("blue sky")} == {"images"}
    first = TextImageRetriever(texts=texts, images=images, weights=(0.9, 0.1))
    assert first.invoke("blue sky")[0].page_content == "Why the sky is blue"


def test_equal_ids_on_both_sides_are_two_documents(texts):
    both = TextImageRetriever(texts=texts, images=texts, k=4)
    assert len(both.invoke("tomato soup")) == 4


@pytest.mark.parametrize("name", ["score_key", "source_key"])
def test_notes_go_under_keys_of_our_own(texts, name):
    with pytest.raises(InvalidArgumentError, match=f"{name}: .*chroma_hybrid_"):
        TextImageRetriever(texts=texts, images=texts, **{name: "relevance_score"})
    quiet = TextImageRetriever(texts=texts, images=texts, source_key=None).invoke("tomato soup")
    assert not any(key.startswith("chroma_hybrid_") for d in quiet for key in d.metadata)
    assert quiet[0] in texts.invoke("tomato soup")


@pytest.mark.parametrize("given", [{"k": 0}, {"weights": (1,)}, {"weights": (0, 0)}])
def test_numbers_that_mean_nothing(texts, given):
    with pytest.raises(InvalidArgumentError):
        TextImageRetriever(texts=texts, images=texts, **given)


def test_unknown_names_raise(texts):
    with pytest.raises(UnknownArgumentError, match="filter"):
        TextImageRetriever(texts=texts, images=texts).invoke("x", filter={"a": 1})


# Message content


def test_content_blocks_are_what_a_message_takes(collection):
    blocks = collection.as_content_blocks(collection.search("tomato soup", k=2))
    assert [block["type"] for block in blocks][:2] == ["text", "image"]
    assert blocks[0]["text"] == "tomato soup"
    image = Image.open(io.BytesIO(base64.b64decode(blocks[1]["base64"])))
    assert (image.format, blocks[1]["mime_type"]) == ("JPEG", "image/jpeg")
    assert image.getpixel((0, 0))[0] > 240
    message = HumanMessage(content_blocks=blocks)
    assert [block["type"] for block in message.content_blocks] == [b["type"] for b in blocks]


def noise(tmp_path, count):
    documents = []
    for i in range(count):
        Image.effect_noise((900, 600), 120).convert("RGB").save(tmp_path / f"{i}.png")
        documents.append(Document("", metadata={"uri": str(tmp_path / f"{i}.png")}))
    return documents


@pytest.mark.parametrize("budget", [20_000, 200_000])
def test_the_budget_holds_and_pictures_shrink_to_it(tmp_path, budget):
    blocks = as_content_blocks(noise(tmp_path, 3), roots=tmp_path, max_bytes=budget, max_edge=512)
    sizes = [len(block["base64"]) for block in blocks]
    assert len(sizes) == 3
    assert sum(sizes) <= budget
    for block in blocks:
        assert max(Image.open(io.BytesIO(base64.b64decode(block["base64"]))).size) <= 512


def test_what_does_not_fit_or_cannot_be_read_is_said(tmp_path):
    (document,) = noise(tmp_path, 1)
    lost = Document("A lost one", metadata={"uri": str(tmp_path / "lost.png")})
    remote = Document("", metadata={"uri": "http://127.0.0.1/a.png"})
    plain = Document("Only words")
    blocks = as_content_blocks([document, lost, remote, plain], roots=[tmp_path], max_bytes=40)
    assert [block["type"] for block in blocks] == ["text"] * 5
    assert "budget" in blocks[0]["text"]
    assert blocks[2] == blocks[3]
    assert "cannot be shown" in blocks[2]["text"]
    for wrong in ({"max_bytes": 0}, {"max_edge": -1}):
        with pytest.raises(InvalidArgumentError):
            as_content_blocks([document], **wrong)


def test_the_async_search_takes_a_picture_too(collection):
    retriever, picture = collection.as_retriever(k=2), colours.picture("red")
    once = retriever.search("soup", image=picture)
    found = asyncio.run(retriever.asearch("soup", image=picture))
    assert [hit.id for hit in found.hits] == [hit.id for hit in once.hits]


def test_llama_index_gets_image_nodes(collection, tmp_path):
    pytest.importorskip("llama_index.core")
    from llama_index.core.schema import ImageNode, QueryBundle

    from langchain_chroma_hybrid.llama_index import ChromaHybridRetriever as ForLlamaIndex
    from langchain_chroma_hybrid.llama_index import MultimodalNodeRetriever

    retriever = MultimodalNodeRetriever(collection.as_retriever(k=3), similarity_top_k=1)
    by_picture = QueryBundle("", image_path=str(tmp_path / "blue.png"))
    both = QueryBundle("soup", image_path=str(tmp_path / "red.png"))
    for query, name in (("tomato soup", "red"), (by_picture, "blue"), (both, "red")):
        for found in (retriever.retrieve(query), asyncio.run(retriever.aretrieve(query))):
            (one,) = found
            assert isinstance(one.node, ImageNode)
            assert one.node.image_path == str(tmp_path / f"{name}.png")
            assert one.score > 0
    fields = collection.store.lexical_config.lexical_fields
    chroma = collection.store._chroma_collection
    plain = ForLlamaIndex(chroma, mode="lexical", lexical_fields=fields).retrieve("tomato")
    assert [type(node.node) for node in plain] == [ImageNode]
    for wrong in (ForLlamaIndex(chroma), "retriever"):
        with pytest.raises(InvalidArgumentError, match="MultimodalRetriever"):
            MultimodalNodeRetriever(wrong)
