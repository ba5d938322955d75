"""The words of `sms-adapter simulate` as options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapter.commands.simulate import options_from
from connectors.behaviour import Span
from connectors.link import Link
from connectors.sgip.settings import GatewaySettings
from connectors.tls import client_context
from tests.certificates import Authority
from tests.connectors.recorder import Recorder, run, settings

WORDS: dict[str, Any] = {
    "protocol": "cmpp", "host": "127.0.0.1", "port": 1, "account": "a", "password": "b",
    "delay": None, "no_receipt": False, "fail": (), "throttle": 0.0, "drop_link": None,
    "inbound": None, "window": 32, "script": None, "deliver_to": None, "deliver_account": None,
    "deliver_password": None, "deliver_tls": False, "deliver_ca": None, "tls_certificate": None,
    "tls_key": None, "tls_ca": None, "log": None,
}  # fmt: skip


def test_behaviour_is_read_from_words() -> None:
    options = options_from(**WORDS | {"delay": "5/10-20", "inbound": "3s", "drop_link": "500"})
    assert options.behaviour.answer_delay == Span(5, 5)
    assert options.behaviour.receipt_delay == Span(10, 20)
    assert (options.behaviour.inbound_every_s, options.behaviour.drop_after) == (3, 500)
    assert options.own is None


def test_an_sgip_gateway_delivers_where_it_is_told() -> None:
    sgip = WORDS | {"protocol": "sgip", "deliver_to": "10.0.0.1:8801"}
    options = options_from(**sgip)
    assert (options.client_host, options.client_port) == ("10.0.0.1", 8801)
    assert options.own == GatewaySettings(account="a", password="b", receives=False)
    other = options_from(**sgip | {"deliver_account": "smg", "deliver_password": "c"})
    assert other.own == GatewaySettings(account="smg", password="c", receives=False)


def test_without_an_address_it_delivers_on_the_clients_own_link() -> None:
    options = options_from(**WORDS | {"protocol": "sgip"})
    assert options.own.receives
    assert options.client_port == 0


def test_an_address_may_be_of_ipv6() -> None:
    options = options_from(**WORDS | {"protocol": "sgip", "deliver_to": "[::1]:8801"})
    assert (options.client_host, options.client_port) == ("::1", 8801)


@pytest.mark.parametrize("word", ["8801", ":8801", "h:", "h:0", "h:65536", "h:x"])
def test_a_word_that_is_no_address_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="expected HOST:PORT"):
        options_from(**WORDS | {"protocol": "sgip", "deliver_to": word})


def test_a_client_comes_in_by_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("gateway", "127.0.0.1")
    command = [
        sys.executable, "-m", "adapter", "simulate", "--protocol", "cmpp", "--port", "0",
        "--account", "901234", "--password", "secret",
        "--tls-certificate", pair.certificate, "--tls-key", pair.key,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])

        async def test() -> None:
            bare, safe = Recorder(), Recorder()
            links = [
                Link(settings(port), bare),
                Link(settings(port, tls=client_context(authority.ca)), safe),
            ]
            for link in links:
                link.start()
            await safe.until(lambda: safe.ups == 1)
            await bare.until(lambda: bool(bare.downs))
            assert not bare.ups
            for link in links:
                await link.stop()

        try:
            run(test())
        finally:
            process.kill()


def test_a_gateway_delivers_by_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    to = WORDS | {"protocol": "sgip", "deliver_to": "10.0.0.1:8801"}
    assert options_from(**to).call_tls is None
    options = options_from(**to | {"deliver_tls": True, "deliver_ca": Path(authority.ca)})
    assert options.call_tls is not None
    assert options.tls is None


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"tls_key": Path("k.pem")}, "say --tls-certificate, too"),
        ({"tls_ca": Path("ca.pem")}, "say --tls-certificate, too"),
        ({"tls_certificate": Path("nowhere.pem")}, "--tls-certificate"),
        ({"deliver_tls": True}, "say --deliver-to"),
        ({"deliver_to": "h:1", "deliver_ca": Path("ca.pem")}, "say --deliver-tls, too"),
        (
            {"deliver_to": "h:1", "deliver_tls": True, "deliver_ca": Path("nowhere.pem")},
            "--deliver-ca: ",
        ),
    ],
)
def test_files_and_words_that_do_not_go_together(words: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        options_from(**WORDS | {"protocol": "sgip"} | words)
