"""The demo: a node, a HIS database and a carrier for each channel, from one command.

    python -m adapter.demo                  start all of it on conf/demo/adapter.xml
    python -m adapter.demo --sql "..."      one statement on the demo's HIS database

Everything lies in the folder of the store (`var/demo/`), logs too, and nothing listens beyond
127.0.0.1. Folders and databases are made when they are missing and kept when they are there.

A process that ends is started again, so that a visitor may kill the node, or a carrier, and watch
what becomes of the messages. One that ends at the start, or too often, ends the demo.
"""

from __future__ import annotations

import http.client
import signal
import socket
import sqlite3
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from adapter.children import Child, Children
from adapter.config.faults import ConfigError
from adapter.config.load import load
from adapter.config.model import Channel, Config
from adapter.files import published
from adapter.security.secrets import new_key, write_key
from dbpoll.ddl import ddl

READY_WAIT_S = 60.0
REVIVALS, WITHIN_S = 5, 60.0
"""How often a process may end before the demo gives up."""
PASSWORD = "his-demo"  # noqa: S105 - the contract's, for a node that only this machine reaches

DEFAULT = "conf/demo/adapter.xml"
STORE_KEY = "../../var/demo/store.key"
"""As `conf/demo/adapter.xml` names it."""
GUIDE = """\
The demo is running; Ctrl-C stops it.

  web services   {web}/soap?wsdl   (account {account}, password {password})
  state          {web}/readyz   {web}/metrics
  HIS database   {his}
  store          {store}
{carriers}
  logs           {folder}

In another terminal, in this folder:

  A HIS inserts a row, here with a number of each carrier:
    {demo} --sql "insert into SMS_OUTBOUND (MOBILE, CONTENT, BUSINESS) \
values ('13800138000;13000130000;13300133000;19200192000', \
'Your appointment is at 14:30 tomorrow.', 'appointment')"

  A system calls the SOAP service:
    curl -s -H "Content-Type: text/xml; charset=utf-8" --data-binary @{envelope} {web}/soap

  What became of them, a second or two later (STATUS 3 is delivered):
    {demo} --sql "select ID, STATUS, RESULT_CODE, MESSAGE_ID, DONE_AT \
from SMS_OUTBOUND order by ID desc limit 10"
    {demo} --sql "select MOBILE, STATE, CARRIER_CODE, CHANNEL, DONE_AT \
from SMS_RECEIPT order by rowid desc limit 10"
    {python} -m adapter status {config}

  Kill the node, or a carrier, whenever you like: it is started again, and nothing is lost.
"""


class DemoError(Exception):
    """The demo can't start; the text says what to do."""


def start(config: Config) -> None:
    """Run all of it until a signal comes. Raises DemoError."""
    folder = file_of(config.store.url).parent
    folder.mkdir(parents=True, exist_ok=True)
    refuse_taken_ports(config)
    create_his(file_of(config.sources[0].url))
    asked = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if number := getattr(signal, name, None):
            signal.signal(number, lambda _number, _frame: asked.set())
    with Children(folder, stop_wait_s=config.policies.stop_wait_s + 10) as children:
        for channel in config.channels:
            children.start(carrier_name(channel), *carrier_arguments(channel, folder))
        node = children.start("node", "run", str(config.path))
        wait_until_ready(config, children, node, asked)
        if not asked.is_set():
            click.echo(guide(config, folder))
        keep_alive(children, asked)
        click.echo("Stopping: the node first, then the carriers.")
        for name in children.stop():
            click.echo(f"{name} did not stop in time and was killed.", err=True)


def make_store_key(config: Path) -> None:
    """Make the key that the demo's configuration names, where it is missing."""
    key = config.parent / STORE_KEY
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        write_key(key, new_key())


def file_of(url: str) -> Path:
    """The file of an SQLite database: the demo knows no other."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or not parts.database:
        raise DemoError("the demo's databases are SQLite files; `run` starts any configuration")
    return Path(parts.database)


def refuse_taken_ports(config: Config) -> None:
    """Before anything starts, so that nothing has to be stopped again."""
    wanted = [("the web services", config.web.host, config.web.port)]
    wanted += [(f"channel {each.name}", each.host, each.port) for each in config.channels]
    wanted += [
        (f"the listener of {each.name}", each.listener.host, each.listener.port)
        for each in config.channels
        if each.listener
    ]
    taken = [f"{host}:{port} ({what})" for what, host, port in wanted if not free(host, port)]
    if taken:
        raise DemoError(
            f"in use by another program: {', '.join(taken)}. Is a demo running already? "
            f"Stop it, or change the port in {shown(config.path)}."
        )


def free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        if sys.platform != "win32":
            # As servers do: a port whose last connections are only fading away is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def create_his(path: Path) -> None:
    """The tables of the contract, in WAL mode: the HIS and dbpoll don't wait for another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'SMS_OUTBOUND'").fetchone():
            return
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(ddl("sqlite"))


def carrier_name(channel: Channel) -> str:
    return f"{channel.protocol}-{channel.port}"


def carrier_arguments(channel: Channel, folder: Path) -> Iterator[str]:
    yield "simulate"
    yield from ("--protocol", channel.protocol, "--port", str(channel.port))
    yield from ("--account", channel.account, "--password", channel.password)
    if listener := channel.listener:
        yield from ("--deliver-to", f"127.0.0.1:{listener.port}")
        yield from ("--deliver-account", listener.account)
        yield from ("--deliver-password", listener.password)
    yield from ("--log", str(folder / f"{carrier_name(channel)}.jsonl"))


def wait_until_ready(
    config: Config, children: Children, node: Child, asked: threading.Event
) -> None:
    """Return when the node says that it is ready, or a signal came."""
    deadline = time.monotonic() + READY_WAIT_S
    while not asked.wait(0.1):
        refuse_dead(children)
        if ready(config.web.host, config.web.port):
            return
        if time.monotonic() > deadline:
            raise DemoError(f"the node is not ready after {READY_WAIT_S:.0f} s: see {node.log}")


def ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def keep_alive(children: Children, asked: threading.Event) -> None:
    """Start again what ends, until a signal comes. Raises DemoError when it ends too often."""
    revived: dict[str, deque[float]] = {}
    while not asked.wait(0.2):
        child = children.dead()
        if child is None or asked.is_set():
            continue
        times = revived.setdefault(child.name, deque(maxlen=REVIVALS))
        now = time.monotonic()
        if len(times) == REVIVALS and now - times[0] < WITHIN_S:
            refuse_dead(children)
        times.append(now)
        children.revive(child)
        status = child.process.returncode
        click.echo(f"{child.name} ended with status {status} ({shown(child.log)}): started again.")


def refuse_dead(children: Children) -> None:
    if child := children.dead():
        raise DemoError(
            f"{child.name} ended with status {child.process.returncode}; its last words "
            f"({shown(child.log)}):\n{child.last_words()}"
        )


def guide(config: Config, folder: Path) -> str:
    """Where everything is, and what to paste."""
    carriers = "\n".join(
        f"  carrier        {each.protocol.upper()} {each.version} on {each.host}:{each.port}, "
        f"what it saw: {shown(folder / carrier_name(each))}.jsonl"
        for each in config.channels
    )
    python = shown(Path(sys.executable))
    own = config.path != published(DEFAULT).resolve()
    return GUIDE.format(
        web=f"http://{config.web.host}:{config.web.port}",
        account=config.clients[0].account,
        password=PASSWORD,
        his=shown(file_of(config.sources[0].url)),
        store=shown(file_of(config.store.url)),
        carriers=carriers,
        folder=shown(folder),
        python=python,
        demo=f"{python} -m adapter.demo" + (f" --config {shown(config.path)}" if own else ""),
        envelope=shown(config.path.parent / "send.xml"),
        config=shown(config.path),
    )


def shown(path: Path) -> str:
    """Relative where that is shorter to read."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def run_sql(path: Path, statement: str) -> None:
    """One statement on the HIS database, its rows as a table. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path, timeout=10)) as database, database:
        cursor = database.execute(statement)
        if cursor.description is None:
            click.echo(f"{cursor.rowcount} row(s)")
        else:
            show([column[0] for column in cursor.description], cursor.fetchall())


def show(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help=f"instead of {DEFAULT}")
@click.option("--sql", help="run one statement on the demo's HIS database instead")
def main(path: Path | None, sql: str | None) -> None:
    """Start a node with a HIS database and simulated carriers on this machine."""
    try:
        path = path or published(DEFAULT)
        make_store_key(path)
        config = load(path)
        if sql is None:
            start(config)
        else:
            run_sql(file_of(config.sources[0].url), sql)
    except (ConfigError, DemoError, sqlite3.Error) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
