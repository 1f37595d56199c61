"""Synthetic sounds with names, the tiny CLAP that was trained on them, and ones it never heard."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import random

    from numpy.typing import NDArray

    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    Samples = NDArray[np.float32]

DATA = Path(__file__).parent / "data"
RATE = 16_000
PITCHES = {"low": (45, 57), "middle": (67, 76), "high": (91, 100)}
"""Semitones, as MIDI counts them."""
PITCHED = (
    "tone", "buzz", "bell", "rising chirp", "falling chirp", "siren", "slow beeps", "fast beeps",
)  # fmt: skip
NOISES = ("white noise", "rumble", "hiss", "wind", "crackle")
RHYTHMS = ("slow drum", "fast drum", "ticking clock", "drum roll")
NAMES = (*(f"{pitch} {kind}" for kind in PITCHED for pitch in PITCHES), *NOISES, *RHYTHMS)


def render(name: str, seed: object, *, held_out: bool = True, seconds: float = 4.0) -> Samples:
    """A sound of that name, float32 `(n,)` at `RATE`; with `held_out` none that training heard.

    Every fourth semitone is kept from training, and noises and rhythms have other seeds there.
    """
    side = "held out" if held_out else "training"
    chance = np.random.default_rng(list(f"{side} {name} {seed}".encode()))
    time = np.arange(round(seconds * RATE)) / RATE
    first, _, rest = name.partition(" ")
    if first in PITCHES and rest in PITCHED:
        made = _pitched(rest, _hertz(first, chance, held_out), time, chance)
    elif name in NOISES:
        made = _noise(name, time, chance)
    else:
        made = _rhythm(name, time, chance)
    made = made / max(1e-9, np.abs(made).max()) * chance.uniform(0.3, 0.9)
    heard = made + chance.normal(0, chance.uniform(0, 0.004), len(made))
    return np.asarray(heard, dtype=np.float32).clip(-1, 1)


def _hertz(pitch: str, chance: np.random.Generator, held_out: bool) -> float:
    first, last = PITCHES[pitch]
    kept = [note for note in range(first, last + 1) if (note % 4 == 0) == held_out]
    note = chance.choice(kept) + chance.uniform(-0.3, 0.3)
    return float(440 * 2 ** ((note - 69) / 12))


def _pitched(
    kind: str, hertz: float, time: Samples, chance: np.random.Generator
) -> NDArray[np.float64]:
    turn = 2 * np.pi
    if kind == "tone":
        return np.sin(turn * hertz * time)
    if kind == "buzz":
        return sum(np.sin(turn * hertz * n * time) / n for n in range(1, 9) if hertz * n < RATE / 2)
    if kind == "bell":
        made = np.zeros(len(time))
        for struck in np.arange(chance.uniform(0, 0.3), time[-1], chance.uniform(1.2, 2.0)):
            since = np.maximum(0, time - struck)
            for ratio, share in ((1, 1.0), (2.76, 0.6), (5.4, 0.3)):
                if hertz * ratio < RATE / 2:
                    ring = np.sin(turn * hertz * ratio * since) * np.exp(-3 * ratio**0.5 * since)
                    made += share * ring * (time >= struck)
        return made
    if kind in ("rising chirp", "falling chirp"):
        through = (time * chance.uniform(0.8, 1.4) + chance.uniform(0, 1)) % 1
        through = 1 - through if kind.startswith("falling") else through
        return np.sin(turn * np.cumsum(hertz * (1 + 1.2 * through)) / RATE)
    if kind == "siren":
        swing = np.sin(turn * chance.uniform(0.4, 0.8) * time + chance.uniform(0, turn))
        return np.sin(turn * np.cumsum(hertz * (1 + 0.35 * swing)) / RATE)
    pace = chance.uniform(1.4, 2.2) if kind == "slow beeps" else chance.uniform(6, 8)
    return np.sin(turn * hertz * time) * ((time * pace + chance.uniform(0, 1)) % 1 < 0.5)


def _noise(name: str, time: Samples, chance: np.random.Generator) -> NDArray[np.float64]:
    white = chance.normal(size=len(time))
    if name == "white noise":
        return white
    if name == "crackle":
        return white * (chance.random(len(time)) < chance.uniform(0.001, 0.003))
    spectrum, hertz = np.fft.rfft(white), np.fft.rfftfreq(len(time), 1 / RATE)
    low, high = {"rumble": (20, 150), "hiss": (4500, 8000), "wind": (200, 900)}[name]
    band = np.fft.irfft(spectrum * ((hertz > low) & (hertz < high * chance.uniform(0.9, 1.1))))
    if name == "wind":
        band *= 0.55 + 0.45 * np.sin(2 * np.pi * chance.uniform(0.3, 0.6) * time)
    return np.resize(band, len(time))


def _rhythm(name: str, time: Samples, chance: np.random.Generator) -> NDArray[np.float64]:
    pace, hertz, decay = {
        "slow drum": (chance.uniform(0.9, 1.3), 80, 12),
        "fast drum": (chance.uniform(3.5, 5), 80, 25),
        "ticking clock": (chance.uniform(1.8, 2.4), 3000, 120),
        "drum roll": (chance.uniform(14, 18), 160, 50),
    }[name]
    since = ((time + chance.uniform(0, 1 / pace)) % (1 / pace)).astype(float)
    struck = np.sin(2 * np.pi * hertz * since) + 0.3 * chance.normal(size=len(time))
    return struck * np.exp(-decay * since)


@functools.cache
def clap() -> MultimodalEmbeddings:
    """The tiny CLAP, or the model that LCH_CLAP_MODEL names."""
    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    model = os.environ.get("LCH_CLAP_MODEL") or DATA / "tiny-clap"
    return MultimodalEmbeddings(model, device="cpu")


def said(name: str, chance: random.Random) -> str:
    """One of the ways to say what is heard."""
    return chance.choice([name, f"the sound of a {name}", f"a {name} can be heard"])
