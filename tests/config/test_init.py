"""`init` leaves a configuration that loads, with passwords nobody else has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapter.config.init import init
from adapter.config.load import check, load
from adapter.security.passwords import PasswordChecker
from adapter.security.secrets import is_exposed, read_key


def test_what_init_writes_loads_without_a_warning(tmp_path: Path) -> None:
    starter = init(tmp_path / "new/folder")
    assert check(starter.config, {}) == []
    config = load(starter.config, {})
    (client,) = config.clients
    assert client.account == starter.account
    assert PasswordChecker().verify(client.account, client.password_hashes, starter.password)
    (channel,) = config.channels
    assert channel.account == starter.carrier_account
    assert channel.password == starter.carrier_password
    assert config.security.key_file == starter.key_file.as_posix()
    assert config.security.store_keys == (read_key(starter.store_key),)


def test_passwords_are_new_each_time_and_not_in_the_file(tmp_path: Path) -> None:
    one, two = init(tmp_path / "1"), init(tmp_path / "2")
    assert len({one.password, two.password, one.carrier_password, two.carrier_password}) == 4
    keys = one.key_file, two.key_file, one.store_key, two.store_key
    assert len({key.read_bytes() for key in keys}) == 4
    written = one.config.read_text(encoding="utf-8")
    for secret in (one.password, one.carrier_password):
        assert secret not in written
        assert secret not in repr(one)


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_only_the_owner_may_read_what_it_writes(tmp_path: Path) -> None:
    starter = init(tmp_path)
    assert not is_exposed(starter.key_file)
    assert not is_exposed(starter.store_key)
    assert not is_exposed(starter.config)


@pytest.mark.parametrize("name", ["adapter.xml", "adapter.key", "store.key"])
def test_nothing_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match="nothing was changed"):
        init(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"
