"""Train the tiny CLIP of the tests on the pictures beside this file, on a CPU, in minutes.

    python tests/data/train_tiny_clip.py [--steps 1600] [--out tests/data/tiny-clip]

Every step shows each sampled picture once: turned, scaled, moved, mirrored, in other light, before
a background of a named colour. A third of the captions name the background. Two of the eight
colours of each picture (`held_out`) are kept from training, for the tests.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

HERE = Path(__file__).parent
SIZE = 48
TOKENS = 24
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


def held_out(position: int) -> tuple[str, str]:
    """The background colours of picture number `position` that training never shows."""
    names = list(COLOURS)
    return names[position % 8], names[(position + 3) % 8]


def load_pictures(folder: Path) -> tuple[list[dict[str, str]], torch.Tensor]:
    """The lines of captions.jsonl, and the pictures as (n, 4, 48, 48), premultiplied, 0..1."""
    lines = (folder / "captions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    pictures = []
    for row in rows:
        with Image.open(folder / row["file"]) as opened:
            pixels = np.asarray(opened.convert("RGBA").resize((SIZE, SIZE)), np.float32) / 255
        pictures.append(np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], 2))
    return rows, torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def render(pictures: torch.Tensor, colours: list[str], generator: torch.Generator) -> torch.Tensor:
    """Pictures (n, 4, 48, 48) as a camera might see them: (n, 3, 48, 48), 0..1."""
    n = len(pictures)

    def between(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.rand(n, *shape, generator=generator) * (high - low) + low

    angle, scale = between(-0.4, 0.4), between(0.65, 1.05)
    flip = (torch.rand(n, generator=generator) < 0.5).float() * 2 - 1
    room = (1 - scale).clamp(min=0.05)
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    top = torch.stack([cosine * flip, -sine, between(-1, 1) * room / scale], 1)
    bottom = torch.stack([sine * flip, cosine, between(-1, 1) * room / scale], 1)
    grid = functional.affine_grid(torch.stack([top, bottom], 1), [n, 4, SIZE, SIZE], False)
    moved = functional.grid_sample(pictures, grid, align_corners=False)
    back = torch.tensor([COLOURS[name] for name in colours])[:, :, None, None] / 255
    back = (back + between(-0.06, 0.06, 3, 1, 1)).clamp(0, 1).expand(n, 3, SIZE, SIZE)
    seen = moved[:, :3] + back * (1 - moved[:, 3:])
    seen = (seen - 0.5) * between(0.8, 1.2, 1, 1, 1) + 0.5 + between(-0.08, 0.08, 1, 1, 1)
    noise = torch.randn(seen.shape, generator=generator) * between(0, 0.04, 1, 1, 1)
    return (seen + noise).clamp(0, 1)


def caption(row: dict[str, str], colour: str, chance: random.Random) -> str:
    """One of the ways to say what the picture shows."""
    name, group = row["caption"], row["group"]
    return chance.choices(
        [
            name,
            f"a picture of a {name}",
            f"{name}, {group}",
            f"{name} on a {colour} background",
        ],
        [0.35, 0.15, 0.15, 0.35],
    )[0]


def make_tokenizer(texts: list[str]) -> CLIPTokenizer:
    """CLIP's tokenizer, with a small vocabulary learned from the captions."""
    split = Regex(r"[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    learner = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(split, behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    state = json.loads(learner.to_str())["model"]
    words = list(state["vocab"])
    words += [f"{letter}</w>" for letter in pre_tokenizers.ByteLevel.alphabet()]
    words = list(dict.fromkeys([*words, "<|startoftext|>", "<|endoftext|>"]))
    merges = [tuple(pair) for pair in state["merges"]]
    vocab = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=TOKENS)


def make_model(tokenizer: CLIPTokenizer) -> CLIPModel:
    """A CLIP of about a million parameters."""
    shape = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4}
    text = shape | {
        "vocab_size": len(tokenizer),
        "num_hidden_layers": 2,
        "max_position_embeddings": TOKENS,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    vision = shape | {"num_hidden_layers": 3, "image_size": SIZE, "patch_size": 12}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=128))


def train(steps: int, batch: int, seed: int, folder: Path) -> tuple[CLIPModel, CLIPProcessor]:
    """The trained model and its processor."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # one is quicker than two that wait for each other
    generator, chance = torch.Generator().manual_seed(seed), random.Random(seed)
    rows, pictures = load_pictures(folder)
    texts = [caption(r, c, chance) for r in rows for c in COLOURS for _ in range(3)]
    tokenizer = make_tokenizer(sorted(set(texts)))
    images = CLIPImageProcessorPil(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}
    )
    mean = torch.tensor(images.image_mean)[:, None, None]
    std = torch.tensor(images.image_std)[:, None, None]
    model = make_model(tokenizer)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    started = time.perf_counter()
    for step in range(steps):
        rate = min(1.0, step / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * rate + 1e-6
        chosen = torch.randperm(len(rows), generator=generator)[:batch].tolist()
        colours = [chance.choice([c for c in COLOURS if c not in held_out(i)]) for i in chosen]
        captions = [caption(rows[i], c, chance) for i, c in zip(chosen, colours, strict=True)]
        tokens = tokenizer(captions, padding=True, truncation=True, return_tensors="pt")
        seen = (render(pictures[chosen], colours, generator) - mean) / std
        loss = model(**tokens, pixel_values=seen, return_loss=True).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=math.log(50))
        if step % 100 == 0 or step == steps - 1:
            took = time.perf_counter() - started
            print(f"step {step:5d}  loss {loss.item():.3f}  {took:6.0f} s", flush=True)
    return model.eval(), CLIPProcessor(images, tokenizer)


def save(model: CLIPModel, processor: CLIPProcessor, out: Path) -> None:
    """Weights in half precision, to be loaded in full: small files, plain arithmetic on a CPU."""
    model.half().save_pretrained(out)
    processor.save_pretrained(out)
    config = out / "config.json"
    settings = json.loads(config.read_text(encoding="utf-8")) | {"dtype": "float32"}
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, default=HERE / "pictures")
    parser.add_argument("--out", type=Path, default=HERE / "tiny-clip")
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    model, processor = train(given.steps, given.batch, given.seed, given.pictures)
    save(model, processor, given.out)


if __name__ == "__main__":
    main()
