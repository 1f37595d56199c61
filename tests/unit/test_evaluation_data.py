"""Reading judgements, statistics over queries, and settings as files."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation import Settings, load_beir, load_clicks, load_csv
from langchain_chroma_hybrid.evaluation.statistics import compare, detectable, estimate, holm


def beir(folder, qrels="qrels.tsv"):
    (folder / qrels).parent.mkdir(parents=True, exist_ok=True)
    (folder / qrels).write_text("query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td2\t1\n")
    queries = [
        {"_id": "q1", "text": "one"},
        {"_id": "q2", "text": "two"},
        {"_id": "q3", "text": ""},
    ]
    corpus = [
        {"_id": "d1", "title": "A", "text": "b"},
        {"_id": "d2", "text": "ü", "metadata": {"n": 1}},
    ]
    for name, rows in (("queries", queries), ("corpus", corpus)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")


@pytest.mark.parametrize("qrels", ["qrels.tsv", "qrels/test.tsv"])
def test_a_beir_folder(tmp_path, qrels):
    beir(tmp_path, qrels)
    data = load_beir(tmp_path)
    assert data.queries == {"q1": "one", "q2": "two"}
    assert data.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1}}
    assert [(r.id, r.text, dict(r.metadata)) for r in data.corpus] == [
        ("d1", "A b", {}),
        ("d2", "ü", {"n": 1}),
    ]


def test_a_trec_file_without_header_has_four_columns(tmp_path):
    beir(tmp_path)
    (tmp_path / "qrels.tsv").write_text("q1\t0\td1\t3\n")
    assert load_beir(tmp_path).qrels == {"q1": {"d1": 3}}


def test_a_csv_file_with_and_without_grades(tmp_path):
    path = tmp_path / "judged.csv"
    path.write_text('id,query\n7,"red, shoes"\n8,"red, shoes"\n', encoding="utf-8")
    assert load_csv(path).qrels == {"red, shoes": {"7": 1, "8": 1}}
    path.write_text("query,id,grade\na,7,3\nb,8,0\n", encoding="utf-8")
    data = load_csv(path)
    assert data.qrels == {"a": {"7": 3}, "b": {"8": 0}}
    assert data.queries == {"a": "a", "b": "b"}


def test_clicks_add_up():
    data = load_clicks([("a", "x"), ("a", "y"), ("a", "x"), ("b", "x")])
    assert data.qrels == {"a": {"x": 2, "y": 1}, "b": {"x": 1}}


@pytest.mark.parametrize("text", ["", "query,grade\na,1\n", "query,id,grade\na,7,good\n"])
def test_a_csv_file_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "judged.csv"
    path.write_text(text)
    with pytest.raises(InvalidArgumentError):
        load_csv(path)


def test_a_table_that_excel_has_saved(tmp_path):
    path = tmp_path / "judged.csv"
    path.write_text("query,id\na,7\n", encoding="utf-8-sig")
    assert load_csv(path).qrels == {"a": {"7": 1}}


@pytest.mark.parametrize(
    ("file", "row"),
    [("queries", {"_id": "q1", "text": None}), ("queries", {"_id": ["q1"], "text": "one"}),
     ("corpus", {"_id": None, "text": "b"}), ("corpus", {"_id": "d1", "text": ["b"]}),
     ("corpus", {"_id": "d1", "title": 5, "text": "b"})],
)  # fmt: skip
def test_a_beir_folder_of_something_else_than_texts(tmp_path, file, row):
    beir(tmp_path)
    (tmp_path / f"{file}.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InvalidArgumentError):
        load_beir(tmp_path)


@pytest.mark.parametrize("clicks", [None, "ab", ["ab"], [("a", "b", "c")], [(None, "b")]])
def test_clicks_are_pairs_of_query_and_id(clicks):
    with pytest.raises(InvalidArgumentError, match="clicks"):
        load_clicks(clicks)


@pytest.mark.parametrize("load", [load_beir, load_csv])
def test_a_path_is_a_path(load):
    with pytest.raises(InvalidArgumentError, match="path: expected a path, got 5"):
        load(5)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(InvalidArgumentError, match=r"test\.tsv"):
        load_beir(tmp_path)
    with pytest.raises(InvalidArgumentError, match=r"no\.csv"):
        load_csv(tmp_path / "no.csv")


def test_the_interval_holds_the_mean_and_narrows_with_more_queries():
    rng = np.random.default_rng(0)
    few, many = rng.random(20).tolist(), rng.random(2000).tolist()
    first, second = estimate(few), estimate(many)
    assert first.low < first.mean < first.high
    assert second.high - second.low < (first.high - first.low) / 5
    # 1.96 standard errors, as the central limit theorem has it
    assert second.high - second.low == pytest.approx(2 * 1.96 * np.std(many) / 2000**0.5, rel=0.1)


def test_the_paired_test_is_the_exact_one():
    left, right = [0.9, 0.8, 0.7, 0.9, 0.6, 0.4], [0.5, 0.6, 0.6, 0.4, 0.7, 0.1]
    deltas = np.array(left) - np.array(right)
    all_signs = [abs(np.mean(np.array(s) * deltas)) for s in product((1, -1), repeat=6)]
    exact = np.mean([value >= abs(deltas.mean()) - 1e-12 for value in all_signs])
    found = compare(left, right)
    assert found.p == pytest.approx(exact, abs=0.02)
    assert found.mean == pytest.approx(deltas.mean())
    assert compare(right, left).p == pytest.approx(found.p, abs=0.02)


def test_no_difference_is_never_significant():
    assert compare([0.5] * 30, [0.5] * 30).p == 1.0


def test_statistics_refuse_nothing_and_unequal_lengths():
    with pytest.raises(InvalidArgumentError, match="at least one value"):
        estimate([])
    with pytest.raises(InvalidArgumentError, match="others: expected 2 values"):
        compare([1.0, 0.0], [1.0])


def test_settings_come_back_as_they_were(tmp_path):
    settings = Settings({"fusion": "rrf", "weights": (0.3, 0.7), "c": 10}, {"measure": "nDCG@10"})
    settings.save(tmp_path / "s.json")
    again = Settings.load(tmp_path / "s.json")
    assert again.options == {"fusion": "rrf", "weights": [0.3, 0.7], "c": 10}
    assert again.measured == settings.measured


@pytest.mark.parametrize(
    "options", [{"k": 3}, {"fusion": "borda"}, {"weights": (1, 2, 3)}, {"fetch_k": 0}]
)
def test_settings_refuse_what_the_retriever_would(options):
    with pytest.raises(InvalidArgumentError):
        Settings(options)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2, "options": {}}'])
def test_other_files_are_no_settings(tmp_path, text):
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InvalidArgumentError):
        Settings.load(tmp_path / "s.json")


def test_several_tests_share_their_five_percent():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_few_queries_show_large_differences_alone():
    few, many = [0.0, 1.0] * 5, [0.0, 1.0] * 500
    assert detectable(many, [0.5] * 1000) == pytest.approx(2.802 * 0.5 / 1000**0.5, rel=1e-3)
    assert detectable(few, [0.5] * 10) > 9 * detectable(many, [0.5] * 1000)
    assert detectable([1.0], [0.5]) == float("inf")
