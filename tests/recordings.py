"""Small sounds and videos, really encoded: colours that change, and tones."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.unit import colours

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

RATE = 16_000
PITCHES = {"low": 200.0, "middle": 600.0, "high": 2000.0}


def tone(name: str, seconds: float = 4.0) -> np.ndarray:
    """A tone by its name, or silence, float32 `(n,)` at `RATE`."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.5 * np.sin(2 * np.pi * PITCHES.get(name, 0.0) * time)).astype(np.float32)


def save_sound(path: Path, *names: str, seconds: float = 4.0, codec: str = "") -> Path:
    """Tones one after the other; by default in the codec that the suffix wants."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.concatenate([tone(name, seconds) for name in names])
    known = {".wav": "pcm_s16le", ".mp3": "libmp3lame", ".flac": "flac", ".ogg": "libopus"}
    save(path, sounds=[samples], audio_codec=codec or known.get(path.suffix, "aac"))
    return path


def save_video(
    path: Path,
    *names: str,
    seconds: float = 4.0,
    sounds: Sequence[np.ndarray] = (),
    **options: Any,
) -> Path:
    """One colour after the other, for `seconds` each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = options.pop("rate", 10)
    each = round(seconds * rate)
    frames = [
        np.asarray(colours.picture(name, options.get("size", (64, 48)))) for name in names
    ]
    save(path, [frame for frame in frames for _ in range(each)], sounds, rate=rate, **options)
    return path


def save(
    path: Path,
    frames: Sequence[np.ndarray] = (),
    sounds: Sequence[np.ndarray] = (),
    *,
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    audio_codec: str = "aac",
    rotation: int = 0,
    shape: Fraction | None = None,
    times: Sequence[int] | None = None,
) -> None:
    """Frames `(h, w, 3)`, audio tracks `(n,)`; `shape` of a pixel; `times` in ticks of rate."""
    import av

    with av.open(str(path), "w") as container:
        tracks = [container.add_stream(audio_codec, rate=RATE) for _ in sounds]
        for track in tracks:
            track.layout = "mono"
        if frames:
            stream = container.add_stream(codec, rate=rate)
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            if shape:
                stream.codec_context.sample_aspect_ratio = shape
            if rotation:
                stream.set_display_rotation(rotation)
            for at, pixels in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
                frame.pts = at if times is None else times[at]
                frame.time_base = Fraction(1, rate)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        for track, samples in zip(tracks, sounds, strict=True):
            _encode(container, track, samples)


def _encode(container: Any, track: Any, samples: np.ndarray) -> None:
    import av

    step = track.codec_context.frame_size or 1024
    resampler = av.AudioResampler(format=track.format.name, layout="mono", rate=track.rate)
    made = av.AudioFifo()
    for at in range(0, len(samples), 4096):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples[None, at : at + 4096]), format="flt", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE, at, Fraction(1, RATE)
        for each in resampler.resample(frame):
            made.write(each)
        for each in made.read_many(step):
            container.mux(track.encode(each))
    for each in resampler.resample(None):
        made.write(each)
    for each in (*made.read_many(step, partial=True), None):
        container.mux(track.encode(each))


def subtitles(path: Path, *said: tuple[float, float, str]) -> Path:
    """An .srt file."""

    def clock(seconds: float) -> str:
        whole = round(seconds * 1000)
        minutes, rest = divmod(whole, 60_000)
        return f"00:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"

    blocks = [
        f"{number}\n{clock(start)} --> {clock(end)}\n{text}\n"
        for number, (start, end, text) in enumerate(said, 1)
    ]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def pitches(given: list[np.ndarray]) -> np.ndarray:
    """How much of each pitch is in a sound; nothing at all is a little of everything."""
    found = []
    for samples in given:
        spectrum = np.abs(np.fft.rfft(samples))
        hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
        bands = [spectrum[np.abs(hertz - pitch) < 60].sum() for pitch in PITCHES.values()]
        found.append([*bands / (spectrum.sum() + 1e-6), 0.05])
    return np.asarray(found)


def embeddings(**options: Any) -> MultimodalEmbeddings:
    """A joint model without a model: mean colours, and shares of pitches."""
    from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings

    def texts(given: list[str]) -> np.ndarray:
        heard = [[text.lower().split().count(name) for name in PITCHES] for text in given]
        return np.hstack([colours.texts(given), np.asarray(heard, dtype=float)])

    def images(given: list[Any]) -> np.ndarray:
        return np.hstack([colours.images(given), np.zeros((len(given), 3))])

    def sounds(given: list[np.ndarray]) -> np.ndarray:
        return np.hstack([np.zeros((len(given), 4)), pitches(given)[:, :3]])

    both = {"text_fn": texts, "image_fn": images, "audio_fn": sounds, "sampling_rate": RATE}
    return MultimodalEmbeddings(**{**both, **options})
