"""The examples of docs/integrator/http.md, run as they stand but for address and password."""

from __future__ import annotations

import hmac
import json
import re
import shutil
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC

from tests.doors.conftest import PASSWORD, Node

PAGE = Path(__file__).parents[2] / "docs/integrator/http.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
SIGNED = re.search(r"```\n(HMAC-SHA256\n.*?)\n```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
CURL = shutil.which("curl")


def test_every_example_gets_its_answer(node: Node) -> None:
    assert CURL, "curl is missing"
    commands = [
        command
        for block in BLOCKS
        for command in re.split(r"\n(?=curl )", block.strip().replace("\\\n", " "))
    ]
    answers = []
    for command in commands:
        run = command.replace("http://127.0.0.1:8080", node.url).replace("his-demo", PASSWORD)
        told = subprocess.run(["/bin/sh", "-c", run], capture_output=True, check=True, timeout=30)
        answers.append(json.loads(told.stdout))
    sent, found, account, ping = answers
    assert (sent["code"], sent["accepted"]) == ("OK", 1)
    assert found["messages"][0]["clientRef"] == "OP-20260301-0001"
    assert account["account"] == "his"
    assert ping["state"] == "running"


def test_the_signatures_are_those_of_the_lines() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert SIGNED is not None
    (key,) = re.findall(r"with the key `(\w+)`", text)
    sha256 = hmac.new(key.encode(), SIGNED[1].encode(), "sha256").hexdigest()
    assert f'signature="{sha256}"' in text
    lines = SIGNED[1].replace("HMAC-SHA256", "HMAC-SM3", 1).encode()
    made = HMAC(key.encode(), hashes.SM3())
    made.update(lines)
    assert f"gives `{made.finalize().hex()}`" in text
