"""The pictures of tests/data, the tiny CLIP, and renderings that it was not trained on."""

from __future__ import annotations

import functools
import json
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

DATA = Path(__file__).parent / "data"
PICTURES = DATA / "pictures"
COLOURS = {
    "white": (255, 255, 255),
    "black": (25, 25, 25),
    "red": (220, 50, 47),
    "orange": (255, 150, 40),
    "yellow": (250, 225, 70),
    "green": (70, 170, 80),
    "blue": (60, 110, 220),
    "purple": (140, 80, 180),
}


@functools.cache
def rows() -> list[dict[str, str]]:
    """The lines of captions.jsonl: file, caption, group."""
    lines = (PICTURES / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def held_out(position: int) -> tuple[str, str]:
    """The backgrounds before which training never showed picture number `position`."""
    names = list(COLOURS)
    return names[position % 8], names[(position + 3) % 8]


def render(position: int, colour: str, seed: int = 0) -> Image.Image:
    """Picture number `position` turned, scaled and moved before a background, as RGB."""
    from PIL import Image

    chance = random.Random(f"{position} {colour} {seed}")  # noqa: S311 - no secrets here
    edge = chance.randint(150, 320)
    with Image.open(PICTURES / rows()[position]["file"]) as opened:
        picture = opened.convert("RGBA")
    inner = round(edge * chance.uniform(0.7, 1.0))
    turned = picture.resize((inner, inner), Image.Resampling.LANCZOS)
    turned = turned.rotate(chance.uniform(-18, 18), Image.Resampling.BICUBIC)
    canvas = Image.new("RGBA", (edge, edge), COLOURS[colour])
    place = [chance.randint(0, edge - inner) for _ in range(2)]
    canvas.alpha_composite(turned, (place[0], place[1]))
    return canvas.convert("RGB")


@functools.cache
def clip() -> MultimodalEmbeddings:
    """The tiny CLIP, or the model that LCH_CLIP_MODEL names."""
    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    model = os.environ.get("LCH_CLIP_MODEL") or DATA / "tiny-clip"
    return MultimodalEmbeddings(model, device="cpu")


def recall(queries: Any, documents: Any, k: int) -> float:
    """Share of queries (n, d) whose own document (n, d) is among the `k` nearest by cosine."""
    import numpy as np

    scores = queries @ documents.T
    better = (scores > np.diag(scores)[:, None]).sum(axis=1)
    return float((better < k).mean())
