"""`sms-adapter init`: a configuration to start from, with secrets of its own.

Nothing comes with a built-in password: the client's and the carrier's are made here, told once
and kept only as a hash and an envelope. Nothing that exists is ever overwritten.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from adapter.security.passwords import hash_password, new_password
from adapter.security.secrets import encrypt, new_key, write_key

CLIENT = "his"
CARRIER_ACCOUNT = "900001"

_STARTER = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- Every setting is described in docs/operator/configuration.md and xsd/config.xsd.
     After a change: sms-adapter check adapter.xml -->
<adapter xmlns="urn:his-sms:config:1">

  <store url="sqlite:///data/adapter.db"/>
  <web host="127.0.0.1" port="8080"/>
  <!-- Not part of backups: keep copies of both keys where they outlive this machine. -->
  <security key-file="adapter.key">
    <store-key key="${file:store.key}"/>
  </security>

  <channels>
    <!-- Set for a simulated carrier on this machine, which sms-adapter simulate starts.
         Put the carrier's own values here before texts are to reach phones. -->
    <channel name="cmpp-1" protocol="cmpp" version="3.0" access-number="10690000">
      <connection host="127.0.0.1" port="17890" account="@ACCOUNT@"
                  password="@CARRIER@"
                  links="1" window="16" rate="100"/>
    </channel>
  </channels>

  <routes>
    <route carrier="mobile" channels="cmpp-1"/>
    <route carrier="unicom" channels="cmpp-1"/>
    <route carrier="telecom" channels="cmpp-1"/>
    <route carrier="broadnet" channels="cmpp-1"/>
  </routes>

  <clients>
    <client account="@CLIENT@" title="HIS" extension="01">
      <password hash="@HASH@"/>
    </client>
  </clients>

  <!-- A HIS table to poll:
  <sources>
    <source name="his" client="@CLIENT@" url="postgresql://sms@his-db:5432/his"
            password="${env:HIS_DB_PASSWORD}"
            receipt-table="SMS_RECEIPT" inbound-table="SMS_INBOUND"/>
  </sources>
  -->
</adapter>
"""


@dataclass(frozen=True, slots=True)
class Starter:
    """What was written, and the passwords that are shown this once."""

    config: Path
    key_file: Path
    store_key: Path
    account: str
    password: str = field(repr=False)
    carrier_account: str
    carrier_password: str = field(repr=False)


def init(directory: Path | str) -> Starter:
    """Write `adapter.xml`, `adapter.key` and `store.key` into a directory, which is made if need
    be.

    Raises FileExistsError when one of them is there already, OSError when it cannot write.
    """
    folder = Path(directory)
    config, key_file = folder / "adapter.xml", folder / "adapter.key"
    store_key = folder / "store.key"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (config, key_file, store_key):
        if path.exists():
            raise FileExistsError(f"{path} is there already; nothing was changed")
    key = new_key()
    starter = Starter(
        config=config,
        key_file=key_file,
        store_key=store_key,
        account=CLIENT,
        password=new_password(),
        carrier_account=CARRIER_ACCOUNT,
        carrier_password=new_password(),
    )
    write_key(key_file, key)
    write_key(store_key, new_key())
    _write(config, _filled(starter, key))
    return starter


def _filled(starter: Starter, key: bytes) -> str:
    return (
        _STARTER.replace("@CLIENT@", starter.account)
        .replace("@HASH@", hash_password(starter.password))
        .replace("@ACCOUNT@", starter.carrier_account)
        .replace("@CARRIER@", encrypt(key, starter.carrier_password))
    )


def _write(path: Path, text: str) -> None:
    # The file holds hashes: nobody but the owner may read it, from its first moment on.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
