"""Secrets: found, opened, and never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapter.config.faults import ConfigError
from adapter.config.load import check, load
from adapter.security.secrets import encrypt, new_key, write_key
from tests.config.conftest import Write

CHANNEL = (
    '<channels><channel name="m1" protocol="cmpp" version="3.0" access-number="1069">\n'
    '<connection host="h" port="7890" account="901" password="%s"/></channel></channels>'
)
ROUTES = "".join(
    f'<route carrier="{c}" channels="m1"/>' for c in ("mobile", "unicom", "telecom", "broadnet")
)


def section(password: str) -> str:
    return f"{CHANNEL % password}<routes>{ROUTES}</routes>"


def password(path: Path, environ: dict[str, str] | None = None) -> str:
    return load(path, environ or {}).channels[0].password


def test_a_secret_from_the_environment(write: Write) -> None:
    path = write(section("a-${env:PW}-${env:B}"))
    assert password(path, {"PW": "s3cret", "B": ""}) == "a-s3cret-"


def test_a_secret_from_a_file_without_its_line_end(write: Write, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/m1.txt").write_bytes("密 码 \r\n".encode())
    assert password(write(section("${file:secrets/m1.txt}"))) == "密 码 "
    absolute = (tmp_path / "secrets/m1.txt").as_posix()
    assert password(write(section(f"${{file:{absolute}}}"))) == "密 码 "


def test_an_encrypted_secret(write: Write, tmp_path: Path) -> None:
    key = new_key()
    write_key(tmp_path / "adapter.key", key)
    path = write(section(encrypt(key, "gehört 我们")) + '<security key-file="adapter.key"/>')
    assert password(path) == "gehört 我们"
    assert not check(path, {})


def test_what_comes_out_of_a_reference_is_not_followed_again(write: Write) -> None:
    path = write(section("${env:A}"))
    assert password(path, {"A": "${env:B}{enc:x}", "B": "no"}) == "${env:B}{enc:x}"


def test_a_reference_can_stand_for_a_number_and_is_checked_as_one(write: Write) -> None:
    path = write('<web port="${env:PORT}"/>')
    assert load(path, {"PORT": "8123"}).web.port == 8123
    (fault,) = check(path, {"PORT": "s3cret"})
    assert fault.message == "port: must be a whole number from 1 to 65535"


def test_the_text_of_a_template_is_no_reference(write: Write) -> None:
    path = write("<templates><template name='t'>${env}，{enc:x}</template></templates>")
    assert load(path, {}).templates[0].text == "${env}，{enc:x}"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${env:NOT_SET}", "the environment variable NOT_SET is not set (${env:NOT_SET})"),
        ("${file:none.txt}", "the file none.txt cannot be read: No such file or directory"),
        ("${file:binary}", "the file binary is not in UTF-8"),
        ("${file:long}", "the file long is too long for a secret"),
        ("${NAME}", "a reference is written ${env:NAME}, ${file:PATH} or {enc:...}"),
        ("${env:NAME", "a reference is written ${env:NAME}, ${file:PATH} or {enc:...}"),
        ("{enc:AAAA", "a reference is written ${env:NAME}, ${file:PATH} or {enc:...}"),
        ("{enc:AAAA}", "{enc:...} cannot be opened without the key: see key-file of <security>"),
        ("${env:NUL}", "the secret holds characters that cannot be used"),
    ],
)
def test_a_reference_that_leads_nowhere_is_one_fault(
    written: str, message: str, write: Write, tmp_path: Path
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "long").write_bytes(b"x" * 64_001)
    (fault,) = check(write(section(written)), {"NUL": "a\x00b"})
    assert (fault.line, fault.message) == (3, f"password: {message}")


def test_an_empty_secret_is_a_fault(write: Write) -> None:
    (fault,) = check(write(section("${env:PW}")), {"PW": ""})
    assert fault.message == "password: must be a secret of 1 to 1024 characters"


def test_another_key_or_none_at_all(write: Write, tmp_path: Path) -> None:
    write_key(tmp_path / "other.key", new_key())
    sealed = section(encrypt(new_key(), "s3cret"))
    (fault,) = check(write(sealed + '<security key-file="other.key"/>'), {})
    assert fault.message == "password: {enc:...} was made with another key, or was changed"
    found = check(write(sealed + '\n<security key-file="none.key"/>'), {})
    assert [f.line for f in found] == [3, 4]
    assert "none.key cannot be read: No such file" in found[1].message
    (tmp_path / "none.key").write_text("short", encoding="utf-8")
    assert "key file" in check(write('<security key-file="none.key"/>'), {})[0].message


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_key_that_others_may_read_is_warned_about(write: Write, tmp_path: Path) -> None:
    write_key(tmp_path / "adapter.key", new_key())
    path = write('<security key-file="adapter.key"/>')
    assert not check(path, {})
    (tmp_path / "adapter.key").chmod(0o644)
    (fault,) = check(path, {})
    assert fault.warning
    assert "chmod 600" in fault.message


def test_no_secret_is_ever_shown(write: Write) -> None:
    environ = {"PW": "s3cret"}
    good = load(
        write(
            section("${env:PW}")
            + '<store url="postgresql://u@h/d" password="${env:PW}"/>'
            + '<clients><client account="a"/></clients><sources><source name="s" client="a"'
            + ' url="postgresql://u:s3cret@h/d"/></sources>'
        ),
        environ,
    )
    assert good.channels[0].password == "s3cret"
    assert "s3cret" in good.store.url
    assert "s3cret" not in repr(good)
    bad = write(
        section("${env:PW}").replace('port="7890"', 'port="${env:PW}"')
        + '<node id="${env:PW}" timezone="${env:PW}" name="${env:PW}${env:NONE}"/>'
        + '<store url="oracle://u:s3cret@h/d"/>'
        + '<clients><client account="a" networks="${env:PW}" lane="${env:PW}">'
        + '<password hash="s3cret"/></client></clients>'
        + '<sources><source name="s" client="${env:PW}" url="s3cret"/></sources>'
    )
    with pytest.raises(ConfigError) as error:
        load(bad, environ)
    assert len(error.value.faults) >= 9
    assert any("***" in f.message for f in error.value.faults)
    told = [f.message for f in error.value.faults if "s3cret" in f.message]
    assert told == []
