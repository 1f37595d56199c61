"""Every example of docs/cli.md is run, line by line, by a shell of a few lines."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from langchain_chroma_hybrid.cli.app import app
from tests import snippets

PAGE = (snippets.ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE, re.DOTALL)
# What the names of the page stand for here, where no model is loaded.
MODELS = {
    "all-MiniLM-L6-v2": "langchain_chroma_hybrid.testing:WordEmbeddings",
    "clip-ViT-B-32": "tests.helpers:colour_embeddings",
}
HASH = re.compile(r"\b[0-9a-f]{64}\b")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the page takes to be there."""
    monkeypatch.chdir(tmp_path)
    snippets.workplace(tmp_path)
    manuals = tmp_path / "manuals"
    manuals.mkdir()
    (manuals / "pump.md").write_text("Error R123-78 means that the pump is blocked.\n", "utf-8")
    (manuals / "valve.txt").write_text("The valve is open.\n", "utf-8")
    (tmp_path / "prices.csv").write_text("part,price\npump,12\nvalve,7\n", "utf-8")
    return tmp_path


def shell(line: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a line prints: variables, `printf`, our command, pipes, `>` and `|| true`."""
    for name, stand_in in MODELS.items():
        line = line.replace(name, stand_in)
    line, lenient, _ = line.partition(" || true")
    line, _, file = line.partition(" > ")
    text = ""
    for part in line.split(" | "):
        words = shlex.split(part, comments=True)
        if words[0] == "export":
            for pair in words[1:]:
                monkeypatch.setenv(*pair.split("=", 1))
        elif words[0] == "printf":
            text = words[1].replace("\\n", "\n")
        else:
            assert words[0] == "chroma-hybrid"
            result = CliRunner().invoke(app, words[1:], input=text)
            assert result.exit_code == 0 or lenient, (line, result.stderr)
            text = result.stdout
    if file:
        Path(file).write_text(text, "utf-8")
        return ""
    return text


def test_every_example_runs_and_prints_what_is_shown(place, monkeypatch):
    for code, shown in BLOCKS:
        lines = [line for line in code.splitlines() if not line.startswith("pip install")]
        printed = "".join(shell(line, monkeypatch) for line in lines if line)
        if shown:
            # Reports of what was added come first; of ids that are hashes the page shows less.
            last = "".join(printed.splitlines(keepends=True)[-shown.count("\n") :])
            assert snippets.same(re.sub(r"\b7f0c\b", "HASH", shown), HASH.sub("HASH", last))
    assert len(BLOCKS) > 10
    assert (place / "all.jsonl").read_text("utf-8").count("embedding") == 5
    assert (place / "some.csv").read_text("utf-8").startswith("id,text,uri,metadata.")


def test_what_is_no_example_is_not_called_one():
    """A command in a block of another language would not be run."""
    fences = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)
    assert not [code for kind, code in fences if kind != "sh" and code.startswith("chroma-hybrid")]
