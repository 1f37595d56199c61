"""The search tool over pictures: content blocks that models take, of known folders, no more."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, convert_to_openai_messages

pytest.importorskip("PIL", reason="pictures need the extra `image`")
from PIL import Image

from langchain_chroma_hybrid.multimodal import ImageCollection
from langchain_chroma_hybrid.tools import create_search_tool
from tests.unit import colours

NOT_SHOWN = ("[a picture that cannot be shown]", "[a picture that does not fit into the budget]")


@pytest.fixture
def place(tmp_path):
    """`in` with pictures, `out` with one that nobody may see."""
    colours.save(tmp_path / "in", "red.png", "green.png", "blue_1.png", "blue_lost.png")
    colours.save(tmp_path / "out", "red.png")
    return tmp_path


@pytest.fixture
def collection(place):
    made = ImageCollection.open("pictures", colours.embeddings())
    made.sync(place / "in", captions={"red.png": "tomato soup", "blue_1.png": "blue sky"})
    made.sync(place / "out", metadata=lambda _: {"tenant": "b"})
    (place / "in" / "blue_lost.png").unlink()
    yield made
    made.store.delete_collection()


def noise(folder: Any, count: int) -> None:
    """Pictures that no JPEG makes small."""
    folder.mkdir(exist_ok=True)
    for n in range(count):
        pixels = np.random.default_rng(n).integers(0, 256, (300, 300, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"noise_{n}.png")


async def called(tool: Any, *, asynchronous: bool, **arguments: Any) -> ToolMessage:
    call = {"name": tool.name, "args": arguments, "id": "1", "type": "tool_call"}
    return await tool.ainvoke(call) if asynchronous else tool.invoke(call)


def texts(message: ToolMessage) -> list[str]:
    return [block["text"] for block in message.content if block["type"] == "text"]


def pictures(message: ToolMessage) -> list[Image.Image]:
    blocks = [block for block in message.content if block["type"] == "image"]
    return [Image.open(io.BytesIO(base64.b64decode(block["base64"]))) for block in blocks]


def encoded(message: ToolMessage) -> int:
    return sum(len(block.get("base64", "")) for block in message.content)


both = pytest.mark.parametrize("asynchronous", [False, True])


@both
async def test_text_and_pictures(collection, place, asynchronous):
    tool = create_search_tool(collection.as_retriever(k=3), roots=[place / "in"])
    message = await called(tool, asynchronous=asynchronous, query="tomato soup")
    first, *_ = texts(message)
    assert "[1] id:" in first
    assert "tomato soup" in first
    assert message.artifact[0].metadata["file_name"] == "red.png"
    shown = pictures(message)[0]
    assert np.asarray(shown)[0, 0].argmax() == 0  # red
    # What a framework does with it on the way to a model.
    kinds = [block["type"] for block in message.content_blocks]
    assert set(kinds) == {"text", "image"}
    [turned] = convert_to_openai_messages([message])
    assert {block["type"] for block in turned["content"]} == {"text", "image_url"}


@both
async def test_it_says_which_source_a_picture_belongs_to(collection, place, asynchronous):
    tool = create_search_tool(collection.as_retriever(k=5), roots=[place / "in"])
    message = await called(tool, asynchronous=asynchronous, query="red green blue")
    assert len(message.artifact) == 5
    first, *blocks = message.content
    assert [block["text"] for block in blocks[::2]] == [
        f"The picture of source [{n}]:" for n in range(1, 6)
    ]
    for number, block in enumerate(blocks[1::2]):
        metadata = message.artifact[number].metadata
        known = metadata["file_name"] != "blue_lost.png" and "tenant" not in metadata
        assert (block["type"] == "image") == known
        assert known or block == {"type": "text", "text": NOT_SHOWN[0]}
    assert [f"[{n}] id: " in first["text"] for n in range(1, 7)] == [True] * 5 + [False]


@both
@pytest.mark.parametrize("roots", [(), "in/red.png", "lost"])
async def test_without_a_root_a_line_stands_for_a_picture(collection, place, roots, asynchronous):
    given = [place / roots] if roots else ()
    tool = create_search_tool(collection.as_retriever(k=5), roots=given)
    message = await called(tool, asynchronous=asynchronous, query="red green blue")
    assert len(pictures(message)) == (1 if roots == "in/red.png" else 0)
    assert sum(text in NOT_SHOWN for text in texts(message)) == 5 - len(pictures(message))
    assert str(place / "out" / "red.png") not in "".join(texts(message)[1:])


@both
@pytest.mark.parametrize("budget", [1, 3_000, 40_000])
async def test_a_budget_of_pictures(place, budget, asynchronous):
    noise(place / "noise", 4)
    made = ImageCollection.open("noise", colours.embeddings())
    made.sync(place / "noise")
    tool = create_search_tool(made.as_retriever(k=4), roots=place / "noise", max_bytes=budget)
    message = await called(tool, asynchronous=asynchronous, query="red")
    assert encoded(message) <= budget
    assert len(pictures(message)) + texts(message).count(NOT_SHOWN[1]) == 4
    assert (len(pictures(message)) == 4) == (budget >= 40_000)
    made.store.delete_collection()


@both
async def test_the_budget_of_texts_holds_for_what_says_where_from(asynchronous):
    """A picture may be its own address, which no model reads."""
    target = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)).save(
        target, "PNG"
    )
    uri = f"data:image/png;base64,{base64.b64encode(target.getvalue()).decode()}"
    made = ImageCollection.open("addresses", colours.embeddings())
    made.store.add_texts(["a red thing"], [{"uri": uri}])
    tool = create_search_tool(made.as_retriever(), max_characters=500)
    message = await called(tool, asynchronous=asynchronous, query="red")
    assert len(pictures(message)) == 1
    assert len("".join(texts(message))) < 1_000
    made.store.delete_collection()


@pytest.mark.parametrize(("way", "asynchronous"), [("retriever", False), ("call", True)])
@pytest.mark.parametrize("filters", [None, {"tenant": "b"}, {"tenant": {"ne": "a"}}])
async def test_filters_hold(place, way, filters, asynchronous):
    made = ImageCollection.open("tenants", colours.embeddings())
    made.sync(place / "in", metadata=lambda _: {"tenant": "a"})
    made.sync(place / "out", metadata=lambda _: {"tenant": "b"})
    base = {"tenant": "a"}
    own = made.as_retriever(k=9, **({"base_filter": base} if way == "retriever" else {}))
    options = {"base_filter": lambda: base} if way == "call" else {}
    tool = create_search_tool(own, roots=[place], filterable={"tenant": str}, **options)
    message = await called(tool, asynchronous=asynchronous, query="red", filters=filters)
    found = {document.metadata["tenant"] for document in message.artifact}
    assert found == (set() if filters else {"a"})
    shown = pictures(message) if isinstance(message.content, list) else []
    assert len(shown) == (0 if filters else 4)
    made.store.delete_collection()


class Scripted(GenericFakeChatModel):
    def bind_tools(self, *_: Any, **__: Any) -> Scripted:
        return self


@both
async def test_in_an_agent(collection, place, asynchronous):
    call = {"name": "search", "args": {"query": "tomato soup", "k": 2}, "id": "1"}
    script = [AIMessage("", tool_calls=[call]), AIMessage("A soup [1].")]
    tool = create_search_tool(collection.as_retriever(), roots=[place / "in"])
    runs = create_agent(Scripted(messages=iter(script)), [tool])
    given = {"messages": [HumanMessage("?")]}
    state = await runs.ainvoke(given) if asynchronous else runs.invoke(given)
    [message] = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert pictures(message)
    assert state["messages"][-1].text == "A soup [1]."


async def test_what_is_wrong_is_a_text(collection):
    tool = create_search_tool(collection.as_retriever())
    for asynchronous in (False, True):
        message = await called(tool, asynchronous=asynchronous, query="red", k="many")
        assert "many" in message.content
        assert message.artifact == []
