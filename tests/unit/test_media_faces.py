"""Message content for models that see and hear, and nodes for LlamaIndex."""

import base64
import io
import wave
from pathlib import Path

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage

pytest.importorskip("av", reason="sound and video need the extra `media`")
from PIL import Image

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.multimodal import MediaCollection, as_content_blocks
from tests import recordings
from tests.helpers import fresh_name
from tests.unit import colours


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("media")
    recordings.save_video(folder / "clip.mp4", "red", "green", "blue")
    recordings.subtitles(folder / "clip.srt", (5.0, 6.0, "The tomato"))
    recordings.save_sound(folder / "tones.flac", "low", "high", seconds=10)
    colours.save(folder, "yellow.png")
    return folder


@pytest.fixture(scope="module")
def archive(folder):
    made = MediaCollection.open(fresh_name(), recordings.embeddings())
    made.sync(folder)
    yield made
    made.store.delete_collection()


def images(blocks):
    return [
        Image.open(io.BytesIO(base64.b64decode(block["base64"])))
        for block in blocks
        if block["type"] == "image"
    ]


def test_a_video_is_shown_by_frames_of_its_seconds(archive):
    found = archive.search("tomato", k=1)
    blocks = archive.as_content_blocks(found)
    assert blocks[0] == {"type": "text", "text": "The tomato"}
    seen = [image.resize((1, 1)).getpixel((0, 0)) for image in images(blocks)]
    assert len(seen) == 3
    assert all(green > 150 and red + blue < 100 for red, green, blue in seen)
    HumanMessage(content_blocks=blocks)
    assert len(images(archive.as_content_blocks(found, frames=1))) == 1


def test_a_sound_is_heard_from_its_second(archive):
    found = archive.search("high", k=1, filter={"kind": "audio"})
    (block,) = archive.as_content_blocks(found)
    assert (block["type"], block["mime_type"]) == ("audio", "audio/wav")
    with wave.open(io.BytesIO(base64.b64decode(block["base64"]))) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_767
        assert file.getframerate() == 16_000
    start, end = found[0].metadata["start"], found[0].metadata["end"]
    assert len(samples) / 16_000 == pytest.approx(min(end, 20.0) - start, abs=0.1)
    pitch = recordings.pitches([samples[16_000 * 2 :]])[0]
    assert pitch[2] > pitch[0]
    assert archive.as_content_blocks(found, sounds=False) == []


def test_all_together_stay_within_the_budget(archive):
    found = archive.search("red high yellow", k=3)
    for budget in (5_000, 30_000, 200_000):
        blocks = archive.as_content_blocks(found, max_bytes=budget)
        assert sum(len(block.get("base64", "")) for block in blocks) <= budget
    said = {block.get("text") for block in archive.as_content_blocks(found, max_bytes=300)}
    assert {"[a sound that does not fit into the budget]"} <= said


def test_nothing_below_no_root_is_opened(archive, folder, tmp_path):
    found = archive.search("red high yellow", k=3)
    for blocks in (as_content_blocks(found), archive.as_content_blocks(found, roots=[tmp_path])):
        assert {block["type"] for block in blocks} == {"text"}
        said = {block["text"] for block in blocks} - {"The tomato"}
        kinds = ("picture", "video", "sound")
        assert said == {f"[a {kind} that cannot be shown]" for kind in kinds}
    other = as_content_blocks(found, roots=[folder])
    assert {"image", "audio"} <= {block["type"] for block in other}


@pytest.mark.parametrize("times", [
    {}, {"start": "x", "end": None}, {"start": float("nan")}, {"start": -5.0, "end": 1e300},
    {"start": 1e300}, {"start": 11.9, "end": 12.5},
])  # fmt: skip
def test_times_that_a_record_makes_up(folder, times):
    """Whoever may write into the collection may write any."""
    for kind, name in (("video", "clip.mp4"), ("audio", "tones.flac"), ("audio", "clip.srt")):
        document = Document("", metadata={"kind": kind, "uri": str(folder / name), **times})
        blocks = as_content_blocks([document], roots=[folder], max_bytes=400_000)
        assert 1 <= len(blocks) <= 3


def test_the_search_tool_shows_frames_and_no_sounds(archive, folder):
    from langchain_chroma_hybrid.tools import create_search_tool

    tool = create_search_tool(archive.as_retriever(k=3), roots=[folder])
    content = tool.invoke({"query": "red high yellow"})
    kinds = {block["type"] for block in content}
    assert kinds == {"text", "image"}


# LlamaIndex


@pytest.fixture
def nodes(archive):
    llama = pytest.importorskip("langchain_chroma_hybrid.llama_index", reason="the extra")
    return llama.MediaNodeRetriever(archive.as_retriever(k=3))


def test_nodes_have_their_seconds(nodes, folder):
    from llama_index.core.schema import ImageNode, Node

    found = {type(each.node): each for each in nodes.retrieve("tomato high yellow")}
    assert {Node, ImageNode} <= set(found)
    by_kind = {
        each.node.metadata["kind"]: each.node for each in nodes.retrieve("tomato high yellow")
    }
    assert Path(by_kind["video"].video_resource.path) == folder / "clip.mp4"
    assert Path(by_kind["audio"].audio_resource.path) == folder / "tones.flac"
    assert by_kind["image"].image_path == str(folder / "yellow.png")
    best = nodes.retrieve("tomato")[0]
    assert (best.node.metadata["start"], best.node.metadata["end"]) == (4.0, 8.0)
    assert best.node.get_content() == "The tomato"
    assert best.node.metadata["chroma_hybrid_moments"][0]["at"] == pytest.approx(5.4, abs=0.1)
    assert 0 <= best.score <= 1


async def test_nodes_by_a_picture_and_async(nodes, tmp_path):
    from llama_index.core.schema import QueryBundle

    colours.picture("blue").save(tmp_path / "query.png")
    asked = QueryBundle("", image_path=str(tmp_path / "query.png"))
    once = nodes.retrieve(asked)
    assert once[0].node.metadata["start"] == 8.0
    again = await nodes.aretrieve(asked)
    assert [each.node.id_ for each in again] == [each.node.id_ for each in once]


def test_a_retriever_of_another_kind():
    llama = pytest.importorskip("langchain_chroma_hybrid.llama_index", reason="the extra")
    with pytest.raises(InvalidArgumentError, match="MediaRetriever"):
        llama.MediaNodeRetriever(object())
