"""What `check` says about the socket and CMPP doors, and that a node gets what was configured."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.config.load import load
from tests.certificates import Authority
from tests.config.conftest import Write
from tests.config.test_faults import told


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        ("<socket/><cmpp-server/>", []),
        (
            '<socket port="8080"/>',
            ["2: port 8080 is used twice: the web door listens there"],
        ),
        (
            '<socket port="7000"/>\n<cmpp-server port="7000"/>',
            ["3: port 7000 is used twice: the socket door listens there"],
        ),
        (
            '<web port="8090"/>\n<socket/>',
            ["3: port 8090 is used twice: the web door listens there"],
        ),
        (
            '<socket tls-ca="ca.pem"/>',
            [
                "2: tls-ca has no effect without tls-certificate",
                "2: tls-ca: cannot be read: No such file or directory",
            ],
        ),
        (
            '<clients><client account="laboratory" cmpp-secret="s"/></clients>',
            ["2: cmpp-secret: CMPP carries accounts of at most 6 characters"],
        ),
        (
            '<clients><client account="lab" doors="soap" cmpp-secret="s"/></clients>',
            ["2: cmpp-secret has no effect: the client's doors are soap"],
        ),
        (
            '<clients><client account="lab" cmpp-secret-old="s"/></clients>',
            ["2: cmpp-secret-old: it is only for the time beside a new cmpp-secret"],
        ),
    ],
)
def test_faults(write: Write, sections: str, expected: list[str]) -> None:
    assert told(write(sections)) == expected


def test_a_door_that_is_not_named_is_not_opened(write: Write) -> None:
    config = load(write(""))
    assert (config.socket, config.cmpp_server) == (None, None)


def test_what_is_written_is_what_a_door_gets(write: Write, tmp_path: Path) -> None:
    pair = Authority(tmp_path).sign("door", "localhost")
    key, certificate = Path(pair.key).name, Path(pair.certificate).name
    (tmp_path / "secret.txt").write_text("s3cret\n")
    config = load(
        write(
            f'<socket host="0.0.0.0" port="9000" max-frame="64kB" idle="5min"'
            f' tls-certificate="{certificate}" tls-key="{key}"/>'
            '<cmpp-server port="9001" part-wait="1min" deliver-window="8"/>'
            '<clients><client account="lab" cmpp-secret="${file:secret.txt}"/></clients>'
        )
    )
    assert config.socket is not None
    assert (config.socket.port, config.socket.max_frame, config.socket.idle_s) == (
        9000,
        64_000,
        300,
    )
    assert Path(config.socket.tls_certificate) == Path(pair.certificate)
    assert config.cmpp_server is not None
    assert (config.cmpp_server.part_wait_s, config.cmpp_server.deliver_window) == (60, 8)
    (client,) = config.clients
    assert client.cmpp_secret == "s3cret"
    assert "s3cret" not in repr(config)
