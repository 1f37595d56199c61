"""Train the tiny CLAP of the tests on synthetic sounds with names, on a CPU, in minutes.

    python -m tests.data.train_tiny_clap [--steps 700] [--out tests/data/tiny-clap]

Tones, chirps, noises and rhythms are made by `tests/sounds.py`, which keeps every fourth semitone
and other seeds from training, for the tests. Each step shows a rendering of every name.
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
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    ClapProcessor,
    RobertaTokenizer,
)

from tests import sounds
from tests.data.train_tiny_clip import save

HERE = Path(__file__).parent
SECONDS = 4
TOKENS = 24


def make_tokenizer(texts: list[str]) -> RobertaTokenizer:
    """CLAP's tokenizer, with a small vocabulary learned from the names."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    state = json.loads(learner.to_str())["model"]
    merges = [tuple(pair) for pair in state["merges"]]
    return RobertaTokenizer(vocab=state["vocab"], merges=merges, model_max_length=TOKENS)


def make_model(tokenizer: RobertaTokenizer) -> ClapModel:
    """A CLAP of less than a million parameters."""
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "max_position_embeddings": TOKENS + 8,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    audio = {
        "spec_size": 128,
        "num_mel_bins": 64,
        "patch_size": 8,
        "patch_stride": [8, 8],
        "window_size": 4,
        "patch_embeds_hidden_size": 32,
        "hidden_size": 128,
        "depths": [1, 1, 2],
        "num_attention_heads": [2, 4, 8],
        "num_hidden_layers": 3,
        "num_classes": 1,
        "mlp_ratio": 2.0,
    }
    return ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=64))


def hear(extractor: ClapFeatureExtractor, renderings: int) -> torch.Tensor:
    """Spectrograms `(names, renderings, 1, frames, bins)` of what training may hear."""
    found = [
        extractor(
            [sounds.render(name, at, held_out=False) for at in range(renderings)],
            sampling_rate=sounds.RATE,
            return_tensors="pt",
        )["input_features"]
        for name in sounds.NAMES
    ]
    return torch.stack(found)


def train(steps: int, renderings: int, seed: int) -> tuple[ClapModel, ClapProcessor]:
    """The trained model and its processor."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # one is quicker than two that wait for each other
    chance = random.Random(seed)
    texts = sorted({sounds.said(name, chance) for name in sounds.NAMES for _ in range(20)})
    tokenizer = make_tokenizer(texts)
    extractor = ClapFeatureExtractor(
        sampling_rate=sounds.RATE,
        hop_length=256,
        max_length_s=SECONDS,
        frequency_max=8_000,
        truncation="rand_trunc",
    )
    model = make_model(tokenizer)
    spectrograms = hear(extractor, renderings)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.05)
    started = time.perf_counter()
    for step in range(steps):
        rate = min(1.0, step / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * rate + 1e-6
        chosen = [chance.randrange(renderings) for _ in sounds.NAMES]
        heard = torch.stack([spectrograms[at, one] for at, one in enumerate(chosen)])
        heard = torch.roll(heard, chance.randrange(heard.shape[2]), dims=2)
        heard = heard + chance.uniform(-8, 8)  # decibels: loud or soft
        said = [sounds.said(name, chance) for name in sounds.NAMES]
        tokens = tokenizer(said, padding=True, truncation=True, return_tensors="pt")
        loss = model(**tokens, input_features=heard, return_loss=True).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for scale in (model.logit_scale_a, model.logit_scale_t):
                scale.clamp_(max=math.log(50))
        if step % 100 == 0 or step == steps - 1:
            took = time.perf_counter() - started
            print(f"step {step:5d}  loss {loss.item():.3f}  {took:6.0f} s", flush=True)
    return model.eval(), ClapProcessor(extractor, tokenizer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "tiny-clap")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--renderings", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    np.seterr(all="raise", under="ignore")
    save(*train(given.steps, given.renderings, given.seed), given.out)


if __name__ == "__main__":
    main()
