"""A joint "model" without weights: a picture is its mean colour, a text the colours it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
}


def texts(given: list[str]) -> np.ndarray:
    """Mean of the colours that a text names, and a little of everything."""
    return np.array(
        [_mean([COLOURS[w] for w in text.lower().split() if w in COLOURS]) for text in given]
    )


def images(given: list[Image.Image]) -> np.ndarray:
    """Mean colour."""
    return np.array([_mean(np.asarray(image).reshape(-1, 3)) for image in given])


def embeddings(**options: Any) -> MultimodalEmbeddings:
    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    return MultimodalEmbeddings(text_fn=texts, image_fn=images, **options)


def picture(colour: str, size: tuple[int, int] = (16, 12)) -> Image.Image:
    from PIL import Image

    return Image.new("RGB", size, COLOURS[colour])


def save(folder: Path, *names: str) -> None:
    """Files such as `sub/red.png`, each in the colour it is named after."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(path.stem.split("_")[0]).save(path)


def _mean(rows: Any) -> np.ndarray:
    mean = np.mean(rows, axis=0) / 255 if len(rows) else np.zeros(3)
    return np.append(mean, 0.05)
