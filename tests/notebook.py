"""The notebook of the examples, run without Jupyter and kept true.

    python -m tests.notebook    write what its cells give now into it
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import tempfile
from typing import Any

from tests.snippets import ROOT

TOUR = ROOT / "examples" / "tour.ipynb"


def cells() -> list[dict[str, Any]]:
    """Those with code, in order."""
    notebook = json.loads(TOUR.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(code: str, namespace: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """A cell's outputs as a notebook holds them: what it prints, and what its last line is."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, where, "exec"), namespace)  # noqa: S102  # ours
        shown = None
        if last is not None:
            shown = eval(compile(ast.Expression(last.value), where, "eval"), namespace)  # noqa: S307  # ours
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    if shown is not None:
        html = getattr(shown, "_repr_html_", None)
        data = {"text/plain": [f"<{type(shown).__name__}>" if html else repr(shown)]}
        if html:
            data["text/html"] = [html()]
        result = {"output_type": "execute_result", "execution_count": None, "metadata": {}}
        outputs.append({**result, "data": data})
    return outputs


def text_of(outputs: list[dict[str, Any]]) -> str:
    """All that outputs show, as one text."""
    parts = [p for each in outputs for p in (each.get("text"), *each.get("data", {}).values())]
    return "\n".join("".join(part) for part in parts if part)


def main() -> None:
    """Run everything, and write it down."""
    notebook = json.loads(TOUR.read_text(encoding="utf-8"))
    namespace: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        for number, cell in enumerate(notebook["cells"]):
            if cell["cell_type"] == "code":
                cell["outputs"] = run("".join(cell["source"]), namespace, f"cell {number}")
        os.chdir(ROOT)
    TOUR.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
