"""Before and after: the configuration first, queries asked once, and promotion by the verdict."""

from __future__ import annotations

import pytest

pytest.importorskip("ir_measures", reason="the extra `eval` is not installed")

from langchain_core.embeddings import Embeddings

from langchain_chroma_hybrid import FunctionEmbeddings, HybridChroma
from langchain_chroma_hybrid.errors import InvalidArgumentError
from langchain_chroma_hybrid.evaluation import Dataset, Evaluation
from langchain_chroma_hybrid.finetune import Compared, Experiment, Verdict, from_pairs, promote
from langchain_chroma_hybrid.migration import rollback
from langchain_chroma_hybrid.testing import WordEmbeddings
from tests.helpers import COSINE, fresh_name

COUNT = 24
QUERIES = {f"q{n}": f"manual of device{n}" for n in range(COUNT)}
QRELS = {f"q{n}": {f"d{n}": 1} for n in range(COUNT)}
DATA = Dataset(QUERIES, QRELS)


class Blurred(Embeddings):
    """Knows no numbers: every device is one."""

    def embed_documents(self, texts):
        names = ["".join(letter for letter in text if letter.isalpha()) for text in texts]
        return WordEmbeddings(64).embed_documents(names)

    def embed_query(self, text):
        return self.embed_documents([text])[0]


def model(name, embeddings):
    return FunctionEmbeddings(embeddings.embed_documents, fingerprint=name)


@pytest.fixture
def stores(tmp_path):
    """The same records under a bad model and a good one."""
    made = []
    for name, embeddings in (("bad", Blurred()), ("good", WordEmbeddings(512))):
        store = HybridChroma(fresh_name(), model(name, embeddings), collection_configuration=COSINE,
                             persist_directory=str(tmp_path / name))  # fmt: skip
        ids = [f"d{n}" for n in range(COUNT)]
        store.add_texts([f"device{n} is described here" for n in range(COUNT)], ids=ids)
        made.append(store)
    yield made
    for store in made:
        store.close()


def test_test_queries_are_asked_once_and_all_runs_are_listed(stores, tmp_path):
    bad, good = stores
    experiment = Experiment(tmp_path / "experiment", {"epochs": 1})
    experiment.note("first try", {"loss": "cosine"})
    first = experiment.compare("docs", bad, good, DATA)
    assert first.gain("vector").mean > 0.5
    again = Experiment(tmp_path / "experiment", {"epochs": 1})
    assert again.compare("docs", good, bad, tmp_path / "not even there") == first
    verdict = again.verdict()
    assert verdict.better
    assert verdict.commit == experiment.commit
    verdict.save(tmp_path / "report")
    report = (tmp_path / "report" / "report.md").read_text()
    for part in (experiment.commit, "first try", "significantly better", "recall@100", "lexical"):
        assert part in report
    pytest.importorskip("matplotlib")
    assert "report.svg" in report
    assert (tmp_path / "report" / "report.svg").exists()


def test_queries_that_were_learnt_by_heart_are_not_asked(stores, tmp_path):
    bad, good = stores
    learnt = from_pairs([
        ("Manual, of DEVICE0?", "what is said of it"),
        ("what else", "manual of device1"),
        ("something else", "entirely"),
    ])  # fmt: skip
    experiment = Experiment(tmp_path, {"epochs": 1})
    found = experiment.compare("docs", bad, good, DATA, trained_on=learnt)
    assert found.left_out == 2
    assert set(found.after.queries) == QUERIES.keys() - {"q0", "q1"}
    assert experiment.compared() == [found]
    assert "22 queries; 2 more stand in the training data" in experiment.verdict().markdown()


def test_a_model_that_has_learnt_the_whole_test_is_not_tested(stores, tmp_path):
    bad, good = stores
    experiment = Experiment(tmp_path, {"epochs": 1})
    all_of_it = from_pairs([(query, "the answer") for query in QUERIES.values()])
    with pytest.raises(InvalidArgumentError, match=r"^test: .* got '24 that it was'"):
        experiment.compare("docs", bad, good, DATA, trained_on=all_of_it)
    with pytest.raises(InvalidArgumentError, match=r"^trained_on: .* TrainingData or None"):
        experiment.compare("docs", bad, good, DATA, trained_on=[("a", "b")])
    assert experiment.runs() == []


def test_another_configuration_needs_another_folder(tmp_path):
    Experiment(tmp_path, {"epochs": 1})
    with pytest.raises(InvalidArgumentError, match=r"^configuration: "):
        Experiment(tmp_path, {"epochs": 2})
    with pytest.raises(InvalidArgumentError, match=r"^compared: .* collection of the domain"):
        Experiment(tmp_path, {"epochs": 1}).verdict()
    with pytest.raises(InvalidArgumentError, match=r"^test: "):
        Experiment(tmp_path, {"epochs": 1}).compare("a", None, None, tmp_path / "lost")


@pytest.mark.parametrize("bad", [None, [1], {"epochs": object()}, {"rate": float("nan")}])
def test_what_json_cannot_hold_is_no_configuration(tmp_path, bad):
    with pytest.raises(InvalidArgumentError, match=r"^configuration: .* that JSON can hold"):
        Experiment(tmp_path / "new", bad)
    assert not (tmp_path / "new").exists()
    with pytest.raises(InvalidArgumentError, match=r"^run: "):
        Experiment(tmp_path, {"epochs": 1}).note("first", bad)
    assert Experiment.load(tmp_path).runs() == []


@pytest.mark.parametrize("text", ["{", "{}", "[]"])
def test_another_file_is_no_configuration(tmp_path, text):
    (tmp_path / "configuration.json").write_text(text)
    for open_ in (Experiment.load, lambda folder: Experiment(folder, {"epochs": 1})):
        with pytest.raises(InvalidArgumentError, match=r"^folder: .* one of an Experiment"):
            open_(tmp_path)


def test_a_note_that_a_kill_has_torn_hides_no_other(tmp_path):
    experiment = Experiment(tmp_path, {"epochs": 1})
    experiment.note("first", {"loss": "cosine"})
    with (tmp_path / "runs.jsonl").open("a") as file:
        file.write('{"kind": "te')
    experiment.note("second", {"loss": "triplet"})
    assert [run["name"] for run in Experiment.load(tmp_path).runs()] == ["first", "second"]


def compared(name, vector, hybrid=(0.0,), *, general=False, queries=40):
    """A collection whose queries gained so much, each a little otherwise."""
    def values(gains):
        return {"nDCG@10": tuple(0.3 + gains[n % len(gains)] for n in range(queries))}

    ids = tuple(map(str, range(queries)))
    before = Evaluation(ids, {mode: values([0.0]) for mode in ("vector", "hybrid")})
    after = Evaluation(ids, {"vector": values(vector), "hybrid": values(hybrid)})
    return Compared(name, before, after, general)


def verdict(*all_):
    return Verdict(all_, "commit", "now", {})


def test_better_is_significantly_better_and_nowhere_worse():
    gain, loss, luck = [0.1, 0.2, 0.05], [-0.1, -0.2, -0.05], [0.1, -0.1]
    assert verdict(compared("a", gain)).better
    assert not verdict(compared("a", luck)).better
    assert not verdict(compared("a", gain), compared("b", loss)).better
    assert not verdict(compared("a", gain, loss)).better
    forgot = verdict(compared("a", gain), compared("b", loss, general=True))
    assert forgot.better
    assert forgot.forgotten == ("b",)
    assert "merge_models" in forgot.said()


def test_significance_is_shared_by_all_collections():
    weak = [0.2, 0.1, -0.15, 0.12]
    alone = verdict(compared("a", weak, queries=24)).p("vector")["a"]
    others = [compared(str(n), [0.01, -0.01]) for n in range(9)]
    assert verdict(compared("a", weak, queries=24), *others).p("vector")["a"] == pytest.approx(
        min(1.0, alone * 10)
    )


def test_a_better_model_goes_into_the_live_collection(stores, tmp_path):
    store, _ = stores
    good = model("good", WordEmbeddings(512))
    for bad_verdict in (None, verdict(compared("a", [0.1, -0.1]))):
        with pytest.raises(InvalidArgumentError, match=r"^verdict: .* force=True"):
            promote(store, good, verdict=bad_verdict)
    done = promote(store, good, verdict=verdict(compared("a", [0.1, 0.2])), dev=DATA)
    assert done.promoted
    assert done.migration.done
    assert done.tuned.measure == "nDCG@10"
    assert store.similarity_search("device7", k=1, mode="vector")[0].id == "d7"
    rollback(store, model("bad", Blurred()))
    assert store.embeddings.fingerprint == "bad"


@pytest.mark.parametrize(
    ("options", "name"),
    [({"verdict": "better"}, "verdict"), ({"dev": [1]}, "dev"), ({"alpha": 2}, "alpha"),
     ({"embeddings": None}, "embeddings"), ({"store": "docs"}, "store"),
     ({"dev": Dataset({}, {})}, "queries")],
)  # fmt: skip
def test_what_cannot_be_promoted(stores, options, name):
    store, _ = stores
    given = {"store": store, "embeddings": model("good", WordEmbeddings(512)), "force": True}
    with pytest.raises(InvalidArgumentError, match=f"{name}: expected"):
        promote(**{**given, **options})
    assert store.embeddings.fingerprint == "bad"


def test_what_is_worse_in_the_collection_is_taken_back(stores):
    _, store = stores
    wrong = FunctionEmbeddings(
        WordEmbeddings(64).embed_documents, lambda _: WordEmbeddings(64).embed_query("other"),
        fingerprint="wrong",
    )  # fmt: skip
    queries = {name: text.replace("manual of", "what about") for name, text in QUERIES.items()}
    for name in queries:  # no words in common, so that vectors alone decide
        queries[name] = f"{name[1:]} appliance"
    good = FunctionEmbeddings(
        WordEmbeddings(512).embed_documents,
        lambda text: WordEmbeddings(512).embed_query(f"device{text.split()[0]} is described here"),
        fingerprint="good",
    )
    store._embedding_function = good
    done = promote(store, wrong, verdict=verdict(compared("a", [0.1, 0.2])),
                   dev=Dataset(queries, QRELS))  # fmt: skip
    assert not done.promoted
    assert done.gain.mean < 0
    assert store.embeddings.fingerprint == "good"


def test_nothing_is_embedded_anew_for_an_adapter(stores):
    store, _ = stores
    done = promote(store, model("bad", Blurred()), force=True)
    assert done.promoted
    assert done.migration is None
