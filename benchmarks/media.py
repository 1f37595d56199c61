"""Sound and video: how fast they go in, how fast they are passed over, and what is found.

    python benchmarks/media.py stages   [--clip MODEL] [--clap MODEL]
    python benchmarks/media.py rescan   [--files 1000]
    python benchmarks/media.py speech   [--files 8] [--listenings 1 2 3] [--nouns FILE]

`stages` says how many minutes of media go through in a minute: decoded, embedded, transcribed.
`speech` has espeak-ng say a sentence for each of the everyday nouns in media_nouns.txt, in a few
recordings, and asks for each noun: the right file, and the second within two, by Whisper base that
listens once or more often and, as the ceiling, by exact subtitles. With `--nouns` these are others,
and nothing is recorded. Without models, `stages` takes the tiny ones of the tests. Needs
espeak-ng, and the packages of the group `dev-long`; run from the root with PYTHONPATH=.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _results import recorded

from langchain_chroma_hybrid.embeddings import MultimodalEmbeddings, PicturePolicy, minilm
from langchain_chroma_hybrid.embeddings.media.container import Damage
from langchain_chroma_hybrid.embeddings.media.sounds import Track, pieces_of
from langchain_chroma_hybrid.embeddings.media.video import frames_of
from langchain_chroma_hybrid.multimodal import MediaCollection, Whisper
from langchain_chroma_hybrid.multimodal.speech import RATE, transcribed
from tests import pictures, recordings, sounds, whisper

PACKAGES = ("av", "faster-whisper", "ctranslate2", "torch", "sentence-transformers", "chromadb")
NOUNS = (Path(__file__).parent / "media_nouns.txt").read_text(encoding="utf-8").split()
SENTENCES = (
    ("And now I would like to say something about the ", ", before we go on."),
    ("Yesterday somebody asked me whether I had seen the ", " anywhere."),
    ("In the end it was only the ", " that nobody had thought of."),
    ("Please do not forget the ", " when you come back."),
)
NEAR = 2.0  # seconds
OTHERWISE = re.compile(r"\(.*\?\)")  # what a further listening heard


def rate(minutes: float, run: Any) -> str:
    """Minutes of media in a minute of work."""
    start = time.perf_counter()
    run()
    taken = (time.perf_counter() - start) / 60
    return f"{minutes / taken:7.0f}x  ({minutes:.1f} min in {taken * 60:.1f} s)"


def stages(clip: str | None, clap: str | None) -> None:
    """Decode, embed, transcribe."""
    sees = MultimodalEmbeddings(clip, device="cpu") if clip else pictures.clip()
    hears = MultimodalEmbeddings(clap, device="cpu") if clap else sounds.clap()
    policy, minutes = PicturePolicy(), 2.0
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        names = ("red", "green", "blue", "yellow", "cyan", "magenta") * 2
        video = recordings.save_video(
            folder / "a.mp4", *names, seconds=10, size=(1280, 720), rate=25
        )
        said = talk(folder, NOUNS[:24], random.Random(7))[0]  # noqa: S311 - no secrets here
        frames = list(frames_of(video, policy, Damage(), at_least=224))
        samples = recordings.tone("low", 120.0)
        sees.encode_images([frames[0].image])
        hears.encode_sounds([samples[:1000]])
        speech = Whisper(whisper.base(folder / "whisper"), language="en")
        list(speech(samples[: RATE * 5], RATE))
        spoken = len(said) / RATE / 60

        def listen() -> None:
            transcribed(Track([(0.0, said)], RATE), speech)

        def decode_sound() -> None:
            for _ in pieces_of((samples, RATE), policy, 48_000, Damage()):
                pass

        images = [frame.image for frame in frames]
        windows = [samples[at : at + RATE * 4] for at in range(0, len(samples), RATE * 4)]
        decoding = rate(minutes, lambda: list(frames_of(video, policy, Damage(), at_least=224)))
        print(f"decode video, 720p at 25 frames/s    {decoding}")
        print(f"resample sound                       {rate(minutes, decode_sound)}")
        seen = rate(minutes, lambda: sees.encode_images(images))
        print(f"embed frames, 1/s, {clip or 'tiny CLIP':17} {seen}")
        heard = rate(minutes, lambda: hears.encode_sounds(windows))
        print(f"embed sound, {clap or 'tiny CLAP':23} {heard}")
        print(f"transcribe, Whisper base, int8       {rate(spoken, listen)}")


def rescan(files: int) -> None:
    """A folder as it was."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "media"
        for at in range(files):
            recordings.save_sound(folder / f"{at % 20}/{at}.wav", "low", seconds=0.5)
            recordings.subtitles(folder / f"{at % 20}/{at}.srt", (0.0, 0.4, f"number {at}"))
        archive = MediaCollection.open("rescan", recordings.embeddings(), Path(home) / "db")
        start = time.perf_counter()
        report = archive.sync(folder)
        print(f"first sync: {len(report.added)} files, {time.perf_counter() - start:.1f} s")
        for _ in range(3):
            start = time.perf_counter()
            passed = len(archive.sync(folder).unchanged)
            print(f"unchanged:  {passed} files passed over in {time.perf_counter() - start:.2f} s")


def talk(
    folder: Path, nouns: list[str], chance: random.Random
) -> tuple[np.ndarray, list[tuple[float, float, str]], list[float]]:
    """Sentences with pauses: samples, cues, and the second of each noun."""
    parts: list[np.ndarray] = []
    cues, seconds = [], []
    for noun in nouns:
        before, after = chance.choice(SENTENCES)
        voice, speed = chance.choice(("en-us", "en-gb", "en-us+f3")), chance.choice((140, 160, 175))
        at = sum(map(len, parts)) / RATE
        whole = whisper.speak(before + noun + after, folder / "one.wav", voice, speed)
        lead = whisper.speak(before, folder / "one.wav", voice, speed)
        parts += [whole, np.zeros(round(chance.uniform(0.3, 1.5) * RATE), np.float32)]
        cues.append((at, at + len(whole) / RATE, before + noun + after))
        seconds.append(at + len(lead) / RATE)
    return np.concatenate(parts), cues, seconds


def speech(files: int, listenings: list[int], nouns: list[str], seed: int) -> None:
    """Recall of a noun's file and second, by what Whisper hears and by exact subtitles."""
    with tempfile.TemporaryDirectory() as home:
        truth, texts = spoken(Path(home), files, nouns, random.Random(seed))  # noqa: S311 - no secrets here
        model = whisper.base(Path(home) / "whisper")
        found: dict[str, float] = {}
        for times in (*listenings, 0):
            name = f"whisper, {times}x" if times else "exact"
            hear = Whisper(model, language="en", listenings=times) if times else None
            folder = Path(home) / ("heard" if times else "exact")
            archive = MediaCollection.open(folder.name + str(times), minilm(), home, speech=hear)
            start = time.perf_counter()
            archive.sync(folder)
            print(f"{name:11} {files} files in {time.perf_counter() - start:.0f} s", end="; ")
            file, found[name] = shares(archive, truth)
            print(f"right file {file:.3f}, and second within {NEAR:g} s {found[name]:.3f}")
            if times:
                wrong, others = errors(archive, texts)
                print(f"            word error rate {wrong:.3f}, {others} alternatives")
        ceiling = found.pop("exact")
        for name, share in found.items():
            print(f"share of the ceiling, {name}: {share / ceiling:.3f}")


def spoken(
    home: Path, files: int, nouns: list[str], chance: random.Random
) -> tuple[dict[str, tuple[str, float]], dict[str, str]]:
    """Recordings in `heard`, and with subtitles in `exact`: where each noun is, and all texts."""
    nouns = sorted(nouns)
    chance.shuffle(nouns)
    truth, texts = {}, {}
    for at in range(files):
        some = nouns[at::files]
        samples, cues, seconds = talk(home, some, chance)
        for folder in (home / "heard", home / "exact"):
            folder.mkdir(exist_ok=True)
            recordings.save(folder / f"{at}.flac", sounds=[samples], audio_codec="flac")
        recordings.subtitles(home / "exact" / f"{at}.srt", *cues)
        texts[f"{at}.flac"] = " ".join(text for *_, text in cues)
        truth |= {n: (f"{at}.flac", s) for n, s in zip(some, seconds, strict=True)}
    return truth, texts


def shares(archive: MediaCollection, truth: dict[str, tuple[str, float]]) -> tuple[float, float]:
    files = seconds = 0
    retriever = archive.as_retriever(k=1)
    for noun, (name, second) in truth.items():
        best = next(iter(retriever.moments(noun)), None)
        right = best is not None and best.hit.record.metadata["file_name"] == name
        files += right
        seconds += right and abs(best.moments[0].at - second) <= NEAR
    return files / len(truth), seconds / len(truth)


def errors(archive: MediaCollection, texts: dict[str, str]) -> tuple[float, int]:
    """Word error rate over all files of what was heard first, and the number of alternatives."""
    stored = archive.store.get(include=["metadatas", "documents"])
    rows = zip(stored["metadatas"], stored["documents"], strict=True)
    lines = [
        (facts["file_name"], facts["start"], line)
        for facts, text in rows
        for line in text.split("\n")
    ]
    first = [each for each in lines if not OTHERWISE.fullmatch(each[2])]
    wrong = total = 0
    for name, text in texts.items():
        got = sorted((each for each in first if each[0] == name), key=lambda each: each[1])
        heard, wanted = words(" ".join(line for *_, line in got)), words(text)
        wrong, total = wrong + distance(wanted, heard), total + len(wanted)
    return wrong / total, len(lines) - len(first)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def distance(wanted: list[str], got: list[str]) -> int:
    """Fewest words to change, add and leave out."""
    row = list(range(len(got) + 1))
    for i, word in enumerate(wanted, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(got, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1]


def main() -> None:
    plain = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("what", choices=["stages", "rescan", "speech"])
    parser.add_argument("--clip")
    parser.add_argument("--clap")
    parser.add_argument("--files", type=int)
    parser.add_argument("--listenings", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--nouns", type=Path)
    parser.add_argument("--seed", type=int, default=22)
    given = parser.parse_args()
    if given.nouns is not None:
        others = given.nouns.read_text(encoding="utf-8").split()
        speech(given.files or 8, given.listenings, others, given.seed)
        return
    with recorded(f"media {given.what}", f"Sound and video, {given.what}", *PACKAGES):
        if given.what == "stages":
            stages(given.clip, given.clap)
        elif given.what == "rescan":
            rescan(given.files or 1000)
        else:
            speech(given.files or 8, given.listenings, NOUNS, given.seed)


if __name__ == "__main__":
    main()
