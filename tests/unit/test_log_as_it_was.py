"""Programs run inside tests may quieten the package's log: no other test may hear less for it."""

import logging

import pytest

PACKAGE = logging.getLogger("langchain_chroma_hybrid")


@pytest.mark.parametrize("time", [1, 2])
def test_no_test_quietens_the_next(time, caplog):
    PACKAGE.warning("heard")
    assert "heard" in caplog.text
    PACKAGE.setLevel("ERROR")
    PACKAGE.propagate = False
