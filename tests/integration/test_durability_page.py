"""The tests that docs/durability.md names exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent.parent
PAGE = TESTS.parent / "docs" / "durability.md"


def test_every_test_that_the_page_names_exists():
    named = re.findall(r"`([^`]*test_\w+[^`]*)`", PAGE.read_text(encoding="utf-8"))
    files = [path for path in TESTS.rglob("test_*.py") if path.parent != TESTS]
    defined = {n for path in files for n in re.findall(r"def (test_\w+)", path.read_text("utf-8"))}
    assert len(named) > 25
    for name in named:
        for file in re.findall(r"[\w/]+\.py", name):
            assert (TESTS / file).is_file(), name
        for test in re.findall(r"(?<![/\w])test_\w+(?!\w*\.py)", name):
            assert test in defined, name
