"""An agent that searches: filters that it sets, sources that it cites, a tenant that it cannot.

CHAT_MODEL=openai:gpt-5-mini python examples/agent.py "What does E-4012 mean?"

Without CHAT_MODEL a scripted model makes the calls that a real one makes, a wrong one included.
Needs `pip install langchain`.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain.chat_models import init_chat_model
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.runtime import get_runtime

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma, minilm
from langchain_chroma_hybrid.tools import create_search_tool

store = HybridChroma("service", minilm())
for id_, text, year, tenant in [
    ("p1", "E-4012: the inlet of the pump is blocked. Clean the sieve.", 2021, "acme"),
    ("p2", "E-4012: on pumps with firmware 7, restart the controller first.", 2024, "acme"),
    ("p3", "E-4021: the motor is too hot. Let it cool for an hour.", 2024, "acme"),
    ("x1", "E-4012 at bolt's site: the contract says that we pay the repair.", 2024, "bolt"),
]:
    store.add_texts([text], [{"year": year, "tenant": tenant}], [id_])


@dataclass
class Request:
    """What the caller of a run says; no model can."""

    tenant: str


class Script(GenericFakeChatModel):
    """Says its lines one after the other, whatever it is told."""

    def bind_tools(self, *_: Any, **__: Any) -> Script:
        """Itself: it knows them."""
        return self


def scripted() -> Script:
    tries = [{"query": "E-4012", "filters": f} for f in ({"yaer": 2024}, {"year": {"gte": 2023}})]
    calls = [
        AIMessage("", tool_calls=[{"name": "search", "args": args, "id": "1"}]) for args in tries
    ]
    return Script(messages=iter([*calls, AIMessage("Restart the controller first [1].")]))


def main(question: str) -> None:
    search = create_search_tool(
        ChromaHybridRetriever.from_vectorstore(store, k=2),
        description="Search the service notes. Cite sources as [1].",
        filterable={"year": int},
        base_filter=lambda: {"tenant": get_runtime(Request).context.tenant},
        max_calls=4,
    )
    model = init_chat_model(os.environ["CHAT_MODEL"]) if "CHAT_MODEL" in os.environ else scripted()
    agent = create_agent(model, [search], context_schema=Request)
    given: Any = {"messages": [("user", question)]}
    for step in agent.stream(given, context=Request("acme"), stream_mode="updates"):
        for message in [m for part in step.values() for m in part["messages"]]:
            shown = [call["args"] for call in getattr(message, "tool_calls", ())] or message.text
            found = [d.id for d in message.artifact] if isinstance(message, ToolMessage) else ""
            print(f"{message.type}: {shown} {found}")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "What does E-4012 mean on a new pump?")
