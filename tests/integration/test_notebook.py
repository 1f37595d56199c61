"""The notebook of the examples: its cells run in order and give what it shows."""

from __future__ import annotations

import json
from typing import Any

import chromadb
import pytest

from tests import notebook, snippets


@pytest.mark.usefixtures("own_memory")
def test_the_tour_gives_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {}
    for number, cell in enumerate(notebook.cells()):
        outputs = notebook.run("".join(cell["source"]), namespace, f"cell {number}")
        shown, given = notebook.text_of(cell["outputs"]), notebook.text_of(outputs)
        assert snippets.same(shown, given), f"cell {number}; python -m tests.notebook"


def test_the_tour_is_a_small_notebook_with_results():
    whole = json.loads(notebook.TOUR.read_text(encoding="utf-8"))
    assert (whole["nbformat"], whole["nbformat_minor"] >= 5) == (4, True)
    assert len({cell["id"] for cell in whole["cells"]}) == len(whole["cells"])
    assert notebook.TOUR.stat().st_size < 50_000
    shown = "".join(notebook.text_of(cell["outputs"]) for cell in notebook.cells())
    assert "<mark>" in shown
    assert "/home" not in shown


@pytest.fixture
def own_memory():
    """What is in memory is one for the whole process: nothing is left there."""
    yield
    client = chromadb.EphemeralClient()
    for collection in client.list_collections():
        if collection.name == "tour":
            client.delete_collection(collection.name)
