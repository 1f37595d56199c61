"""Negatives of the live index: where they come from, and what never is one."""

from __future__ import annotations

import pytest

from langchain_chroma_hybrid import ChromaHybridRetriever, HybridChroma
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.finetune import (
    Example,
    TrainingData,
    from_pairs,
    from_scored_pairs,
    make_queries,
    mine_by_model,
    mine_negatives,
)
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import CORPUS, fresh_name
from tests.tiny_models import save_sentence_transformer

TEXTS = {id_: text for id_, text, _ in CORPUS}
NAMES = {text: id_ for id_, text in TEXTS.items()}


def data():
    """Two questions; the first is answered by `pump`, whose twin is `valve`."""
    pairs = [("Error R123-78 pump blocked", "pump"), ("maple leaves in autumn", "leaves")]
    return TrainingData([Example(query, TEXTS[id_], id=id_) for query, id_ in pairs])


def mined(store, **options):
    """Ids of the negatives of the first question."""
    settings = {"relative_margin": None, "guard": None, "count": 8, "range_max": 8, **options}
    found = mine_negatives(store, data(), **settings)
    return [NAMES[text] for text in found.examples[0].negatives]


@pytest.mark.parametrize("source", ["vector", "lexical", "hybrid", "both", "random"])
def test_the_answer_is_no_negative(store, source):
    found = mined(store, source=source)
    assert found
    assert "pump" not in found
    assert len(found) == len(set(found))


def test_words_alone_find_what_has_the_words(store):
    assert set(mined(store, source="lexical")) <= {"valve", "water", "manual"}
    assert len(mined(store, source="vector")) > 4


def test_both_legs_take_turns(store):
    by_leg = {leg: mined(store, source=leg)[0] for leg in ("vector", "lexical")}
    assert mined(store, source="both", count=2)[0] == by_leg["vector"]


def test_the_best_hits_can_be_passed_over(store):
    assert mined(store, source="vector", range_min=3) == mined(store, source="vector")[2:]


def test_what_the_other_leg_finds_too_may_be_an_answer(store):
    assert "valve" in mined(store, source="lexical")
    assert "valve" not in mined(store, source="lexical", guard="other_leg", guard_depth=2)
    assert "valve" not in mined(store, source="hybrid", guard="other_leg", guard_depth=2)


def test_what_is_as_near_as_the_answer_is_passed_over(store):
    far = mined(store, source="vector", relative_margin=0.6)
    assert "valve" not in far
    assert set(far) < set(mined(store, source="vector"))


def test_a_cross_encoder_has_the_last_word(store):
    class Judge:
        def predict(self, pairs):
            return [0.9 if "pump" in text else 0.1 for _, text in pairs]

    found = mined(store, source="vector", guard=Judge())
    assert found
    assert not {"pump", "water", "manual"} & set(found)


@pytest.mark.parametrize("source", ["vector", "lexical", "random"])
@pytest.mark.parametrize("kind", ["title", "heading", "first_sentence"])
def test_negatives_of_made_queries_have_the_form_of_their_answers(source, kind):
    store = HybridChroma(fresh_name(), WordEmbeddings(64))
    bodies = [f"It has {n} wheels and water." for n in range(6)]
    mark = {"title": "", "heading": "# ", "first_sentence": ""}[kind]
    end = "." if kind == "first_sentence" else "\n"
    names = ("red", "blue", "new", "old", "big", "wet")
    asks = [f"{mark}The {name} engine{end} " for name in names]
    texts = [ask + body for ask, body in zip(asks, bodies, strict=True)]
    titles = [{"label": text.partition("\n")[0]} for text in texts]
    store.add_texts(texts, titles, [f"r{n}" for n in range(6)])
    data = make_queries(store, kinds=[kind], title_keys=["label"])
    options = {"relative_margin": None, "guard": None, "count": 5, "title_keys": ["label"]}
    found = mine_negatives(store, data, source=source, **options)
    assert len(found) == 6
    for example in found.examples:
        assert example.negatives
        assert {*example.negatives} <= {*bodies} - {example.text}
    labelled = TrainingData([Example("red engine", texts[0], id="r0"), Example("blue", texts[1])])
    whole = mine_negatives(store, labelled, source=source, **options)
    assert {*whole.examples[0].negatives} <= {*texts}, "a query that was asked"


def test_a_text_under_two_titles_answers_both():
    store = HybridChroma(fresh_name(), WordEmbeddings(64))
    rows = {"pump": "It moves water.", "water pump": "It moves water.", "fan": "It moves air."}
    texts = [f"{title}: {text}" for title, text in rows.items()]
    store.add_texts(texts, [{"title": title} for title in rows])
    found = mine_negatives(store, make_queries(store, kinds=["title"]), source="vector",
                           relative_margin=None, guard=None, count=3)  # fmt: skip
    assert found.examples[0].negatives == ("It moves air.",)


def test_further_answers_and_filters_hold(store):
    known = {"Error R123-78 pump blocked": ["valve"]}
    assert "valve" not in mined(store, source="both", positives=known)
    ours = ChromaHybridRetriever.from_vectorstore(store, base_filter={"tenant": "a"})
    assert set(mined(ours, source="both")) <= {"leaves", "cat", "manual"}


def test_examples_without_a_negative_are_dropped_and_reported(store):
    with_none = mine_negatives(store, data(), source="lexical", range_max=1, guard=None)
    assert len(with_none) < 2
    assert "no negative was found" in str(with_none.report)


@pytest.mark.parametrize(
    "options",
    [{"source": "vectors"}, {"range_min": 9, "range_max": 5}, {"guard": "other"}, {"count": 0},
     {"relative_margin": 2.0}, {"range_min": 1.5}, {"seed": -1}, {"seed": "x"},
     {"positives": ["manual"]}],
)  # fmt: skip
def test_bad_values(store, options):
    with pytest.raises(InvalidArgumentError, match=f"^{next(iter(options))}: "):
        mine_negatives(store, data(), **options)


@pytest.mark.parametrize("bad", [None, [("a", "b")], from_pairs([("a", "b")])])
def test_data_that_is_none(store, bad):
    for mine in (mine_negatives, lambda _, given: mine_by_model(given, None)):
        with pytest.raises(InvalidArgumentError, match="data: expected"):
            mine(store, bad)


def test_scored_pairs_have_no_negatives(store):
    with pytest.raises(InvalidArgumentError, match="data: expected pairs or triplets"):
        mine_negatives(store, from_scored_pairs([("a", "b", 1.0), ("c", "d", 0.0)]))


def test_sentence_transformers_own_miner(tmp_path):
    pytest.importorskip("sentence_transformers", reason="the extra `local` is not installed")
    pytest.importorskip("datasets", reason="the extra `finetune` is not installed")
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(save_sentence_transformer(tmp_path / "tiny"))
    found = mine_by_model(data(), model, corpus=list(TEXTS.values()), count=2, range_max=6)
    assert len(found) == 2
    for before, after in zip(data().examples, found.examples, strict=True):
        assert len(after.negatives) == 2
        assert before.text not in after.negatives
