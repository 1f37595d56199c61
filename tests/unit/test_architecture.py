"""The rules of the house that no single test of behaviour would notice being broken."""

import ast
import functools
import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import langchain_chroma_hybrid as package

HOME = Path(package.__file__).parent
NAME = package.__name__
MODULES = sorted(HOME.rglob("*.py"))
MODULE_NAMES = [
    ".".join([NAME, *path.relative_to(HOME).with_suffix("").parts]).removesuffix(".__init__")
    for path in MODULES
]


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


ROOT = frozenset({"errors", "_files", "_lazy", "_optional"})
WINGS = ("chroma", "query", "sync")
# What each room may import, itself and ROOT apart; the engine's wings and files are rooms, too.
MAY_IMPORT = {
    "errors": frozenset(),
    "_lazy": frozenset(),
    "_optional": frozenset(),
    "_files": frozenset(),
    "core": frozenset(),
    "lexical": frozenset({"core"}),
    "embeddings": frozenset({"core"}),
    "engine.threads": frozenset(),
    "engine.chroma": frozenset({"core", "embeddings"}),
    "engine.query": frozenset({"core", "lexical", "engine.chroma", "engine.threads"}),
    "engine.sync": frozenset({"core", "lexical", "engine.chroma", "engine.threads"}),
    "engine.half": frozenset({"lexical", *(f"engine.{wing}" for wing in WINGS)}),
    "engine.config": frozenset({"core", "embeddings", "lexical", "engine.sync"}),
    "engine.server_half": frozenset(
        {"core", "lexical", "engine.config", "engine.half", *(f"engine.{wing}" for wing in WINGS)}
    ),
    "engine.places": frozenset({"engine.chroma", "engine.config", "engine.sync"}),
    "engine.model_notes": frozenset({"core", "engine.chroma", "engine.places"}),
    "engine.guard": frozenset({"core", "engine.chroma", "engine.config", "engine.model_notes"}),
    "engine.model_gate": frozenset({"engine.chroma", "engine.model_notes"}),
    "engine.migrate": frozenset(
        {"core", "lexical", "engine.chroma", "engine.config", "engine.guard", "engine.index"}
        | {"engine.model_gate", "engine.model_notes", "engine.places", "engine.registry"}
        | {"engine.sync"}
    ),
    "engine.registry": frozenset(
        {"core", "lexical", "engine.config", "engine.half", "engine.model_notes", "engine.places"}
        | {"engine.server_half"}
        | {f"engine.{wing}" for wing in WINGS}
    ),
    "engine.about": frozenset(
        {"core", "lexical", "engine.chroma", "engine.config", "engine.model_notes", "engine.places"}
        | {"engine.server_half"}
    ),
    "engine.copy_index": frozenset(
        {"lexical", "engine.chroma", "engine.config", "engine.half", "engine.migrate"}
        | {"engine.places", "engine.registry", "engine.server_half", "engine.sync"}
    ),
    "engine.index": frozenset(
        {"core", "lexical", "engine.config", "engine.guard", "engine.half", "engine.registry"}
        | {"engine.model_gate", "engine.server_half", "engine.threads"}
        | {f"engine.{wing}" for wing in WINGS}
    ),
    "engine.describe": frozenset({"core", "engine.index"}),
    "engine.handle": frozenset(
        {"core", "engine.about", "engine.config", "engine.copy_index", "engine.describe"}
        | {"engine.index", "engine.migrate", "engine.model_notes", "engine.registry"}
        | {"engine.threads"}
        | {f"engine.{wing}" for wing in WINGS}
    ),
    "engine.rescue": frozenset(
        {"core", "embeddings", "engine.chroma", "engine.guard", "engine.model_notes", "engine.sync"}
    ),
}
FACES = (
    "vectorstores", "retrievers", "store_retriever", "_langchain", "llama_index", "multimodal",
    "evaluation", "cli", "mcp", "documents", "migration", "finetune",
)  # fmt: skip
# What of LangChain's faces those for other frameworks may need: nothing.
LANGCHAIN_FACES = {"vectorstores", "retrievers", "store_retriever", "_langchain", "multimodal"}
# All that a face may know of the engine: the door, what is given to it, and what comes out.
FOR_FACES = frozenset(
    {
        "engine.handle",
        "engine.index",
        "engine.config",  # LexicalConfig, and what of it callers say
        "engine.places",
        "engine.migrate.names",
        "engine.migrate.report",
        "engine.migrate.run",
        "engine.query.execute",  # Trace
        "engine.query.values",
        "engine.sync.policy",
        "engine.sync.reconcile",  # reports
        "engine.sync.failpoints",
        "engine.rescue",
        "engine.chroma.rows",  # what is to be written
        "engine.chroma.clients",  # to open and close clients
        "engine.chroma.change_token",  # that one is being opened
    }
)
FRAMEWORKS = ("langchain", "langgraph", "llama_index", "mcp")
FRAMEWORKS_IN_ROOM = {"embeddings": frozenset({"langchain_core"})}
CHROMA_CALLERS = ("engine/chroma/", "embeddings/chroma/")


def relative(path: Path) -> str:
    return path.relative_to(HOME).as_posix()


def room(path: Path) -> str:
    return room_of(relative(path).removesuffix(".py").replace("/", "."))


def room_of(module: str) -> str:
    """The first part of a module's name, or the first two within the engine."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == "engine" else 1])


@functools.cache
def imports(path: Path, *, types_too: bool) -> tuple[str, ...]:
    """Full names of the modules that a file imports, at any depth of the code."""
    return tuple(found_imports(path, types_too=types_too))


def found_imports(path: Path, *, types_too: bool) -> Iterator[str]:
    here = ".".join([NAME, *path.relative_to(HOME).with_suffix("").parts])
    pending: list[ast.AST] = [parsed(path)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(here.split(".")[: -node.level]) + "." if node.level else ""
            base = f"{above}{node.module or ''}".rstrip(".")
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending.extend([*node.orelse, *(node.body if types_too else ())])
        else:
            pending.extend(ast.iter_child_nodes(node))


def rooms_of_ours(names: Iterable[str]) -> set[str]:
    """The rooms, and the public names (which lead to the faces), that an import reaches."""
    reached = {room_of(name.removeprefix(f"{NAME}.")) for name in names if name.startswith(NAME)}
    return reached & ({room(path) for path in MODULES} | set(package.__all__))


def test_the_package_was_found():
    assert {"core", "lexical", "engine.query", "errors"} <= {room(path) for path in MODULES}
    assert {*FACES, *MAY_IMPORT} <= {room(path) for path in MODULES}


@pytest.mark.parametrize("inner", sorted(MAY_IMPORT))
def test_rooms_import_inwards_only(inner):
    broken = {
        relative(path): outward
        for path in MODULES
        if room(path) == inner
        and (
            outward := rooms_of_ours(imports(path, types_too=True))
            - {inner, "engine"}
            - MAY_IMPORT[inner]
            - ROOT
        )
    }
    assert not broken


def test_faces_know_the_door_and_no_store():
    engine = {
        name.removeprefix(f"{NAME}.")
        for path in MODULES
        if room(path) in FACES
        for name in imports(path, types_too=True)
        if name in MODULE_NAMES and name.startswith(f"{NAME}.engine.")
    }
    assert engine <= FOR_FACES
    reached = {
        relative(path): ast.unparse(node)
        for path in MODULES
        if room(path) in FACES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute)
        and node.attr in ("store", "half", "lexical")
        and ast.unparse(node.value).endswith(("index", "index()"))
    }
    assert not reached


@pytest.mark.parametrize("face", ["llama_index", "mcp"])
def test_the_faces_for_other_frameworks_need_none_of_langchains(face):
    broken = {
        relative(path): found
        for path in MODULES
        if room(path) == face
        and (found := rooms_of_ours(imports(path, types_too=False)) & LANGCHAIN_FACES)
    }
    assert not broken


def test_no_files_import_each_other_in_a_circle():
    reach = {
        # What a package names for type checkers alone, it loads when somebody asks.
        module: {
            name
            for name in imports(path, types_too=path.name != "__init__.py")
            if name in MODULE_NAMES and name != module
        }
        for path, module in zip(MODULES, MODULE_NAMES, strict=True)
    }
    while free := [module for module, others in reach.items() if not others & reach.keys()]:
        for module in free:
            del reach[module]
    assert not reach


@pytest.mark.parametrize("inner", sorted(MAY_IMPORT))
def test_inner_rooms_know_no_framework(inner):
    allowed = FRAMEWORKS_IN_ROOM.get(inner, frozenset())
    broken = {
        relative(path): name
        for path in MODULES
        if room(path) == inner
        for name in imports(path, types_too=True)
        if name.startswith(FRAMEWORKS) and name.split(".")[0] not in {*allowed, NAME}
    }
    assert not broken


def test_chromadb_is_called_in_one_place_per_room():
    callers = {
        relative(path)
        for path in MODULES
        if any(n.split(".")[0] == "chromadb" for n in imports(path, types_too=False))
    }
    assert all(caller.startswith(CHROMA_CALLERS) for caller in callers), callers


def test_chromas_database_is_read_in_one_place():
    readers = {
        relative(path)
        for path in MODULES
        if "sqlite3" in imports(path, types_too=False)
        and "chroma.sqlite3" in path.read_text(encoding="utf-8")
    }
    assert readers == {"engine/rescue/segments.py"}


def test_the_default_engine_is_named_in_its_room_and_one_factory():
    """The public name apart, which is loaded when somebody asks."""
    named = {
        relative(path)
        for path in MODULES
        if any("tantivy" in name for name in imports(path, types_too=True))
        or "Tantivy" in " ".join(n.id for n in ast.walk(parsed(path)) if isinstance(n, ast.Name))
    }
    others = {name for name in named if not name.startswith("lexical/tantivy/")}
    assert others == {"lexical/factory.py", "__init__.py"}


def test_core_does_no_input_or_output():
    heavy = {"chromadb", "tantivy", "sqlite3", "socket", "subprocess", "requests", "httpx"}
    used = {
        relative(path): found
        for path in MODULES
        if room(path) == "core"
        and (found := heavy & {n.split(".")[0] for n in imports(path, types_too=False)})
    }
    assert not used


def test_nothing_is_pickled():
    broken = {
        relative(path)
        for path in MODULES
        for name in imports(path, types_too=False)
        if name.split(".")[0] in {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve"}
    }
    assert not broken


def calls(path: Path) -> Iterator[str]:
    tree = parsed(path)
    return (ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_only_the_command_line_prints_and_nobody_uses_the_root_logger():
    root_logger = {
        f"logging.{name}" for name in ("debug", "info", "warning", "error", "basicConfig")
    }
    broken = {
        relative(path): name
        for path in MODULES
        for name in calls(path)
        if (name == "print" and room(path) != "cli") or name in root_logger
    }
    assert not broken


def test_public_names_are_sorted_unique_and_shown_by_dir():
    assert package.__all__ == sorted(set(package.__all__))
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize("name", package.__all__)
def test_every_public_name_is_there_and_documented(name):
    value = getattr(package, name)
    assert inspect.getdoc(value)
    if inspect.isclass(value):
        assert value.__doc__, "its own docstring, not its parent's"
        assert importlib.import_module(value.__module__).__name__.startswith(NAME)


LONG_BODY = 8


def unexplained(path: Path) -> Iterator[str]:
    """Private functions of more than `LONG_BODY` lines that do not say what they do."""
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (node.body[-1].end_lineno or 0) - node.body[0].lineno + 1
        private = node.name.startswith("_") and not node.name.startswith("__")
        if private and lines > LONG_BODY and not ast.get_docstring(node):
            yield node.name


def test_long_private_functions_say_what_they_do():
    assert not {relative(path): found for path in MODULES if (found := [*unexplained(path)])}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018 - the access is the test


IMPORT_QUIETLY = """
import json, logging, socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened")

def state():
    named = (l for l in logging.Logger.manager.loggerDict.values() if isinstance(l, logging.Logger))
    return {l.name: (l.level, len(l.handlers), l.disabled) for l in [logging.getLogger(), *named]}

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
before = state()
import langchain_chroma_hybrid
after = {k: v for k, v in state().items() if v not in (before.get(k), (0, 0, False))}
print(json.dumps({"modules": sorted({n.split(".")[0] for n in sys.modules}), "loggers": after}))
"""


def test_importing_the_package_is_light_and_quiet():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_QUIETLY], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    heavy = {"torch", "transformers", "sentence_transformers", "llama_index", "PIL", "onnxruntime"}
    assert not {*heavy, "mcp"} & set(found["modules"])
    assert found["loggers"] == {}


PUBLIC_NAMES_ARE_LIGHT = """
import json, sys
import langchain_chroma_hybrid as package
for name in package.__all__:
    getattr(package, name)
print(json.dumps(sorted({n.split(".")[0] for n in sys.modules})))
"""


def test_the_public_names_need_no_extra():
    done = subprocess.run(
        [sys.executable, "-c", PUBLIC_NAMES_ARE_LIGHT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    heavy = {"torch", "sentence_transformers", "llama_index", "mcp"}
    assert not heavy & set(json.loads(done.stdout))
