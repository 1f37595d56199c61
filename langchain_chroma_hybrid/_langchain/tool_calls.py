"""How often a tool was called in one run of an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.tools import StructuredTool

from langchain_chroma_hybrid.errors import ToolArgumentError

# What LangChain calls a tool's function with, beside the model's arguments.
_RESERVED = ("self", "config", "run_manager")


class SafeTool(StructuredTool):
    """A tool of which a model may name any arguments: LangChain's own names are no others'."""

    def run(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As LangChain's, which raises for an argument of one of its own names."""
        return super().run(_renamed(tool_input), *args, **kwargs)

    async def arun(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The same without blocking the event loop."""
        return await super().arun(_renamed(tool_input), *args, **kwargs)


def _renamed(given: str | dict[str, Any]) -> str | dict[str, Any]:
    """What a model gave, so that it is told of an unknown argument."""
    if not isinstance(given, dict) or not any(name in given for name in _RESERVED):
        return given
    return {f"{name}_" if name in _RESERVED else name: value for name, value in given.items()}


@dataclass(slots=True)
class Calls:
    """How often a tool was called in a run."""

    name: str
    most: int | None
    before: int = 0

    def count(self, runtime: Any) -> None:
        """Count one call.

        Raises:
            ToolArgumentError: it is one too many.
        """
        if self.most is None:
            return
        messages = _messages(getattr(runtime, "state", None))
        if messages is None:
            self.before += 1
            number = self.before
        else:
            number = _number(messages, self.name, getattr(runtime, "tool_call_id", None))
        if number > self.most:
            message = f"{self.name} may be called {self.most} times: answer with what was found"
            raise ToolArgumentError(message)


def _messages(state: Any) -> Sequence[Any] | None:
    """The conversation, in any of the forms that LangGraph has it in; None without one."""
    if isinstance(state, Mapping):
        state = state.get("messages")
    elif hasattr(state, "messages"):
        state = state.messages
    return state if isinstance(state, list | tuple) else None


def _number(messages: Sequence[Any], name: str, call_id: str | None) -> int:
    """Which of the calls of a tool since the user's last message this one is, from 1."""
    last = max((n for n, m in enumerate(messages) if getattr(m, "type", "") == "human"), default=-1)
    calls = [
        call.get("id")
        for message in messages[last + 1 :]
        for call in getattr(message, "tool_calls", None) or ()
        if call.get("name") == name
    ]
    # The last one of that id: some servers give the calls of each message the same ids again.
    place = next((n for n in range(len(calls), 0, -1) if calls[n - 1] == call_id), None)
    return len(calls) + 1 if place is None else place
