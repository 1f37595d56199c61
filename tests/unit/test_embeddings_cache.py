"""The cache of document vectors: several processes, kill -9, foreign files."""

import os
import sqlite3
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from langchain_chroma_hybrid.embeddings import VectorCache
from langchain_chroma_hybrid.errors import EmbeddingError, InvalidArgumentError

WRITER = textwrap.dedent(
    """
    import os, sys
    import numpy as np
    from langchain_chroma_hybrid.embeddings import VectorCache

    path, name, rounds, kill = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "kill"
    cache = VectorCache(path)

    def encode(texts):
        if kill and texts[0].endswith("-40"):
            os.kill(os.getpid(), 9)
        return np.array([[len(text), 1.5] for text in texts], dtype=np.float32)

    cache.embed("model", [f"{name}-{n}" for n in range(rounds)], encode, 5)
    """
)


def vector(text):
    return np.array([len(text), 1.5], dtype=np.float32)


def writer(path, name, rounds, mode="live"):
    return subprocess.Popen([sys.executable, "-c", WRITER, path, name, str(rounds), mode])


def test_vectors_come_back_by_model_and_text(tmp_path):
    cache = VectorCache(tmp_path / "deep" / "cache.sqlite3")
    cache.put("a", {"x": vector("x"), "ß\n": vector("ß\n")})
    cache.put("b", {"x": vector("other")})
    assert cache.get("a", ["x", "ß\n", "unknown"]).keys() == {"x", "ß\n"}
    assert cache.get("a", ["x"])["x"].tolist() == [1.0, 1.5]
    assert cache.get("b", ["x"])["x"].tolist() == [5.0, 1.5]
    assert cache.get("ab", ["x"]) == {}
    assert len(cache) == 3
    cache.clear()
    assert len(cache) == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")
def test_the_file_is_its_owners(tmp_path):
    cache = VectorCache(tmp_path / "cache.sqlite3")
    cache.put("a", {"x": vector("x")})
    assert cache.path.stat().st_mode & 0o077 == 0


def test_more_texts_than_sqlite_takes_variables(tmp_path):
    cache = VectorCache(tmp_path / "cache.sqlite3")
    texts = [str(n) for n in range(2100)]
    cache.put("a", {text: vector(text) for text in texts})
    assert len(cache.get("a", texts)) == 2100


def test_an_interrupted_run_keeps_its_finished_steps(tmp_path):
    cache = VectorCache(tmp_path / "cache.sqlite3")

    def encode(texts):
        if "c" in texts:
            raise ConnectionError
        return [vector(text) for text in texts]

    with pytest.raises(ConnectionError):
        cache.embed("a", ["a", "b", "c", "d"], encode, 2)
    assert cache.get("a", list("abcd")).keys() == {"a", "b"}


def test_bad_vectors_are_not_stored(tmp_path):
    cache = VectorCache(tmp_path / "cache.sqlite3")
    with pytest.raises(EmbeddingError, match="NaN"):
        cache.embed("a", ["x"], lambda texts: [[float("nan")]], 8)
    assert len(cache) == 0


@pytest.mark.long
def test_several_processes_write_one_file(tmp_path):
    path = str(tmp_path / "cache.sqlite3")
    running = [writer(path, name, 60) for name in ("a", "b", "c")]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert len(VectorCache(path)) == 180


@pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
def test_kill_9_leaves_whole_steps_and_a_usable_file(tmp_path):
    path = str(tmp_path / "cache.sqlite3")
    assert writer(path, "k", 60, "kill").wait(60) == -9
    cache = VectorCache(path)
    texts = [f"k-{n}" for n in range(60)]
    found = cache.get("model", texts)
    assert found.keys() == set(texts[:40])
    assert all(np.array_equal(found[text], vector(text)) for text in found)
    assert writer(path, "k", 60).wait(60) == 0
    assert len(cache) == 60


def test_what_is_no_cache_is_refused_and_left_alone(tmp_path):
    with pytest.raises(InvalidArgumentError, match="this is a folder"):
        VectorCache(tmp_path)
    noise = tmp_path / "noise"
    noise.write_bytes(b"no database at all" * 100)
    with pytest.raises(EmbeddingError, match="delete the file"):
        len(VectorCache(noise))
    foreign = tmp_path / "foreign.sqlite3"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE letters (text)")
    connection.close()
    with pytest.raises(EmbeddingError, match="not a vector cache of format 1"):
        VectorCache(foreign).put("a", {"x": vector("x")})
    with sqlite3.connect(foreign) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("letters",)]
    connection.close()
