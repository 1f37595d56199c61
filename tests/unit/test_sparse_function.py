"""Our analyzer as Chroma's sparse function: values, dimensions, what a collection stores of it."""

from __future__ import annotations

import json

import pytest
from chromadb.utils.embedding_functions import sparse_known_embedding_functions

from langchain_chroma_hybrid import Analyzer
from langchain_chroma_hybrid.core.values import Record
from langchain_chroma_hybrid.embeddings.chroma.sparse import NAME, AnalyzedBm25, dimension
from langchain_chroma_hybrid.errors import AnalyzerMismatchError, InvalidArgumentError
from langchain_chroma_hybrid.lexical.rank_bm25 import RankBM25Index


def test_values_are_those_of_bm25():
    function = AnalyzedBm25(Analyzer(None), k1=1.2, b=0.75, average_length=4)
    [vector] = function(["pump the pump here"])
    held = dict(zip(vector.indices, vector.values, strict=True))
    assert held[dimension("pump")] == pytest.approx(2 * 2.2 / (2 + 1.2))
    assert held[dimension("here")] == pytest.approx(2.2 / (1 + 1.2))
    assert vector.indices == sorted(vector.indices)


def test_scores_are_those_of_an_index_here():
    texts = ["pump water", "water under water", "a red cat", "the red cat here", "a cat", "so"]
    analyzer = Analyzer(None)
    index = RankBM25Index("okapi", analyzer=analyzer, k1=1.2)
    index.apply([Record(str(n), text) for n, text in enumerate(texts)])
    lengths = [len(analyzer.document(text)) for text in texts]
    function = AnalyzedBm25(analyzer, average_length=sum(lengths) / len(lengths))
    [place] = function.query("water").indices
    vectors = [dict(zip(v.indices, v.values, strict=True)) for v in function(texts)]
    found = {hit.id: hit.score for hit in index.search("water", 6)}
    assert found.keys() == {"0", "1"}
    rarity = [score / vectors[int(id_)][place] for id_, score in found.items()]
    assert rarity[0] == pytest.approx(rarity[1])


def test_dimensions_are_the_same_everywhere():
    assert [dimension(term) for term in ("pump", "block", "ß", "\ud800")] == [
        373298348, 306843533, dimension("ß"), dimension("\ud800"),
    ]  # fmt: skip
    assert all(0 <= dimension(str(n)) < 2**31 for n in range(1000))


@pytest.mark.parametrize("text", ["", "   ", "the", "!?", "\ud800", "x" * 100_000])
def test_no_text_raises(text):
    function = AnalyzedBm25(Analyzer())
    for vector in (*function([text]), *function.embed_query([text])):
        assert len(vector.indices) == len(vector.values)


@pytest.mark.parametrize(
    "analyzer",
    [Analyzer(), Analyzer("german"), Analyzer(None), Analyzer(stop_words=["pump"]),
     Analyzer(stop_words=False), Analyzer(version=3)],
    ids=repr,
)  # fmt: skip
def test_a_stored_configuration_opens_again(analyzer):
    function = AnalyzedBm25(analyzer, average_length=7)
    stored = json.loads(json.dumps(function.get_config()))
    again = sparse_known_embedding_functions[NAME].build_from_config(stored)
    assert again.analyzer.fingerprint == analyzer.fingerprint
    assert again(["Open the pumps"]) == function(["Open the pumps"])
    assert again.query("open the pumps") == function.query("open the pumps")


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"format": True}, {"more": 1}, {"language": 1}, {"language": "klingon"},
     {"version": 99}, {"k1": "1"}, {"b": 2.0}, {"average_length": float("nan")},
     {"stop_words": "the"}, {"stop_words": [1]}, {"stop_words": ["a"] * 10_001}],
    ids=str,
)  # fmt: skip
def test_what_no_collection_may_store_is_refused(change):
    config = {**AnalyzedBm25(Analyzer()).get_config(), **change}
    with pytest.raises(InvalidArgumentError):
        AnalyzedBm25.build_from_config(config)


def test_other_stems_are_refused():
    config = AnalyzedBm25(Analyzer()).get_config()
    config["fingerprint"] = config["fingerprint"].replace("english-", "english-0")
    with pytest.raises(AnalyzerMismatchError, match="PyStemmer"):
        AnalyzedBm25.build_from_config(config)
