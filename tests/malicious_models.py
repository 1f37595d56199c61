"""Model folders that run a stranger's code when they are loaded without care."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.tiny_models import save_encoder, save_sentence_transformer


class _Touch:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def _pickle(file: Path, mark: Path) -> None:
    import torch

    torch.save({"weight": _Touch(mark)}, file)


def _code(mark: Path) -> str:
    return f"from pathlib import Path\nPath({str(mark)!r}).touch()\n"


def module_of_its_own(folder: Path, mark: Path) -> None:
    """`modules.json` names a class in a file beside it."""
    save_sentence_transformer(folder)
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "modeling_evil.Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "modeling_evil.py").write_text(
        _code(mark) + "from sentence_transformers.models import Pooling\n"
    )


def network_of_its_own(folder: Path, mark: Path) -> None:
    """`config.json` of a plain encoder names its classes in a file beside it."""
    save_encoder(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "evil",
        "auto_map": {
            "AutoConfig": "modeling_evil.EvilConfig",
            "AutoModel": "modeling_evil.EvilModel",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling_evil.py").write_text(
        _code(mark)
        + "from transformers import BertConfig, BertModel\n"
        + "class EvilConfig(BertConfig):\n    model_type = 'evil'\n"
        + "class EvilModel(BertModel):\n    config_class = EvilConfig\n"
    )


def another_class_of_the_library(folder: Path, mark: Path) -> None:
    """A class whose options, `trust_remote_code` among them, come from a file in the folder."""
    network_of_its_own(folder, mark)
    kind = "sentence_transformers.SentenceTransformer"
    (folder / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": kind}])
    )
    (folder / "sentence_bert_config.json").write_text(json.dumps({"trust_remote_code": True}))


def pickled_network(folder: Path, mark: Path) -> None:
    """The weights of the network are a pickle."""
    save_sentence_transformer(folder)
    (folder / "model.safetensors").unlink()
    _pickle(folder / "pytorch_model.bin", mark)
    # Without a type of numbers, the file is opened to find one.
    config = json.loads((folder / "config.json").read_text())
    del config["dtype"]
    (folder / "config.json").write_text(json.dumps(config))


def pickled_module(folder: Path, mark: Path) -> None:
    """The weights of a later module are a pickle."""
    save_sentence_transformer(folder)
    modules = json.loads((folder / "modules.json").read_text())
    kind = "sentence_transformers.models.Dense"
    modules.append({"idx": 2, "name": "2", "path": "2_Dense", "type": kind})
    (folder / "modules.json").write_text(json.dumps(modules))
    dense = folder / "2_Dense"
    dense.mkdir()
    (dense / "config.json").write_text(json.dumps({"in_features": 32, "out_features": 8}))
    _pickle(dense / "pytorch_model.bin", mark)


def pickled_shard(folder: Path, mark: Path) -> None:
    """The index of safetensors files names a pickle."""
    save_sentence_transformer(folder)
    (folder / "model.safetensors").unlink()
    _pickle(folder / "shard.bin", mark)
    index = {"metadata": {}, "weight_map": {"embeddings.LayerNorm.weight": "shard.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def options_that_unpickle(folder: Path, mark: Path) -> None:
    """The folder's own options ask for the pickle that lies beside it."""
    pickled_network(folder, mark)
    options = {"model_args": {"weights_only": False, "use_safetensors": False}}
    (folder / "sentence_bert_config.json").write_text(json.dumps(options))


def adapter(folder: Path, mark: Path) -> None:
    """Adapts a model of another folder."""
    elsewhere = folder.parent / "elsewhere"
    pickled_network(elsewhere, mark)
    shutil.copytree(elsewhere, folder, ignore=shutil.ignore_patterns("pytorch_model.bin"))
    found = {"peft_type": "LORA", "base_model_name_or_path": str(elsewhere)}
    (folder / "adapter_config.json").write_text(json.dumps(found))


MALICIOUS: list[Callable[[Path, Path], None]] = [
    module_of_its_own,
    network_of_its_own,
    another_class_of_the_library,
    pickled_network,
    pickled_module,
    pickled_shard,
    options_that_unpickle,
    adapter,
]
