"""`sms-adapter`: the commands. Each is a few lines over the part that does the work.

Exit status: 0 good, 1 failed, 2 bad use. Parts are imported by the command that needs them,
so that `--help` and small commands start fast.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from adapter import __version__

if TYPE_CHECKING:
    from adapter.config.model import Config

FILE = click.Path(dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)
PROTOCOLS = ("cmpp", "sgip", "smgp", "smpp")
_F = TypeVar("_F", bound=Callable[..., Any])
_R = TypeVar("_R")


def _config_argument(command: _F) -> _F:
    return click.argument("file", type=FILE, default=Path("adapter.xml"))(command)


def _config_either_way(command: _F) -> _F:
    """FILE, or --config FILE: whoever knows one command guesses the other."""
    option = click.option("--config", "named", metavar="FILE", type=FILE, help="the same as FILE")
    return click.argument("file", type=FILE, required=False)(option(command))


def _either(file: Path | None, named: Path | None) -> Path:
    if file is not None and named is not None:
        raise click.UsageError("FILE and --config name the configuration twice")
    return file or named or Path("adapter.xml")


def _load(path: Path) -> Config:
    """The configuration, or its faults on standard error and exit status 1."""
    from adapter.config.faults import ConfigError
    from adapter.config.load import load

    try:
        return load(path)
    except ConfigError as error:
        for fault in error.faults:
            click.echo(str(fault), err=True)
        sys.exit(1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sms-adapter")
def main() -> None:
    """Sends a hospital's text messages: SOAP and database tables in, carriers out."""


@main.command()
@_config_argument
def run(file: Path) -> None:
    """Run a node until Ctrl-C or SIGTERM.

    Example: sms-adapter run /etc/sms-adapter/adapter.xml
    """
    _run(_load(file))


def _run(config: Config) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from adapter import logs, node
    from adapter.store.migrate import SchemaTooNewError
    from adapter.store.ownership import StoreOwnedError
    from adapter.store.store_keys import SealError

    logs.configure(config.logging)
    try:
        node.run(config)
    except (StoreOwnedError, SchemaTooNewError, SealError, SQLAlchemyError, OSError) as error:
        raise click.ClickException(str(getattr(error, "orig", None) or error)) from error


@main.command()
@_config_argument
@click.option("--connect", is_flag=True, help="ask the sources' databases, too")
@click.option("--json", "as_json", is_flag=True, help="faults as a JSON list")
def check(file: Path, connect: bool, as_json: bool) -> None:
    """Check a configuration: every fault as FILE:LINE: what is wrong and what is allowed.

    With --connect also each source's database: rights, indexes and types.

    Example: sms-adapter check conf/example/adapter.xml
    """
    from adapter.config.load import check as faults_of

    faults = faults_of(file)
    told = [
        {"file": str(f.file), "line": f.line, "message": f.message, "warning": f.warning}
        for f in faults
    ]
    lines = [str(fault) for fault in faults]
    if connect and not any(not fault.warning for fault in faults):
        from adapter.commands.source import connect as ask

        for name, finding in ask(_load(file)):
            told.append({"source": name, "message": finding.what, "warning": not finding.fault})
            kind = "" if finding.fault else "warning: "
            lines.append(f"{file}: source {name}: {kind}{finding.what}")
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        for line in lines:
            click.echo(line)
    if any(not each["warning"] for each in told):
        sys.exit(1)
    if not as_json:
        click.echo(f"{file}: good")


@main.command()
@click.argument("directory", type=DIRECTORY, default=Path())
def init(directory: Path) -> None:
    """Write a configuration to start from, a key for its secrets and one for the store.

    Example: sms-adapter init /etc/sms-adapter
    """
    from adapter.config.init import init as write

    try:
        starter = write(directory)
    except OSError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"written: {starter.config}, {starter.key_file}, {starter.store_key}")
    click.echo("Keep copies of both keys elsewhere: without them backups and contents are lost.")
    click.echo("Shown only this once:")
    click.echo(f"  client {starter.account}: password {starter.password}")
    click.echo(f"  carrier {starter.carrier_account}: password {starter.carrier_password}")
    click.echo(
        "Start a simulated carrier with: sms-adapter simulate --protocol cmpp --port 17890 "
        f"--account {starter.carrier_account} --password {starter.carrier_password}"
    )
    click.echo(f"and the node with: sms-adapter run {starter.config}")


@main.command("hash")
@click.password_option(help="asked for when left out, which keeps it out of the shell's history")
def hash_(password: str) -> None:
    """Print the hash of a client's password, for <password hash="..."/>.

    Example: sms-adapter hash
    """
    from adapter.security.passwords import hash_password

    click.echo(hash_password(password))


@main.command()
@click.option("--key-file", type=FILE, required=True, help="as in <security key-file>")
@click.option("--secret", prompt=True, hide_input=True, confirmation_prompt=True)
def encrypt(key_file: Path, secret: str) -> None:
    """Print a secret as {enc:...}, for any attribute of the configuration.

    Example: sms-adapter encrypt --key-file adapter.key
    """
    from adapter.security.secrets import SecretError, read_key
    from adapter.security.secrets import encrypt as seal

    try:
        click.echo(seal(read_key(key_file), secret))
    except (OSError, SecretError) as error:
        raise click.ClickException(f"{key_file}: {error}") from error


@main.command()
@_config_either_way
@click.option("--status", "only_look", is_flag=True, help="make none: show the keys there are")
@click.option("--json", "as_json", is_flag=True, help="the keys as a JSON list")
def rekey(file: Path | None, named: Path | None, only_look: bool, as_json: bool) -> None:
    """Have the store sealed with a new data key.

    A running node seals with it within seconds, brings what is there under it little by little,
    and removes the older keys; one that does not run does so when it starts.

    Example: sms-adapter rekey /etc/sms-adapter/adapter.xml
    """
    from sqlalchemy.exc import SQLAlchemyError

    from adapter.commands.rekey import keys
    from adapter.commands.rekey import rekey as make
    from adapter.store.store_keys import SealError

    config = _load(_either(file, named))
    try:
        found = (keys if only_look else make)(config)
    except (SealError, SQLAlchemyError) as error:
        raise click.ClickException(str(getattr(error, "orig", None) or error)) from error
    if as_json:
        click.echo(json.dumps(found))
    else:
        for each in found:
            click.echo(f"key {each['id']}  {each['made_at']}  {each['use']}")


@main.command()
@_config_either_way
@click.option("--json", "as_json", is_flag=True, help="the whole answer as JSON")
@click.option("--frames", metavar="[CHANNEL]", is_flag=False, flag_value="",
              help="the last frames of this channel, or of all, masked")  # fmt: skip
def status(file: Path | None, named: Path | None, as_json: bool, frames: str | None) -> None:
    """Ask the running node where it stands: channels, links, queues, sources, jobs; or what
    passed last on the channels that are configured with trace="...".

    Example: sms-adapter status conf/demo/adapter.xml --frames cmpp-1
    """
    from zoneinfo import ZoneInfo

    from rich.console import Console

    from adapter.commands.frames import show as show_frames
    from adapter.commands.status import show

    config = _load(_either(file, named))
    zone = ZoneInfo(config.node.timezone)
    if frames is not None:
        sys.exit(show_frames(config.web, frames, zone, Console(), as_json=as_json))
    sys.exit(show(config.web, zone, Console(), as_json=as_json))


@main.command()
@click.argument("mobiles", nargs=-1, required=True)
@click.option("--content", required=True, help="the text")
@click.option("--account", required=True, help="of the client")
@click.option("--password", envvar="SMS_PASSWORD", prompt=True, hide_input=True,
              help="or in the environment as SMS_PASSWORD")  # fmt: skip
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="of the node")
@click.option("--lane", type=click.Choice(["urgent", "realtime", "normal", "bulk"]))
@click.option("--client-ref", help="a repeated call with the same one is not sent again")
@click.option("--json", "as_json", is_flag=True, help="the answer as JSON")
def send(as_json: bool, url: str, **wanted: Any) -> None:
    """Send a text through a running node, by its SOAP service.

    Example: sms-adapter send --account his --content "Good morning" 13800138000
    """
    from adapter.commands.send import SendError
    from adapter.commands.send import send as call

    try:
        answer = call(url, **wanted)
    except SendError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        click.echo(f"{answer['code']} {answer['submissionId'] or ''}".rstrip())
        for result in answer["results"]:
            click.echo(
                f"  {result['mobile']}  {result['code']}  {result['messageId'] or ''}  "
                f"{result['description'] or ''}".rstrip()
            )
    if answer["code"] != "OK":
        sys.exit(1)


@main.command()
@click.option("--protocol", type=click.Choice(PROTOCOLS), required=True)
@click.option("--port", type=click.IntRange(0, 65535), required=True)
@click.option("--account", required=True, help="who may log in")
@click.option("--password", required=True, help="and with which secret")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--delay", help="ms before answer and receipt: 50, 20-200, or 5/100-300 apart")
@click.option("--no-receipt", is_flag=True, help="never send a receipt")
@click.option("--repeat-receipt", metavar="SHARE", help="this share of receipts comes twice")
@click.option("--wrong-id", metavar="SHARE", help="this share of receipts has an unknown id")
@click.option("--no-answer", metavar="SHARE", help="this share of submits is never answered")
@click.option("--fail", multiple=True, help="share and code: 0.1:UNDELIV, or 0.05:9 at submit")
@click.option("--throttle", type=float, default=0.0, help="submits a second, then flow control")
@click.option("--drop-link", help="at every Nth submit (500), or every so often (10s)")
@click.option("--inbound", help="share of submits that are replied to (0.2), or a text every 3s")
@click.option("--inbound-text", help="what is replied")
@click.option("--refuse-login", metavar="WHY", help="account, secret, version or too-many")
@click.option("--silent", is_flag=True, help="take connections and never say a word")
@click.option("--script", type=FILE, help="play a scenario, step by step: see conf/scenarios")
@click.option("--window", type=click.IntRange(1, 1_000), default=32, show_default=True,
              help="deliveries that a link may leave unanswered")  # fmt: skip
@click.option("--deliver-to", metavar="HOST:PORT",
              help="sgip: where the client listens; else its own link is used")  # fmt: skip
@click.option("--deliver-account", help="what to log in with there  [default: --account]")
@click.option("--deliver-password", help="and with which secret  [default: --password]")
@click.option("--tls-certificate", type=FILE, help="listen by TLS, with this certificate (PEM)")
@click.option("--tls-key", type=FILE, help="its key, where that is in another file")
@click.option("--tls-ca", type=FILE, help="ask clients for a certificate signed by these")
@click.option("--deliver-tls", is_flag=True, help="with --deliver-to: connect by TLS")
@click.option("--deliver-ca", type=FILE,
              help="who may have signed the client's certificate  [default: the system's]",
              )  # fmt: skip
@click.option("--log", type=FILE, help="one JSON line for each event")
def simulate(**options: Any) -> None:
    """Stand in for a carrier.

    Example: sms-adapter simulate --protocol cmpp --port 17890 --account 900001 --password demo
    """
    from adapter.commands.simulate import options_from
    from connectors import simulator
    from connectors.errors import EncodeError

    try:
        wanted = options_from(**options)
    except (OSError, ValueError) as error:
        raise click.UsageError(str(error)) from error
    try:
        simulator.main(wanted, lambda its: click.echo(f"listening on {wanted.host}:{its.port}"))
    except (OSError, ValueError, EncodeError) as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--protocol", type=click.Choice(PROTOCOLS), required=True)
@click.option("--version", "protocol_version", required=True, help="such as 3.0")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
@click.argument("frames", nargs=-1)
def pdu(protocol: str, protocol_version: str, as_json: bool, frames: Sequence[str]) -> None:
    """Show captured frames, given as hexadecimal digits or on standard input: lines of hex, or
    the dump of tcpdump -X, xxd, hexdump -C or Wireshark.

    Example: sms-adapter pdu --protocol cmpp --version 3.0 0000000c0000000800000001
    """
    from connectors.pdu_view import describe_all

    try:
        found = describe_all(protocol, protocol_version, "\n".join(frames) or sys.stdin.read())
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for shown in found:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=None if as_json else 2))
    sys.exit(int(any("error" in shown for shown in found)))


@main.command()
@click.argument("directory", type=DIRECTORY, default=Path())
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="to publish")
def wsdl(directory: Path, url: str) -> None:
    """Write wsdl/ and xsd/ of the SOAP service.

    Example: sms-adapter wsdl /tmp/contract --url https://sms.hospital.example
    """
    from adapter.doors.export import write

    for path in write(directory, url):
        click.echo(str(path))


@main.group()
def source() -> None:
    """Look after a source: a HIS table that is polled.

    Example: sms-adapter source try his adapter.xml
    """


@source.command("try")
@click.argument("name")
@_config_argument
@click.option("--most", type=click.IntRange(1, 1_000), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
def source_try(name: str, file: Path, most: int, as_json: bool) -> None:
    """Show the next rows as they would be sent. Nothing is sent, nothing is changed.

    Example: sms-adapter source try his adapter.xml
    """
    from adapter.commands.source import try_out

    for row in _asked(lambda: try_out(_load(file), name, most)):
        if as_json:
            click.echo(json.dumps(row, ensure_ascii=False))
            continue
        click.echo(f"{row['key']}  {row['code']}  {row['text']}".rstrip())
        for message in row["messages"]:
            click.echo(
                f"    {message['mobile']}  {message['carrier']}  {message['segments']}  "
                f"{message['content']}"
            )


@source.command("replay")
@click.argument("name")
@_config_argument
@click.option("--from", "start", type=click.DateTime(), required=True)
@click.option("--to", "end", type=click.DateTime(), help="[default: now]")
def source_replay(name: str, file: Path, start: datetime, end: datetime | None) -> None:
    """Write the results of rows accepted in this time into the HIS once more: after it was
    restored from a backup, say. A row only moves forward; nothing is sent.

    Example: sms-adapter source replay his adapter.xml --from 2026-03-01
    """
    from zoneinfo import ZoneInfo

    from adapter.commands.source import replay

    config = _load(file)
    zone = ZoneInfo(config.node.timezone)
    until = end.replace(tzinfo=zone) if end else datetime.now(zone)
    count = _asked(lambda: replay(config, name, start.replace(tzinfo=zone), until))
    click.echo(f"{count} states written")


@source.command("status")
@click.argument("name", required=False)
@_config_argument
def source_status(name: str | None, file: Path) -> None:
    """Ask the running node how its sources do, as JSON, one a line.

    Example: sms-adapter source status his adapter.xml
    """
    from adapter.commands.source import status as ask

    for each in _asked(lambda: ask(_load(file), name)):
        click.echo(json.dumps(each, ensure_ascii=False))


@main.group()
def callback() -> None:
    """Look after a callback: a client's own service that receipts and inbound texts are brought to.

    Example: sms-adapter callback dead his adapter.xml
    """


@callback.command("status")
@click.argument("name", required=False)
@_config_argument
def callback_status(name: str | None, file: Path) -> None:
    """Ask the running node how its callbacks do, as JSON, one a line.

    Example: sms-adapter callback status his adapter.xml
    """
    from adapter.commands.callback import status as ask

    for each in _asked(lambda: ask(_load(file), name)):
        click.echo(json.dumps(each, ensure_ascii=False))


@callback.command("dead")
@click.argument("name")
@_config_argument
@click.option("--most", type=click.IntRange(1, 100_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
def callback_dead(name: str, file: Path, most: int, as_json: bool) -> None:
    """Show what a client's service did not take in time, oldest first.

    Example: sms-adapter callback dead his adapter.xml
    """
    from adapter.commands.callback import dead

    for each in _asked(lambda: dead(_load(file), name, most)):
        if as_json:
            click.echo(json.dumps(each, ensure_ascii=False))
        else:
            click.echo(
                f"{each['id']}  {each['kind']:7}  {each['mobile']:13}  {each['state'] or '':11}  "
                f"{each['happened']}  died {each['died']}  {each['reason']}".rstrip()
            )


@callback.command("replay")
@click.argument("name")
@_config_argument
@click.option("--id", "only", type=int, multiple=True, help="only this one; may be repeated")
def callback_replay(name: str, file: Path, only: Sequence[int]) -> None:
    """Bring dead letters once more, all of a client or some. They keep their ids, and have the
    whole time again. A running node begins within seconds.

    Example: sms-adapter callback replay his adapter.xml
    """
    from adapter.commands.callback import replay

    count = _asked(lambda: replay(_load(file), name, only))
    click.echo(f"{count} events are on their way again")
    if only and count < len(set(only)):
        sys.exit(1)


def _asked(call: Callable[[], _R]) -> _R:
    """What a command about a source or a callback gives, its errors in words."""
    from sqlalchemy.exc import SQLAlchemyError

    from adapter.commands.callback import CallbackError
    from adapter.commands.source import SourceError
    from adapter.commands.status import UnreachableError
    from dbpoll.values import TableFault

    try:
        return call()
    except (
        SourceError, CallbackError, UnreachableError, TableFault, SQLAlchemyError, OSError
    ) as error:  # fmt: skip
        raise click.ClickException(str(getattr(error, "orig", None) or error)) from error


@main.command()
@click.option("--dialect", required=True, help="of which database",
              type=click.Choice(["oracle", "mssql", "mysql", "postgresql", "sqlite", "dm"]),
              )  # fmt: skip
def ddl(dialect: str) -> None:
    """Print the HIS tables for a database.

    Example: sms-adapter ddl --dialect oracle > sms-tables.sql
    """
    from dbpoll.ddl import ddl as statements

    click.echo(statements(dialect))


@main.command()
@_config_argument
@click.option("--kind", default="summary", show_default=True,
              type=click.Choice(["users", "business", "receiving", "interfaces", "summary"]),
              help="which of the five reports")  # fmt: skip
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), required=True)
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), required=True, help="inclusive")
@click.option("--group", default="day", show_default=True,
              type=click.Choice(["day", "week", "month", "quarter", "all"]))  # fmt: skip
@click.option("--format", "form", default="table", show_default=True,
              type=click.Choice(["table", "json", "csv", "xlsx"]))  # fmt: skip
@click.option("--output", type=FILE, help="a file instead of standard output")
def report(
    file: Path, kind: str, start: datetime, end: datetime, group: str, form: str,
    output: Path | None,
) -> None:  # fmt: skip
    """Print one of the statistics 用户/业务/接收/接口/汇总.

    Example: sms-adapter report adapter.xml --kind users --from 2026-01-01 --to 2026-03-31
    """
    from sqlalchemy.exc import SQLAlchemyError

    from adapter.commands.report import write_report

    config = _load(file)
    try:
        write_report(config, kind, start.date(), end.date(), group, form, output)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    except (SQLAlchemyError, OSError) as error:
        raise click.ClickException(str(getattr(error, "orig", None) or error)) from error


@main.command("access-number")
@click.argument("number", type=click.Choice(["primary", "spare"]))
@click.option("--channel", help="this channel alone")
@click.option("--all", "every", is_flag=True, help="all channels that have a spare number")
@_config_either_way
def access_number(
    number: str, channel: str | None, every: bool, file: Path | None, named: Path | None
) -> None:
    """Switch between a channel's number and its spare one, while the node runs.

    It takes effect within two seconds and outlives restarts; replies to either number are
    understood at any time.

    Example: sms-adapter access-number spare --channel cmpp-1 --config adapter.xml
    """
    from sqlalchemy.exc import SQLAlchemyError

    from adapter.commands.access_number import NotSwitchedError, switch
    from adapter.domain.states import AccessNumber

    if every == (channel is not None):
        raise click.UsageError("name one of --channel NAME and --all")
    config = _load(_either(file, named))
    try:
        names = switch(config, AccessNumber(number), channel)
    except (NotSwitchedError, SQLAlchemyError, OSError) as error:
        raise click.ClickException(str(getattr(error, "orig", None) or error)) from error
    click.echo(f"{number}: {', '.join(names)}")


@main.command("backup")
@click.option("--config", "file", type=FILE, default=Path("adapter.xml"), show_default=True)
@click.option("--to", "folder", type=DIRECTORY, help="as in <jobs><backup to=...>, if left out")
@click.option("--keep", type=click.IntRange(1), help="delete all but the newest so many")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def backup_(file: Path, folder: Path | None, keep: int | None, as_json: bool) -> None:
    """Back up the store and the configuration, encrypted, while the node works.

    Example: sms-adapter backup --config adapter.xml --to /mnt/backup/sms --keep 14
    """
    from rich.console import Console

    from adapter.commands.backup import run_backup

    config = _load(file)
    with _told():
        run_backup(config, folder, keep, Console(), as_json=as_json)


@main.command("restore")
@click.argument("backup", type=FILE)
@click.option("--config", "file", type=FILE, default=Path("adapter.xml"), show_default=True)
@click.option("--replace", is_flag=True, help="delete what the store holds")
@click.option("--nothing-since", is_flag=True,
              help="no node sent anything after this backup: a move, not an accident")  # fmt: skip
@click.option("--check", "check_only", is_flag=True, help="verify it and change nothing")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def restore_(
    backup: Path, file: Path, replace: bool, nothing_since: bool, check_only: bool, as_json: bool
) -> None:
    """Verify a backup, load it into the store, and say what is in doubt.

    Example: sms-adapter restore /mnt/backup/sms/node-1-20260301T021500123Z.smsbackup
    """
    from rich.console import Console

    from adapter import logs
    from adapter.commands.restore import check_backup, run_restore

    config = _load(file)
    logs.configure(config.logging)
    with _told():
        if check_only:
            check_backup(config, backup, Console(), as_json=as_json)
        else:
            run_restore(config, backup, Console(), replace=replace,
                        nothing_since=nothing_since, as_json=as_json)  # fmt: skip


@main.command()
@click.option("--config", "file", type=FILE, default=Path("adapter.xml"), show_default=True,
              help="of the standby")  # fmt: skip
@click.option("--from", "backups", type=click.Path(exists=True, path_type=Path),
              help="shipped backups: their folder, or one of them")  # fmt: skip
@click.option("--replace", is_flag=True, help="with --from: delete what the store holds")
@click.option("--asynchronous", is_flag=True,
              help="the replication was: what was due may have been sent")  # fmt: skip
@click.option("--force", is_flag=True, help="though the primary still sends")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
@click.option("--run", "then_run", is_flag=True, help="and run the node")
def promote(
    file: Path, backups: Path | None, replace: bool, asynchronous: bool, force: bool,
    as_json: bool, then_run: bool,
) -> None:  # fmt: skip
    """Take over with a standby: a replicated PostgreSQL database, or shipped backups.

    Example: sms-adapter promote --config standby.xml --run
    """
    from rich.console import Console

    from adapter import logs
    from adapter.commands.promote import run_promote

    config = _load(file)
    logs.configure(config.logging)
    with _told():
        run_promote(config, backups, Console(), replace=replace, lossless=not asynchronous,
                    force=force, as_json=as_json)  # fmt: skip
    if then_run:
        _run(config)
    elif not as_json:
        click.echo(f"Now start the node: sms-adapter run {file}")


@main.command("unpack")
@click.argument("backup", type=FILE)
@click.option("--key-file", type=FILE, required=True, help="the key it was made with")
@click.option("--to", "folder", type=DIRECTORY, required=True)
def unpack(backup: Path, key_file: Path, folder: Path) -> None:
    """Write the configuration files that a backup holds.

    Example: sms-adapter unpack node-1.smsbackup --key-file adapter.key --to /etc/sms-adapter
    """
    from rich.console import Console

    from adapter.commands.restore import write_configuration

    with _told():
        write_configuration(backup, key_file, folder, Console())


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong with a backup, in one line and with exit status 1."""
    from sqlalchemy.exc import SQLAlchemyError

    from adapter.backup.faults import BackupError
    from adapter.store.migrate import SchemaTooNewError
    from adapter.store.ownership import StoreOwnedError
    from adapter.store.store_keys import SealError

    faults = BackupError, SchemaTooNewError, StoreOwnedError, SealError, SQLAlchemyError, OSError
    try:
        yield
    except faults as error:
        raise click.ClickException(str(getattr(error, "orig", None) or error)) from error


@main.command()
@click.option(
    "--door", type=click.Choice(["dbpoll", "soap", "http", "socket", "cmpp"]), default="dbpoll",
    show_default=True,
)  # fmt: skip
@click.option("--store", default="sqlite", show_default=True, help="sqlite, postgresql or a URL")
@click.option("--his", default="sqlite", show_default=True, help="the same, for door dbpoll")
@click.option("--messages", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--rate", type=float, default=0.0, help="messages a second; as fast as can be")
@click.option("--batch", type=click.IntRange(1, 10_000), default=100, show_default=True,
              help="messages a request, for the web doors")  # fmt: skip
@click.option("--callers", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--links", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--window", type=click.IntRange(1, 1_000), default=64, show_default=True)
@click.option("--delay", type=click.FloatRange(0), default=0.0, show_default=True,
              help="ms before the carrier's answers")  # fmt: skip
@click.option("--accept-only", is_flag=True,
              help="how fast a door takes messages, without a carrier")  # fmt: skip
@click.option("--flood", "what", flag_value="flood",
              help="a client's answers at RATE, alone and beside another's flood")  # fmt: skip
@click.option("--idle", "what", flag_value="idle",
              help="what MESSAGES silent connections cost at the socket door, and more at the "
              "CMPP door")  # fmt: skip
@click.option("--waiting", "what", flag_value="waiting",
              help="what MESSAGES cost that wait, without a carrier")  # fmt: skip
@click.option("--upload", "what", flag_value="upload",
              help="MESSAGES recipients in one submission")  # fmt: skip
@click.option("--stored", "what", flag_value="stored",
              help="what messages and searches cost beside MESSAGES stored")  # fmt: skip
@click.option("--urgent", type=click.FloatRange(0), default=0.0, show_default=True,
              help="with --upload: urgent messages a second beside it")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def bench(
    as_json: bool,
    what: str | None,
    links: int,
    window: int,
    delay: float,
    accept_only: bool,
    **wanted: Any,
) -> None:
    """Measure the whole way: a node, its carrier, its databases, on this machine.

    Example: sms-adapter bench --door dbpoll --store postgresql --his postgresql --messages 50000
    """
    from adapter.bench.rig import Line
    from adapter.commands.bench import measure

    try:
        line = None if accept_only else Line(links, window, delay)
        found = measure(what or ("accept" if accept_only else "way"), line, **wanted)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found))
    else:
        for name, value in found.items():
            click.echo(f"{name:12} {value}")
    if found.get("lost") or found.get("duplicates"):
        sys.exit(1)


@main.command()
@click.option("--kills", type=click.IntRange(0), default=5, show_default=True)
@click.option("--messages", type=click.IntRange(2), default=5_000, show_default=True)
@click.option("--store", default="sqlite", show_default=True, help="sqlite, postgresql or a URL")
@click.option("--his", default="sqlite", show_default=True, help="the same, for the HIS tables")
@click.option("--lane-rule", "rule", type=click.Choice(["resend", "wait"]), default="resend",
              show_default=True, help="what becomes of messages in doubt")  # fmt: skip
@click.option("--links", type=click.IntRange(1, 64), default=4, show_default=True)
@click.option("--window", type=click.IntRange(1, 1_000), default=64, show_default=True)
@click.option("--seed", type=int, help="of the moments; drawn when left out")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def drill(as_json: bool, **wanted: Any) -> None:
    """Kill a node again and again while it works; status 1 when a promise did not hold.

    Databases that are given as URLs must be empty.

    Example: sms-adapter drill --kills 50 --messages 50000 --store postgresql
    """
    from adapter.commands.drill import show

    try:
        kept = show(as_json=as_json, **wanted)
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if kept else 1)
