"""What a stored configuration may hold: each key with its type and range, and nothing else.

Whoever can write to a database has written it. It chooses among options, never what code runs,
which files are read beside the model's own, or where any are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from langchain_chroma_hybrid.embeddings.text.loading import POOLINGS, looks_like_path
from langchain_chroma_hybrid.errors import EmbeddingError

FORMAT = 1
Config: TypeAlias = dict[str, Any]
_Check: TypeAlias = tuple[str, Callable[[Any], bool]]
"""What is expected, and whether a value is that."""

_MOST_CHARACTERS = 4096


def checked(config: object) -> Config:
    """The configuration, if it is one that may be read; else one error that names the key.

    Raises:
        EmbeddingError: an unknown or missing key, a wrong type, or a value out of range.
    """
    kind = _mapping("config", config).get("kind")
    keys = _KINDS.get(kind) if isinstance(kind, str) else None
    if keys is None:
        raise EmbeddingError.of("kind", kind, " or ".join(map(repr, _KINDS)))
    found = _keys("config", config, keys)
    if kind in _MODELS:
        found["model"] = _keys("model", config["model"], _MODELS[kind])  # type: ignore[index]
        found["model"].pop("model_kwargs", None)
    return found


def checked_chroma_model(config: object) -> Config:
    """The options of ours that stand for a stored `sentence_transformer` of Chroma's.

    Raises:
        EmbeddingError: as `checked`.
    """
    found = _keys("config", config, _CHROMAS_MODEL)
    return {"model": found["model_name"], "normalize": found.get("normalize_embeddings", False)}


def _mapping(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise EmbeddingError.of(name, value, "an object of options")
    return value


def _keys(name: str, given: object, known: Mapping[str, _Check]) -> Config:
    """A copy of `given`, if its keys are known, its values fit and no required key is missing."""
    values = _mapping(name, given)
    for key in values:
        if key not in known:
            raise EmbeddingError.of(
                f"{name}: {key}", values[key], f"no such key in what a collection stores; {_WAY}"
            )
    for key, (expected, fits) in known.items():
        if (key in values or key in _REQUIRED) and not fits(values.get(key)):
            raise EmbeddingError.of(f"{name}: {key}", values.get(key), expected)
    return dict(values)


def _one_of(*choices: object) -> _Check:
    # 1 is not True here, and what cannot be hashed is no choice.
    return (
        " or ".join(map(repr, choices)),
        lambda value: any(type(value) is type(one) and value == one for one in choices),
    )


def _number(most: int) -> _Check:
    return (
        f"a whole number of 1 to {most}",
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most,
    )


def _text(most: int = _MOST_CHARACTERS) -> _Check:
    return (
        f"a string of at most {most} characters",
        lambda value: isinstance(value, str) and len(value) <= most,
    )


def _or_none(check: _Check) -> _Check:
    expected, fits = check
    return f"{expected}, or null", lambda value: value is None or fits(value)


def _is_name(value: object) -> bool:
    """A Hub name or an absolute path; what is relative depends on where somebody stands."""
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_CHARACTERS or "\0" in value:
        return False
    return Path(value).is_absolute() or not looks_like_path(value)


_WAY = "for more, open the collection with embeddings of your own"
_REQUIRED = frozenset(
    {"format", "kind", "space", "on_change", "fingerprint", "model", "model_name"}
)
_BOOL = _one_of(True, False)
_NAME: _Check = ("a Hub name or an absolute path", _is_name)
_EMPTY: _Check = (f"nothing in it; {_WAY}", lambda value: value == {})
_ANY_KIND: dict[str, _Check] = {
    "format": _one_of(FORMAT),
    "name": _or_none(_text()),
    "space": _one_of("cosine", "l2", "ip"),
}
_OF_MODELS: dict[str, _Check] = {
    **_ANY_KIND,
    "on_change": _one_of("warn", "raise"),
    "fingerprint": _text(128),
    "model": ("an object of options", lambda value: isinstance(value, Mapping)),
}
_TEXT_MODEL: dict[str, _Check] = {
    "model": _NAME,
    "revision": _or_none(_text(200)),
    "pooling": _one_of(None, *POOLINGS),
    "max_seq_length": _or_none(_number(1_000_000)),
    "query_prompt": _or_none(_text(100_000)),
    "document_prompt": _or_none(_text(100_000)),
    "normalize": _BOOL,
    "truncate_dim": _or_none(_number(1_000_000)),
    "batch_size": _number(65_536),
    "backend": _one_of("torch", "onnx"),
    "quantize": _BOOL,
    "local_files_only": _BOOL,
    "model_kwargs": _EMPTY,  # stored by the first versions
}
_MODELS: dict[str, dict[str, _Check]] = {
    "sentence_transformer": _TEXT_MODEL,
    "multimodal": {
        **_TEXT_MODEL,
        "backend": _one_of("torch"),
        "image_model": _or_none(_NAME),
    },
}
_CHROMAS_MODEL: dict[str, _Check] = {
    "model_name": _NAME,
    "device": _or_none(_text()),  # of the machine that wrote it
    "normalize_embeddings": _BOOL,
    "kwargs": _EMPTY,
}
_KINDS: dict[str, dict[str, _Check]] = {
    "named": {**_ANY_KIND, "kind": _one_of("named")},
    **{kind: {**_OF_MODELS, "kind": _one_of(kind)} for kind in _MODELS},
}
