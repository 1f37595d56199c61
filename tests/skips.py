"""A run of what CI runs fails where it skips a test that `skips.md` does not list: a plugin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Collection

LIST = Path(__file__).with_name("skips.md")
_unlisted: list[str] = []


def listed() -> str:
    """What may be skipped here."""
    anywhere, elsewhere, others = LIST.read_text(encoding="utf-8").partition("## Not on Linux")
    assert elsewhere
    return anywhere if sys.platform == "linux" else anywhere + others


def _look(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    name = report.nodeid.partition("[")[0].removeprefix("tests/")
    names: Collection[str] = (name, name.partition("::")[0])
    if not any(f"`{each}`" in listed() for each in names):
        _unlisted.append(f"{report.nodeid}: {report.longrepr[2] if report.longrepr else ''}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test."""
    _look(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A module, none of whose tests runs."""
    _look(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail; who chooses other tests is told of theirs by pytest."""
    of_ci = "not long" in session.config.option.markexpr
    if not of_ci or hasattr(session.config, "workerinput"):
        _unlisted.clear()
    if _unlisted and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which."""
    if _unlisted:
        terminalreporter.section(f"skipped, and not listed in {LIST.name}", red=True)
        for line in _unlisted:
            terminalreporter.write_line(line)
