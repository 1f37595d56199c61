"""What CI skips is listed, or fails it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.skips import LIST

if TYPE_CHECKING:
    from pathlib import Path

ROOT = LIST.parents[1]
SKIPPED = """
import pytest

def test_a():
    pytest.skip("no server")

@pytest.mark.xfail
def test_b():
    assert False
"""


CI = ["-m", "not long"]


@pytest.mark.parametrize(
    ("text", "options", "fails"),
    [
        (SKIPPED, [*CI, "-p", "xdist", "-n", "1"], True),
        pytest.param(SKIPPED, CI, True, marks=pytest.mark.long),
        pytest.param(SKIPPED, [], False, marks=pytest.mark.long),
        (SKIPPED.replace('pytest.skip("no server")', "pass"), CI, False),
    ],
)
def test_a_skip_fails_a_run_of_ci(tmp_path: Path, text: str, options: list[str], fails: bool):
    (tmp_path / "test_it.py").write_text(text)
    if fails:
        (tmp_path / "test_all.py").write_text("import pytest\npytest.importorskip('nothing')")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = long\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.skips", *options, str(tmp_path)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == int(fails), done.stdout
    said = done.stdout.partition("skipped, and not listed in skips.md")[2]
    assert bool(said) == fails
    assert not said or ("no server" in said and "nothing" in said)


def test_what_is_listed_is_there():
    for name in re.findall(r"^\| `(.*?)`", LIST.read_text(encoding="utf-8"), re.MULTILINE):
        path, _, test = name.partition("::")
        assert f"def {test}" in (LIST.parent / path).read_text(encoding="utf-8"), name
