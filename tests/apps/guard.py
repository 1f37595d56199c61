"""A process that reaches this machine only, and tells who tried more.

    python -m tests.apps.guard REFUSED run app.py ...    Streamlit, behind it

What was refused is written to the file REFUSED. With FAKE_ANSWER, that is what every chat model
says, a word each tenth of a second; with `FAIL` in it, the model fails there.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INSIDE = ("127.0.0.1", "::1", "localhost", None)


def refusals(refused: Callable[[str], None]) -> dict[str, Callable]:
    """Stand-ins for what opens connections in `socket`, by name."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def guarded(self: socket.socket, address: tuple) -> None:
        if self.family != socket.AF_UNIX and address[0] not in INSIDE:
            refused(str(address))
            raise OSError(f"refused by the test: {address}")
        connect(self, address)

    def resolved(host: str | None, *further: object, **options: object) -> list:
        if host not in INSIDE:
            refused(str(host))
            raise OSError(f"refused by the test: {host}")
        return resolve(host, *further, **options)

    return {"connect": guarded, "getaddrinfo": resolved}


def fake_model(answer: str) -> object:
    """A chat model that says `answer` word by word."""
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.outputs import ChatGenerationChunk

    class Model(FakeListChatModel):
        def _stream(self, *_: object, **__: object) -> Iterator[ChatGenerationChunk]:
            from langchain_core.messages import AIMessageChunk

            for word in answer.split(" "):
                time.sleep(0.1)
                if word == "FAIL":
                    raise ConnectionError("the line is dead")
                yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))

    return Model(responses=[answer])


def main(file: str) -> None:
    def refused(what: str) -> None:
        with Path(file).open("a", encoding="utf-8") as said:
            said.write(f"{what}\n")

    stand_ins = refusals(refused)
    socket.socket.connect = stand_ins["connect"]
    socket.getaddrinfo = stand_ins["getaddrinfo"]
    if answer := os.environ.get("FAKE_ANSWER"):
        import langchain.chat_models

        langchain.chat_models.init_chat_model = lambda _: fake_model(answer)
    from streamlit.web.cli import main as streamlit

    streamlit()


if __name__ == "__main__":
    main(sys.argv.pop(1))
