"""What is built is what was tested: the wheel's contents, and the core tests run against it."""

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytest.importorskip("build", reason="building needs the packages of the `dev` group")
pytest.importorskip("hatchling", reason="building needs the packages of the `dev` group")

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "langchain_chroma_hybrid"
# Extras, and what only the tests of other frameworks need: the core has to do without.
ABSENT = (
    "torch", "sentence_transformers", "transformers", "llama_index", "langchain_classic", "mcp",
)  # fmt: skip
# What shows that the wheel works without extras; all of tests/unit runs with `-m long`.
CORE = ("choice", "query_syntax")
HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (hidden)", name=name)

sys.meta_path.insert(0, Hidden())
"""


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command and return what it printed; its whole output explains a failure."""
    kept = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTEST_ADDOPTS"}}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, **env},
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout[-6000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder with an sdist and the wheel that was built from it, as a release is."""
    folder = tmp_path_factory.mktemp("dist")
    builder = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, REPOSITORY]
    run(*builder, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(path))


@pytest.fixture(scope="module")
def core_tests(tmp_path_factory):
    """A copy of the tests in a folder from which the repository's package is not found."""
    folder = tmp_path_factory.mktemp("elsewhere")
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "tests", folder / "tests", ignore=ignore)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    inside = {name.split("/")[0] for name in names}
    assert inside == {NAME, next(n for n in inside if n.endswith(".dist-info"))}
    assert f"{NAME}/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    shipped = {name for name in names if name.startswith(f"{NAME}/") and name.endswith(".py")}
    package = REPOSITORY / NAME
    assert shipped == {p.relative_to(REPOSITORY).as_posix() for p in package.rglob("*.py")}
    assert not [name for name in names if name.endswith((".pyc", ".bin", ".safetensors"))]


def test_the_wheel_says_what_it_is_and_needs(metadata):
    assert metadata["Name"] == "langchain-chroma-hybrid"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    requires = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    core = {each.name.lower() for each in requires if not each.marker}
    expected = {"langchain-core", "langchain-chroma", "chromadb", "tantivy", "rank-bm25"}
    assert core == expected | {"pystemmer", "numpy", "filelock", "tqdm", "jellyfish"}
    assert all("<" in str(each.specifier) for each in requires), "an upper bound each"
    assert "torchvision" not in {each.name.lower() for each in requires}


def test_what_pypi_shows_links_to_nothing_that_is_not_there(metadata):
    shown = metadata.get_payload(decode=True).decode("utf-8")
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert all(target.startswith("https://") for target in re.findall(r"\]\(([^)]*)\)", shown))
    without_pictures = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", readme)
    for path in re.findall(r"\]\((?!https:)([^)#]+)[^)]*\)", without_pictures):
        assert f"`{path}`" in shown, "it is named"
        assert (REPOSITORY / path).exists()
    kept = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    assert kept.findall(shown) == kept.findall(readme), "code is as it was"
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL"))
    assert {"Homepage", "Documentation", "Source", "Changelog"} <= urls.keys()


def test_the_source_archive_brings_its_tests(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", f"{NAME}/py.typed"} <= names
    assert any(name.startswith("tests/unit/test_") for name in names)
    assert {"hatch_build.py", "SECURITY.md"} <= names
    read_by_tests = {"CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "constraints.txt", ".ci/run"}
    assert read_by_tests | {"docs/scores.md", "examples/demo.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith(".venv")]


def test_the_version_stands_in_one_place(built):
    import langchain_chroma_hybrid as package

    (path,) = built.glob("*.tar.gz")
    assert path.name == f"{NAME}-{package.__version__}.tar.gz"
    settings = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"{package.__version__}"' not in settings


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_source_archive_passes_its_own_tests(built, tmp_path):
    (path,) = built.glob("*.tar.gz")
    shutil.unpack_archive(path, tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    command = (sys.executable, "-m", "pytest", "-q", "-m", "not long", "-p", "no:cacheprovider")
    spread = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
    printed = run(*command, *spread, cwd=folder, PYTHONPATH=str(folder))
    assert " passed" in printed.splitlines()[-1]


@pytest.mark.long
def test_the_core_tests_pass_against_the_wheel_without_extras(wheel, core_tests, tmp_path):
    site, hidden = tmp_path / "site", tmp_path / "hidden"
    shutil.unpack_archive(wheel, site, "zip")
    hidden.mkdir()
    (hidden / "no_extras.py").write_text(HIDE.format(names=set(ABSENT)), encoding="utf-8")
    path = os.pathsep.join([str(site), str(hidden)])

    where = f"import {NAME} as package; print(package.__file__)"
    found = run(sys.executable, "-c", where, cwd=core_tests, PYTHONPATH=path)
    assert site in Path(found.strip()).parents

    command = ("-m", "pytest", "-q", "-p", "no_extras", "-p", "no:cacheprovider", "-m", "not long")
    files = [f"tests/unit/test_{name}.py" for name in CORE]
    printed = run(sys.executable, *command, *files, cwd=core_tests, PYTHONPATH=path)
    assert " passed" in printed.splitlines()[-1]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_wheel_alone_in_a_fresh_environment_passes_the_core_tests(wheel, core_tests, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pinned = ("--quiet", "--constraint", REPOSITORY / "constraints.txt")
    tools = ("pytest", "pytest-asyncio", "pytest-timeout", "hypothesis")
    run(python, "-m", "pip", "install", *pinned, wheel, *tools, cwd=core_tests)
    printed = run(python, "-m", "pytest", "-q", "-m", "not long", "tests/unit", cwd=core_tests)
    assert " passed" in printed.splitlines()[-1]
