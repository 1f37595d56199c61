"""The folder in which a model is made: found again after a kill, complete once it has its name."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from langchain_chroma_hybrid._files import path_of, sync_folder, write_json
from langchain_chroma_hybrid._optional import require
from langchain_chroma_hybrid.errors import InvalidArgumentError, WriteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

NOTES = "finetune.json"
_STATE = "trainer_state.json"
_RUN = "run.json"


class Workspace:
    """Beside the folder that the model shall have, until it is done.

    Args:
        output: where the model goes; new, or of this very run.
        run: what decides the result, in values that JSON can hold.

    Attributes:
        folder: for checkpoints and for what is not complete.
        settings: `run`, as JSON holds it.
    """

    def __init__(self, output: str | os.PathLike[str], run: Mapping[str, Any]) -> None:
        self.output = path_of("output", output).absolute()
        if not self.output.name:
            raise InvalidArgumentError.of("output", str(output), "a folder that is not there")
        self.folder = self.output.with_name(f".{self.output.name}.training")
        text = json.dumps(run, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        self.settings: dict[str, Any] = json.loads(text)
        self._run = {"digest": digest, "settings": self.settings}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out.

        Raises:
            WriteError: another one trains there, or nothing can be written there.
        """
        lock = FileLock(self.folder.with_suffix(".lock"), timeout=0)
        with writing(self.output):
            self.output.parent.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire()
            except Timeout as error:
                raise WriteError(f"another process trains for {self.output.name}") from error
        try:
            yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)
            lock.release()

    def finished(self) -> dict[str, Any] | None:
        """The notes of a model that this very run has made before.

        Raises:
            InvalidArgumentError: there is something else at `output`.
        """
        if not self.output.exists():
            return None
        notes = _json(self.output / NOTES)
        if notes.get("run") != self._run["digest"]:
            raise InvalidArgumentError.of(
                "output", str(self.output), "a folder that is not there, or of the same run"
            )
        shutil.rmtree(self.folder, ignore_errors=True)
        return notes

    def begin(self, *, restart: bool) -> None:
        """Make the folder, or find that of a run that was interrupted.

        Raises:
            InvalidArgumentError: it is of a run with other settings or data.
        """
        if restart:
            shutil.rmtree(self.folder, ignore_errors=True)
        before = _json(self.folder / _RUN)
        if before and before.get("digest") != self._run["digest"]:
            old, new = before.get("settings", {}), self.settings
            changed = sorted(name for name in old.keys() | new if old.get(name) != new.get(name))
            expected = "those of the run that was interrupted there; restart=True begins anew"
            raise InvalidArgumentError.of(", ".join(changed), "other values", expected)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / _RUN, self._run)

    def checkpoint(self) -> str | None:
        """The newest whole checkpoint; what a kill or a failing disk has torn is deleted."""
        numbered = (path.name.rpartition("-") for path in self.folder.glob("checkpoint-*"))
        for number in sorted((int(n) for _, _, n in numbered if n.isdecimal()), reverse=True):
            last = self.folder / f"checkpoint-{number}"
            # The trainer writes its state last.
            if _json(last / _STATE) and all(map(_whole, last.rglob("*"))):
                return str(last)
            shutil.rmtree(last, ignore_errors=True)
        return None

    def check_room(self, weights: int) -> None:
        """Raise `WriteError` where checkpoints of a model of so many bytes do not fit.

        A checkpoint has the weights and two moments of each; three are there at a time.
        """
        needed, free = weights * 10, shutil.disk_usage(self.folder).free
        if free < needed:
            raise WriteError(
                f"no room for checkpoints beside {self.output.name}: {needed >> 20} MB are needed, "
                f"{free >> 20} MB are free; nothing was trained"
            )

    def complete(self, save: Callable[[Path], None], notes: Mapping[str, Any]) -> dict[str, Any]:
        """Write the model and its notes, and give the folder its name in one step.

        Raises:
            WriteError: see `writing`; the checkpoints stay.
        """
        part = self.folder / "model"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        kept = {**notes, "run": self._run["digest"]}
        with self.writing():
            save(part)
            write_json(part / NOTES, kept)
            _flush(part)
            part.rename(self.output)
        sync_folder(self.output.parent)
        shutil.rmtree(self.folder, ignore_errors=True)
        return kept

    def writing(self) -> AbstractContextManager[None]:
        """Files are written here; where they cannot be, the checkpoints stay."""
        return writing(self.output)


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Files of `output` are written here.

    Raises:
        WriteError: they cannot be; the same call goes on, once there is room.
    """
    try:
        yield
    except Exception as error:
        # safetensors and torch have errors of their own for a full disk.
        kind = isinstance(error, OSError) or type(error).__name__ == "SafetensorError"
        if not kind and "PytorchStreamWriter" not in str(error):
            raise
        message = f"{output.name} cannot be written: {error}; call again to go on"
        raise WriteError(message) from error


def _whole(path: Path) -> bool:
    """Whether a file of weights has the length that it says; others may be anything."""
    if path.suffix == ".safetensors":
        try:
            with require("safetensors", "local").safe_open(path, "numpy"):
                return True
        except Exception:  # noqa: BLE001  # an error of its own, or the disk's
            return False
    return path.suffix not in (".pt", ".pth", ".bin") or zipfile.is_zipfile(path)


def _flush(folder: Path) -> None:
    """Have all files on disk before the name says that they are there."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            sync_folder(path)


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; empty where there is none, or a part of one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
