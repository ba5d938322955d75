"""A MariaDB server of our own for the tests, from the system's package `mariadb-server`.

It listens on a Unix socket and on a free port of 127.0.0.1, and syncs nothing.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pymysql
import pytest

from tests.nodes import free_port, until

_numbers = itertools.count(1)


def programs() -> tuple[str, str]:
    """The server and the program that makes its folder. Skips where they are not installed,
    which in CI is a failure."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    server = shutil.which("mariadbd", path=path)
    maker = shutil.which("mariadb-install-db", path=path)
    if server is None or maker is None:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server")
    return server, maker


class MariaDb:
    """One server; `stop` and `start` as often as you like, `remove` at the end."""

    def __init__(self) -> None:
        server, maker = programs()
        self._folder = Path(tempfile.mkdtemp(prefix="maria-"))
        self.port = free_port()
        user = ["--user=root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        common = ["--no-defaults", f"--datadir={self._folder / 'data'}", *user]
        subprocess.run(
            [maker, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._command = [
            server,
            *common,
            f"--socket={self._folder / 's'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-log-bin",
            # Written at each commit, synced never: what was committed outlives a kill.
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-flush-method=nosync",
            f"--log-error={self._folder / 'log'}",
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        until(self._answers)

    def stop(self) -> None:
        """At once, as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url_of(self, database: str) -> str:
        return f"mysql+pymysql://root@127.0.0.1:{self.port}/{database}?charset=utf8mb4"

    @contextmanager
    def database(self, charset: str = "utf8mb4") -> Iterator[str]:
        """The URL of a fresh, empty database, dropped afterwards."""
        name = f"test_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} CHARACTER SET {charset}")
        yield self.url_of(name)
        with suppress(pymysql.Error):
            self.run(f"DROP DATABASE {name}")

    def run(self, statement: str) -> None:
        with pymysql.connect(host="127.0.0.1", port=self.port, user="root") as connection:
            connection.cursor().execute(statement)
            connection.commit()

    def _answers(self) -> bool:
        with suppress(pymysql.Error, OSError):
            self.run("SELECT 1")
            return True
        return False
