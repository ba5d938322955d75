"""The backup job: a process of its own, whose faults are the job's."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from adapter.backup.shelf import Shelf
from adapter.config.init import init
from adapter.config.load import load
from adapter.config.model import Backup as Planned
from adapter.jobs.backup import Backup, BackupFailedError
from adapter.store.engine import open_engine
from adapter.store.migrate import upgrade


def planned(folder: Path) -> Backup:
    path = init(folder).config
    text = path.read_text(encoding="utf-8")
    jobs = '<jobs><backup to="backups" every="1h" keep="2"/></jobs>\n</adapter>'
    path.write_text(text.replace("</adapter>", jobs), encoding="utf-8")
    config = load(path)
    assert config.jobs.backup == Planned((folder / "backups").as_posix(), 3_600.0, 2)
    return Backup(path, config.jobs.backup)


def test_it_writes_into_the_configured_folder(tmp_path: Path) -> None:
    job = planned(tmp_path)
    engine = open_engine(load(job.config).store.url)
    upgrade(engine)
    engine.dispose()
    job.run(threading.Event())
    assert len(Shelf(tmp_path / "backups").of("node-1")) == 1


def test_a_backup_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(BackupFailedError, match="there is no store"):
        planned(tmp_path).run(threading.Event())


def test_a_node_that_stops_does_not_wait_for_it(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    planned(tmp_path).run(stop)
    assert not list(tmp_path.glob("backups/*.part"))
