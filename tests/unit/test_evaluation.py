"""evaluate() and tune() over a real store whose two legs are good at different things."""

from __future__ import annotations

import json

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings

pytest.importorskip("ir_measures", reason="the extra `eval` is not installed")

from langchain_chroma_hybrid import ChromaHybridRetriever
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation import Settings, candidates, evaluate, tune
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CountingEmbeddings, make_store

COUNT = 30
QUERIES = {f"q{n}": f"device model{n} manual" for n in range(COUNT)}
QRELS = {f"q{n}": {f"d{n}": 1} for n in range(COUNT)}


class Misleading(Embeddings):
    """Puts every query beside the wrong document."""

    def __init__(self) -> None:
        self.words = WordEmbeddings(size=512)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.words.embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        number = int("".join(c for c in text if c.isdigit()))
        wrong = text.replace(f"model{number}", f"model{(number + 7) % COUNT}")
        return self.words.embed_query(wrong)


def filled(embeddings):
    store = make_store(embedding_function=embeddings)
    texts = [f"The model{n} and its device, in the manual" for n in range(COUNT)]
    store.add_documents([Document(text, id=f"d{n}") for n, text in enumerate(texts)])
    return store


@pytest.fixture(scope="module")
def misled():
    return filled(Misleading())


def test_modes_are_measured_as_they_are(misled):
    found = evaluate(misled, QUERIES, QRELS, ks=(1, 10))
    assert list(found.values) == ["lexical", "vector", "hybrid", "two_step"]
    assert found.estimate("lexical", "recall@1").mean == 1.0
    assert found.estimate("vector", "recall@1").mean == 0.0
    assert found.estimate("lexical").mean > found.estimate("two_step").mean
    assert found.compare("lexical", "vector", "MRR@10").p < 0.01
    for mode, row in zip(found.values, found.table().splitlines()[2:], strict=True):
        assert row.startswith(f"| {mode} | {found.estimate(mode).mean:.3f} |")


def test_unjudged_queries_are_left_out_and_the_result_is_saved(misled, tmp_path):
    found = evaluate(misled, {**QUERIES, "x": "y"}, QRELS | {"q0": {"d0": 0}}, modes=["lexical"])
    assert found.queries == tuple(QUERIES)[1:]
    found.save(tmp_path / "values.json")
    content = json.loads((tmp_path / "values.json").read_text())
    assert content["values"]["lexical"]["nDCG@10"] == list(found.values["lexical"]["nDCG@10"])


def test_a_retrievers_filters_hold(misled):
    none = ChromaHybridRetriever.from_vectorstore(misled, base_filter={"tenant": "nobody"})
    assert evaluate(none, QUERIES, QRELS, modes=["hybrid"]).estimate("hybrid").mean == 0.0


def test_each_query_is_embedded_once():
    embeddings = CountingEmbeddings()
    evaluate(filled(embeddings), QUERIES, QRELS)
    assert sorted(embeddings.queries) == sorted(QUERIES.values())


def test_what_is_better_is_accepted_and_loads_into_a_retriever(misled, tmp_path):
    start = ChromaHybridRetriever.from_vectorstore(misled, weights=(0.2, 0.8), fusion="rrf")
    tuned = tune(start, QUERIES, QRELS)
    assert tuned.accepted
    assert tuned.gain.mean > 0
    assert tuned.gain.p <= 0.05
    tuned.settings.save(tmp_path / "s.json")
    options = Settings.load(tmp_path / "s.json").options
    better = ChromaHybridRetriever.from_vectorstore(misled, **options)
    after = evaluate(better, QUERIES, QRELS, modes=["hybrid"]).estimate("hybrid").mean
    assert after == pytest.approx(tuned.settings.measured["after"])
    assert after > tuned.baseline.mean()


def test_settings_hold_what_the_retriever_had_before(misled):
    start = ChromaHybridRetriever.from_vectorstore(misled, fusion="rrf", c=5)
    tuned = tune(start, QUERIES, QRELS, tried=[{"weights": (1, 0)}])
    assert tuned.accepted
    assert tuned.settings.options == {"fusion": "rrf", "c": 5, "weights": (1, 0)}


def test_what_is_no_better_is_refused():
    store = filled(WordEmbeddings(size=512))
    tuned = tune(store, QUERIES, QRELS, tried=[{"fusion": "min_max"}, {"weights": (0.6, 0.4)}])
    assert not tuned.accepted
    assert tuned.settings.options == {}
    assert tuned.gain.p > 0.05


def test_the_same_seed_gives_the_same_result(misled):
    tried = candidates()[:4]
    first, second = (tune(misled, QUERIES, QRELS, tried=tried, seed=3) for _ in range(2))
    assert first == second


def test_the_plot_is_written(misled, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")
    tuned = tune(misled, QUERIES, QRELS, tried=candidates()[:5])
    tuned.plot(tmp_path / "weights.svg")
    drawn = (tmp_path / "weights.svg").read_text()
    assert "<svg" in drawn
    assert len(drawn) > 5000


@pytest.mark.parametrize(
    "options",
    [{"folds": 1}, {"alpha": 0}, {"tried": []}, {"measure": "map"}, {"tried": [{"k": 1}]}],
)
def test_bad_values_are_refused(misled, options):
    with pytest.raises(InvalidArgumentError):
        tune(misled, QUERIES, QRELS, **options)


def test_too_few_queries_and_other_targets_are_refused(misled):
    few = dict(list(QUERIES.items())[:19])
    with pytest.raises(InvalidArgumentError, match="at least 20 judged queries, got 19"):
        tune(misled, few, QRELS)
    with pytest.raises(InvalidArgumentError, match="target: expected a ChromaHybridRetriever"):
        evaluate("docs", QUERIES, QRELS)
