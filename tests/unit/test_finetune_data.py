"""Training data: what is kept, what is dropped and why, and splits that leak nothing."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest

from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune import (
    Example,
    TrainingData,
    from_beir,
    from_clicks,
    from_judgements,
    from_llama_index,
    from_pairs,
    from_scored_pairs,
    from_triplets,
)


def test_duplicates_empties_and_echoes_are_dropped_and_reported():
    pairs = [("A red pump?", "x y"), ("a RED pump", "X, y."), ("", "z"), ("é a", "E A"), ("b", "c")]
    data = from_pairs(pairs)
    assert [(e.query, e.text) for e in data.examples] == [("A red pump?", "x y"), ("b", "c")]
    assert data.report.dropped == {"duplicate": 1, "empty text": 1, "query is its own answer": 1}
    assert str(data.report).startswith("5 given, kept 2 labelled; 1 dropped: duplicate")


def test_scored_pairs_are_the_same_either_way_round():
    data = from_scored_pairs([("a", "b", 0.5), ("b", "a", 0.5), ("a", "a", 1.0)])
    assert [(e.query, e.text, e.score) for e in data.examples] == [("a", "b", 0.5), ("a", "a", 1.0)]
    assert data.kind == "scored"


def test_queries_that_are_nearly_the_same_stay_together():
    many = [("How do I reset the valve of my pump at home today?", "one")]
    many += [("today at home: how do I reset the valve of my pump", "two")]
    many += [("How do I reset the valve of our pump at home today", "three")]
    many += [(f"quite another question about topic{n}", f"answer {n}") for n in range(30)]
    for seed in range(8):
        parts = from_pairs(many).split(0.3, 0.3, seed=seed)
        sides = [[e.query for e in part.examples] for part in (parts.train, parts.dev, parts.test)]
        assert sum("valve" in " ".join(side) for side in sides) == 1
        assert sum(map(len, sides)) == 33


def test_chinese_queries_are_compared_by_their_characters():
    near = [("今天下雨我们不去吃苹果和香蕉", "a"), ("今天下雨我们不去吃苹果和香蕉吗", "b")]
    for seed in range(6):
        far = [(f"{c}{c}天气很好吗{c}", c) for c in "甲乙丙丁戊己庚辛"]
        parts = from_pairs(near + far).split(0.5, seed=seed)
        sides = ["".join(e.query for e in part.examples) for part in (parts.train, parts.dev)]
        assert ["雨" in side for side in sides].count(True) == 1


def test_the_same_seed_gives_the_same_parts():
    data = from_pairs([(f"word{n} question{n * 7}", f"text {n}") for n in range(50)])
    assert data.split(seed=3).dev.digest == data.split(seed=3).dev.digest
    assert data.split(seed=3).dev.digest != data.split(seed=4).dev.digest
    assert len(data.split(0.2, 0.1).dev) == 10


def test_what_stands_in_the_test_set_is_taken_out_and_reported():
    pairs = [("which pump is red", "This one"), ("other", "Is red which pump"), ("c", "Pumps are")]
    clean = from_pairs(pairs).without(["Which pump is red?"])
    assert [e.query for e in clean.examples] == ["c"]
    assert clean.report.dropped == {"stands in the test set": 2}
    assert clean.report.given == 3


@pytest.mark.parametrize(
    ("make", "rows", "message"),
    [
        (from_pairs, [("a",)], r"^pairs\[0\]"),
        (from_pairs, ["ab"], r"^pairs\[0\]"),
        (from_pairs, [("a", None)], r"^pairs\[0\]"),
        (from_triplets, [("a", "b")], r"^triplets\[0\]: expected at least 3"),
        (from_scored_pairs, [("a", "b", 1.5)], "^score: .* between 0 and 1, got 1.5"),
        (from_scored_pairs, [("a", "b", "much")], "^score: "),
    ],
)
def test_rows_that_are_something_else(make, rows, message):
    with pytest.raises(InvalidArgumentError, match=message):
        make(rows)


@pytest.mark.parametrize("pairs", [[], [("a", "b")], [("a", "b"), ("A", "b!")]])
def test_too_little_to_learn_from(pairs):
    with pytest.raises(InvalidArgumentError, match="data: expected at least 2 examples"):
        from_pairs(pairs).split()


@pytest.mark.parametrize(
    ("odd", "message"),
    [({"score": 1.0}, "a score for each or for none"), ({"negatives": ("e",)}, "negatives for")],
)
def test_scores_and_negatives_are_for_all_or_for_none(odd, message):
    with pytest.raises(InvalidArgumentError, match=message):
        TrainingData([Example("a", "b", **odd), Example("c", "d")])


@pytest.mark.parametrize(
    ("values", "name"),
    [({"negatives": "text"}, "negatives"), ({"negatives": (1,)}, "negatives"),
     ({"negatives": None}, "negatives"), ({"id": 5}, "id"), ({"origin": None}, "origin")],
)  # fmt: skip
def test_examples_of_something_else(values, name):
    with pytest.raises(InvalidArgumentError, match=f"^{name}: expected a "):
        Example("a", "b", **values)


@pytest.mark.parametrize("number", [np.float32(0.5), Fraction(1, 2), np.int64(1)])
def test_numbers_of_others_are_scores(number):
    data = from_scored_pairs([("a", "b", number), ("c", "d", 0)])
    assert data.digest == from_scored_pairs([("a", "b", float(number)), ("c", "d", 0.0)]).digest


def test_a_negative_says_something_and_is_no_answer():
    rows = [("q", "a", "A!", "wrong", " "), ("q", "a", "other"), ("q", "a", "Other"),
            ("q", "b", "a"), ("r", "b", "")]  # fmt: skip
    data = from_triplets(rows)
    assert [example.negatives for example in data.examples] == [("wrong",), ("other",)]
    gone = {"every negative is empty or an answer": 2, "duplicate": 1}
    assert data.report.dropped == gone
    assert data.kind == "triplets"


def test_clicks_have_the_texts_of_the_collection(store):
    clicks = [("blocked", "pump"), ("blocked", "pump"), ("open", "valve"), ("gone", "nowhere")]
    with pytest.raises(InvalidArgumentError, match="1 that are not, such as 'nowhere'"):
        from_clicks(store, clicks)
    data = from_clicks(store, clicks, missing="drop")
    assert {(e.query, e.id) for e in data.examples} == {("blocked", "pump"), ("open", "valve")}
    assert all("Error" in e.text for e in data.examples)
    assert data.report.dropped == {"id not in the collection": 1}


def test_files_of_beir_and_of_llama_index(tmp_path):
    (tmp_path / "qrels").mkdir()
    corpus = [{"_id": "d1", "title": "Pump", "text": "is red"}, {"_id": "d2", "text": "other"}]
    for name, rows in (("corpus", corpus), ("queries", [{"_id": "q1", "text": "colour"}])):
        lines = "\n".join(map(json.dumps, rows))
        (tmp_path / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    judged = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\n"
    (tmp_path / "qrels" / "train.tsv").write_text(judged)
    (only,) = from_beir(tmp_path).examples
    assert (only.query, only.text, only.id) == ("colour", "Pump is red", "d1")
    with pytest.raises(InvalidArgumentError, match=r"test\.tsv"):
        from_beir(tmp_path, split="test")

    file = tmp_path / "llama.json"
    saved = {"queries": {"q": "colour"}, "corpus": {"d": "red"}, "relevant_docs": {"q": ["d"]}}
    file.write_text(json.dumps({**saved, "mode": "text"}), encoding="utf-8")
    assert [(e.query, e.text) for e in from_llama_index(file).examples] == [("colour", "red")]
    for broken in ("[]", "{", json.dumps({**saved, "relevant_docs": {"q": ["lost"]}})):
        file.write_text(broken, encoding="utf-8")
        with pytest.raises(InvalidArgumentError):
            from_llama_index(file)


MANY = from_pairs([(f"question {n}", f"answer {n}") for n in range(10)])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda _: from_pairs(None), "pairs"),
        (lambda _: from_pairs("text"), "pairs"),
        (lambda _: from_scored_pairs({"a": "b"}), "pairs"),
        (lambda _: from_triplets(5), "triplets"),
        (lambda _: TrainingData(None), "examples"),
        (lambda _: TrainingData([Example("a", "b"), ("c", "d")]), "examples: .* got a tuple"),
        (lambda _: MANY.split(seed="x"), "seed"),
        (lambda _: MANY.split(seed=-1), "seed"),
        (lambda _: MANY.sample(0), "count"),
        (lambda _: MANY.sample(2, seed=1.5), "seed"),
        (lambda _: MANY.without("question 1"), "queries"),
        (lambda _: MANY.without([None]), "queries"),
        (lambda _: MANY.with_negatives([["a"]]), "negatives: expected one list for each of 10"),
        (lambda _: MANY.with_negatives(["text"] * 10), "negatives"),
        (lambda _: from_beir(5), "path"),
        (lambda _: from_llama_index(None), "path"),
        (lambda s: from_clicks(s, None), "clicks"),
        (lambda s: from_clicks(s, [("a", "pump", "b")]), r"clicks\[0\]"),
        (lambda s: from_clicks(s, [("a", "pump"), (None, "pump")]), r"clicks\[1\]"),
        (lambda s: from_judgements(s, [("a", "pump")]), "data: expected a Dataset"),
        (lambda _: from_clicks("db", [("a", "pump")]), "store: expected a HybridChroma"),
    ],
)
def test_arguments_of_another_type(store, call, name):
    with pytest.raises(InvalidArgumentError, match=f"^{name}"):
        call(store)


def test_judgements_of_queries_that_nobody_has_are_reported(tmp_path):
    file = tmp_path / "llama.json"
    saved = {"queries": {"q": "colour"}, "corpus": {"d": "red"},
             "relevant_docs": {"q": ["d"], "lost": ["d"]}}  # fmt: skip
    file.write_text(json.dumps(saved), encoding="utf-8-sig")
    assert from_llama_index(file).report.dropped == {"judged query without a text": 1}
    file.write_text(json.dumps({**saved, "relevant_docs": {"q": "d"}}))
    with pytest.raises(InvalidArgumentError, match="EmbeddingQAFinetuneDataset"):
        from_llama_index(file)


def alike(left, right):
    words, others = set(left.split()), set(right.split())
    return len(words & others) >= 0.8 * len(words | others)


@pytest.mark.parametrize("seed", range(5))
def test_no_two_parts_have_queries_that_are_alike(seed):
    random = np.random.default_rng(seed)
    words = [f"w{n}" for n in range(12)]
    asked = [" ".join(random.choice(words, 6, replace=False)) for _ in range(60)]
    data = from_pairs([(query, f"answer {n}") for n, query in enumerate(asked)])
    split = data.split(0.3, 0.3, seed=seed)
    parts = [{e.query for e in part.examples} for part in (split.train, split.dev, split.test)]
    assert all(parts), "none of them is empty"
    for one, other in combinations(parts, 2):
        assert not any(alike(left, right) for left in one for right in other)
    left = {e.query for e in data.without(asked[:5]).examples}
    assert left == {q for q in asked if not any(alike(q, bad) for bad in asked[:5])}


def test_many_queries_of_one_form_are_one_group():
    asked = [f"what is the price of the big red pump number {n}" for n in range(20_000)]
    data = from_pairs([(query, f"answer {n}") for n, query in enumerate(asked)])
    assert len(data.split(0.1).train) == len(data)
    assert len(data.without(asked[:1])) == 0
