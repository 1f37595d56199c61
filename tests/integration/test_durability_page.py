"""The tests that docs/durability.md and SECURITY.md name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize(("page", "least"), [("docs/durability.md", 25), ("SECURITY.md", 10)])
def test_every_test_that_the_page_names_exists(page, least):
    text = (TESTS.parent / page).read_text(encoding="utf-8")
    named = re.findall(r"`([^`]*test_\w+[^`]*)`", text)
    files = [path for path in TESTS.rglob("test_*.py") if path.parent != TESTS]
    defined = {n for path in files for n in re.findall(r"def (test_\w+)", path.read_text("utf-8"))}
    assert len(named) > least
    for name in named:
        for file in re.findall(r"[\w/]+\.py", name):
            assert (TESTS / file.removeprefix("tests/")).is_file(), name
        for test in re.findall(r"(?<![/\w])test_\w+(?!\w*\.py)", name):
            assert test in defined, name
