"""A backup holds the store at one moment, whole, whatever happens meanwhile."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from adapter.backup.faults import BackupError, DamagedError, RefusedError, WrongKeyError
from adapter.backup.loading import restore, verify, write_files
from adapter.backup.making import Made, backup, key_of
from adapter.backup.shelf import Shelf
from adapter.config.model import Config
from adapter.security.secrets import new_key, write_key
from adapter.store.engine import open_engine
from adapter.store.migrate import VERSION_TABLE, upgrade
from adapter.store.ownership import Ownership, StoreOwnedError
from tests.backup.conftest import Configure
from tests.backup.filling import Contents, contents, fill
from tests.nodes import ROOT
from tests.store.making import Intake, pair

NewStore = Callable[[str], str]
BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


def filled(url: str) -> Contents:
    engine = open_engine(url)
    upgrade(engine)
    fill(engine)
    found = contents(engine)
    engine.dispose()
    return found


def held(url: str) -> Contents:
    engine = open_engine(url)
    found = contents(engine)
    engine.dispose()
    return found


def made(config: Config, folder: Path, keep: int = 9) -> Made:
    return backup(config, folder, keep)


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_everything_comes_back_on_either_database(
    source: str, target: str, configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    there = configure(new_store(source))
    before = filled(there.store.url)
    written = made(there, tmp_path / "backups")
    here = configure(new_store(target), "other")
    found = restore(here, written.path, nothing_since=True)
    assert held(here.store.url) == before
    assert found.archive.rows == written.rows
    assert found.epoch == 1


@BOTH
def test_a_backup_is_of_one_moment_while_the_store_goes_on(
    kind: str, configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store(kind))
    engine = open_engine(config.store.url)
    upgrade(engine)
    intake = Intake(engine)
    intake.committer.start()
    stopped = threading.Event()

    def feed() -> None:
        while not stopped.is_set():
            intake.accept(pair(3))

    feeder = threading.Thread(target=feed)
    feeder.start()
    written = [made(config, tmp_path / "backups") for _ in range(3)]
    stopped.set()
    feeder.join()
    intake.committer.stop()
    engine.dispose()
    for each in written:
        # Acceptance writes these together: a half of one would show.
        assert each.rows["message"] == 3 * each.rows["submission"] == each.rows["spool"]
        assert verify(each.path, key_of(config)).rows == each.rows


def test_the_configuration_comes_with_it_but_never_the_key(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store("sqlite"))
    filled(config.store.url)
    archive = verify(made(config, tmp_path / "backups").path, key_of(config))
    paths = write_files(archive, tmp_path / "unpacked")
    assert [path.name for path in paths] == ["adapter.xml", "channels.xml"]
    assert paths[0].read_bytes() == config.path.read_bytes()
    with pytest.raises(FileExistsError):
        write_files(archive, tmp_path / "unpacked")


def test_only_the_newest_are_kept_and_only_of_this_node(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config, other = configure(new_store("sqlite")), configure(new_store("sqlite"), "other-1")
    filled(config.store.url)
    filled(other.store.url)
    folder = tmp_path / "backups"
    theirs = made(other, folder).path
    paths = [made(config, folder, keep=2).path for _ in range(4)]
    assert Shelf(folder).of("main") == paths[2:]
    assert theirs.exists()
    assert sorted(p.suffix for p in folder.iterdir()).count(".sha256") == 3


def test_what_a_killed_backup_left_goes_with_the_next(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store("sqlite"))
    filled(config.store.url)
    folder = tmp_path / "backups"
    folder.mkdir()
    left = folder / "main-20260101T000000000Z.smsbackup.part"
    left.write_bytes(b"half")
    made(config, folder)
    assert not left.exists()


def test_two_backups_at_once_are_refused(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store("sqlite"))
    filled(config.store.url)
    with Shelf(tmp_path / "backups").writing(), pytest.raises(BackupError, match="another backup"):
        made(config, tmp_path / "backups")


@pytest.mark.skipif(os.name != "posix", reason="limits the size of a file")
def test_a_full_disk_leaves_nothing_behind(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store("sqlite"), more=f"<!-- {secrets.token_hex(100_000)} -->")
    filled(config.store.url)
    folder = tmp_path / "backups"
    # Every file of this process ends at 50,000 octets, as on a disk that is full then.
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000));"
        "from adapter.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "backup", "--config", str(config.path)]
    done = subprocess.run(
        [*command, "--to", str(folder)],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in folder.iterdir()] == ["backup.lock"]


@pytest.fixture
def archive(configure: Configure, new_store: NewStore, tmp_path: Path) -> tuple[Config, Path]:
    config = configure(new_store("sqlite"))
    filled(config.store.url)
    return config, made(config, tmp_path / "backups").path


def test_a_damaged_archive_is_refused_before_anything_changes(
    archive: tuple[Config, Path], configure: Configure, new_store: NewStore
) -> None:
    _, path = archive
    here = configure(new_store("sqlite"), "other")
    before = filled(here.store.url)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(DamagedError, match="sha256"):
        restore(here, path, replace=True)
    path.with_name(path.name + ".sha256").unlink()
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole[:100] + b"\0" + whole[101:], b""):
        path.write_bytes(damaged)
        with pytest.raises(DamagedError, match="cut off"):
            restore(here, path, replace=True)
    assert held(here.store.url) == before


def test_another_key_is_told(
    archive: tuple[Config, Path], configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    write_key(tmp_path / "another.key", new_key())
    here = configure(new_store("sqlite"), "other", key="../another.key")
    with pytest.raises(WrongKeyError):
        restore(here, archive[1])


def test_without_a_key_there_is_no_backup(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store("sqlite"), key="")
    with pytest.raises(BackupError, match="key-file"):
        made(config, tmp_path / "backups")


def test_a_store_that_is_not_there_is_not_made(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store("sqlite"))
    with pytest.raises(BackupError, match="there is no store"):
        made(config, tmp_path / "backups")
    assert not list(tmp_path.glob("*.db"))


@BOTH
def test_a_missing_table_is_named(
    kind: str, configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store(kind))
    filled(config.store.url)
    change(config.store.url, "DROP TABLE segment")
    with pytest.raises(BackupError, match="segment"):
        made(config, tmp_path / "backups")
    assert not Shelf(tmp_path / "backups").of()


def change(url: str, statement: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


@BOTH
def test_a_newer_schema_is_refused(
    kind: str, configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store(kind))
    filled(config.store.url)
    change(config.store.url, f"UPDATE {VERSION_TABLE} SET version_num = 'v99'")
    with pytest.raises(Exception, match="v99"):
        made(config, tmp_path / "backups")


@BOTH
def test_what_a_store_holds_is_replaced_only_when_told(
    kind: str,
    archive: tuple[Config, Path],
    configure: Configure,
    new_store: NewStore,
) -> None:
    source, path = archive
    here = configure(new_store(kind), "other")
    before = filled(here.store.url)
    change(here.store.url, "DELETE FROM message WHERE id = 1")
    with pytest.raises(RefusedError, match="--replace"):
        restore(here, path)
    assert held(here.store.url) != before
    restore(here, path, replace=True, nothing_since=True)
    assert held(here.store.url) == held(source.store.url)


@BOTH
def test_a_store_in_use_is_never_overwritten(
    kind: str, archive: tuple[Config, Path], configure: Configure, new_store: NewStore
) -> None:
    here = configure(new_store(kind), "other")
    before = filled(here.store.url)
    engine = open_engine(here.store.url)
    owner = Ownership(engine, "running")
    owner.acquire()
    with pytest.raises(StoreOwnedError):
        restore(here, archive[1], replace=True)
    assert held(here.store.url) == before
    owner.release()
    engine.dispose()


def test_a_restore_that_fails_on_its_way_changes_nothing(
    configure: Configure, new_store: NewStore, tmp_path: Path
) -> None:
    config = configure(new_store("sqlite"))
    filled(config.store.url)
    # SQLite keeps a text of any length, PostgreSQL does not take this one.
    change(config.store.url, "UPDATE message SET channel = printf('%.*c', 900, 'x') WHERE id = 9")
    path = made(config, tmp_path / "backups").path
    here = configure(new_store("postgresql"), "other")
    before = filled(here.store.url)
    with pytest.raises(BackupError, match="does not take a row"):
        restore(here, path, replace=True)
    assert held(here.store.url) == before


def test_the_clock_must_not_stand_before_the_backup(
    archive: tuple[Config, Path],
    configure: Configure,
    new_store: NewStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken_at = verify(archive[1], key_of(archive[0])).manifest.taken_at
    monkeypatch.setattr("adapter.backup.loading.now_ms", lambda: taken_at - 3_600_000)
    with pytest.raises(RefusedError, match="clock"):
        restore(configure(new_store("sqlite"), "other"), archive[1])
