"""One folder under two versions of PyStemmer, each installed beside the other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("2.2.0.3", "3.1.0")
# What 3.0 and 3.1 stem otherwise; see `core.analysis`.
CHANGED = {
    *("dutch", "english", "finnish", "french", "german", "greek", "italian", "lithuanian"),
    *("norwegian", "romanian", "spanish", "swedish", "yiddish"),
}
USE = """
import json, sys
from pathlib import Path
import Stemmer
from langchain_chroma_hybrid import Analyzer, TantivyIndex
from langchain_chroma_hybrid.core.values import Record

prints = {name: Analyzer(name).fingerprint for name in Stemmer.algorithms()}
found = {}
for language in (None, "portuguese", "russian", "english"):
    index = TantivyIndex(Path(sys.argv[1]) / str(language), analyzer=Analyzer(language))
    index.apply([Record(sys.argv[2], "reindexação: as bombas vermelhas", {})])
    found[str(language)] = [index.outdated, *(hit.id for hit in index.search("bombas", 9))]
    index.close()
print(json.dumps([prints, found]))
"""


@pytest.fixture(scope="module")
def under(tmp_path_factory):
    """Runs `USE` on a folder under a version of PyStemmer."""
    places = {}
    for version in VERSIONS:
        places[version] = tmp_path_factory.mktemp("stemmer")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        subprocess.run([*command, places[version], f"PyStemmer=={version}"], check=True)

    def run(version, folder):
        path = os.pathsep.join([str(places[version]), str(ROOT)])
        done = subprocess.run(
            [sys.executable, "-c", USE, folder, version],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.parametrize("order", [VERSIONS, VERSIONS[::-1]], ids=str)
def test_a_folder_is_opened_under_either_and_outdated_where_they_stem_otherwise(
    under, order, tmp_path
):
    _, first = under(order[0], tmp_path)
    _, second = under(order[1], tmp_path)
    assert set(map(tuple, first.values())) == {(False, order[0])}
    for language in ("None", "portuguese", "russian", "english"):
        outdated, *found = second[language]
        assert outdated is (language == "english")
        assert sorted(found) == sorted(order)


def test_the_fingerprints_differ_where_the_stems_do_and_nowhere_else(under, tmp_path):
    old, new = (under(version, tmp_path / version)[0] for version in VERSIONS)
    assert {language for language in old if old[language] != new[language]} == CHANGED
