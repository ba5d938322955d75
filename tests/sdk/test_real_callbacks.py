"""A real node's callbacks, believed by the SDKs' services."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from his_sms import Basic, Client

from tests.nodes import ACCESS_NUMBER, HOST, PASSWORD, Carrier, Node, Setup, free_port, until
from tests.sdk.languages import SECRET, Language
from tests.sdk.test_page import folder, java_service, php_service, python_service, running

__all__ = ["folder"]
MOBILE = "13800138000"


def write(setup: Setup, port: int) -> Path:
    """The configuration, its client `web` renamed to the examples' account and called back."""
    config = setup.write()
    callback = (
        f'<callback url="http://{HOST}:{port}/sms/events" format="json" batch="50"'
        f' key-id="cb1" secret="{SECRET}"/>'
    )
    written = re.sub(r'<client account="his"[^>]*/>', "", config.read_text(encoding="utf-8"))
    written = written.replace('account="web"', 'account="his"')
    config.write_text(written.replace("</client>", f"{callback}</client>"), encoding="utf-8")
    return config


@pytest.mark.parametrize("service", [python_service, java_service, php_service])
def test_what_the_node_brings_is_believed_and_kept(
    service: Callable[..., Sequence[str | Path]],
    folder: Path,
    made: Callable[[str], Language],
) -> None:
    port, web_port = free_port(), free_port()

    def kept() -> str:
        texts = [folder / "told", *folder.glob("receipts-*"), *folder.glob("inbound-*")]
        return "\n".join(each.read_text(encoding="utf-8") for each in texts)

    def is_kept() -> bool:
        text = kept()
        return all(part in text for part in ("A-1", "A-2", "DELIVERED", "好的"))

    with Carrier() as carrier, running(port, folder, *service(folder, port, made)):
        store = f"sqlite:///{folder / 'store.db'}"
        setup = Setup(folder, store, carrier.port, web_port=web_port)
        with Node(write(setup, port), web_port) as node:
            node.start()
            with Client(node.url, Basic("his", PASSWORD)) as sms:
                sms.send(MOBILE, "x", client_ref="A-1")
                sms.send("13800138001", "y", client_ref="A-2")
                carrier.send_inbound(MOBILE, f"{ACCESS_NUMBER}02", "好的")
                until(is_kept)
                until(lambda: sms.fetch_receipts().receipts == ())
                until(lambda: sms.fetch_inbound().inbound == ())
