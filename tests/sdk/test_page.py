"""The examples of docs/integrator/sdk.md and the services for callbacks, run as they stand but for
address, account and secrets."""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from his_sms import Hmac

from tests.nodes import PASSWORD, free_port, until
from tests.sdk.conftest import CONTENT_KEY, ROOT, World
from tests.sdk.languages import EXAMPLES, SDK, SECRET, TRIALS, Language, program

PAGE = (ROOT / "docs/integrator/sdk.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
RECEIPT: dict[str, Any] = {
    "receiptId": "7301444403200000001", "messageId": "7301444400000000001",
    "submissionId": "7301444400000000000", "clientRef": "OP-20260301-0001",
    "mobile": "13800138000", "state": "DELIVERED", "carrierCode": "DELIVRD", "segmentCount": 1,
}  # fmt: skip
INBOUND = {
    "inboundId": "7301444403200000002", "mobile": "13800138000", "content": "好的",
    "accessNumber": "106900001234", "receivedAt": "2026-03-01T16:00:00.000+08:00",
}  # fmt: skip


def block(language: str, number: int = 0) -> str:
    return [text for kind, text in BLOCKS if kind == language][number]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the secrets that the examples read."""
    (tmp_path / "secrets").mkdir()
    content_key = base64.b64encode(CONTENT_KEY).decode()
    for name, secret in (
        ("his-2026a", SECRET),
        ("his-content-2026a", content_key),
        ("his-cb1", SECRET),
    ):
        (tmp_path / "secrets" / name).write_text(f"{secret}\n")
    return tmp_path


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    told = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SDK / "python"), "HIS_SMS_KEY": SECRET} | environment,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 0, told.stderr.decode(errors="replace")
    return told.stdout.decode()


def written(folder: Path, name: str, text: str, world: World) -> Path:
    path = folder / name
    path.write_text(text.replace("https://sms.example.org", world.url), encoding="utf-8")
    return path


def test_python(folder: Path, world: World) -> None:
    script = written(folder, "example.py", block("python"), world)
    assert re.fullmatch(r"OK \d+\n", run(folder, sys.executable, script))
    asynchronous = written(folder, "example_async.py", block("python", 1), world)
    assert run(folder, sys.executable, asynchronous) == "OK OK\n"


def test_java(folder: Path, world: World, made: Callable[[str], Language]) -> None:
    source = written(folder, "Example.java", block("java"), world)
    jar = str(made("java").command[-2]).partition(":")[0]
    assert re.match(r"OK \d+\n", run(folder, "java", "-cp", jar, source))


def test_php(folder: Path, world: World) -> None:
    script = written(folder, "example.php", f"<?php\n{block('php')}", world)
    shutil.copy(EXAMPLES / "php/HisSms.php", folder)
    assert re.match(r"OK \d+\n", run(folder, program("php", "php-cli php-curl"), script))


def test_csharp(folder: Path, world: World) -> None:
    source = written(folder, "Example.cs", block("csharp"), world)
    run(
        folder, program("mcs", "mono-mcs"), "-out:example.exe", "-r:System.Core", "-r:System.Xml",
        "-main:Entry", source, EXAMPLES / "csharp/HisSms.cs", TRIALS / "Entry.cs",
    )  # fmt: skip
    assert re.match(r"OK \d+\n", run(folder, program("mono", "mono-runtime"), "example.exe"))


def test_sh(world: World) -> None:
    command = block("sh").replace("http://127.0.0.1:8080", world.url).replace("his-demo", PASSWORD)
    assert run(ROOT, "/bin/sh", "-c", command) == "OK\n"


@contextmanager
def running(port: int, folder: Path, *command: str | Path) -> Iterator[None]:
    """A service, until it listens; killed at the end. What it prints is in `told`."""
    with (folder / "told").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ
            | {
                "PYTHONPATH": str(SDK / "python"),
                "HIS_SMS_KEY": SECRET,
                "HIS_SMS_FOLDER": str(folder),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: answers(port) or process.poll() is not None)
        yield
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code > 0
    except httpx.TransportError:
        return False


def python_service(
    folder: Path, port: int, made: Callable[[str], Language]
) -> Sequence[str | Path]:
    script = folder / "service.py"
    script.write_text(block("python", 2).replace("8088", str(port)), encoding="utf-8")
    return [sys.executable, script]


def java_service(folder: Path, port: int, made: Callable[[str], Language]) -> Sequence[str | Path]:
    jar = str(made("java").command[-2]).partition(":")[0]
    source = EXAMPLES / "java/CallbackService.java"
    return [
        "java",
        "-Dstdout.encoding=UTF-8",
        "-Dfile.encoding=UTF-8",
        "-cp",
        jar,
        source,
        str(port),
    ]


def php_service(folder: Path, port: int, made: Callable[[str], Language]) -> Sequence[str | Path]:
    php = program("php", "php-cli php-curl")
    return [php, "-S", f"127.0.0.1:{port}", EXAMPLES / "php/callback.php"]


@pytest.mark.parametrize("service", [python_service, java_service, php_service])
def test_a_service_takes_callbacks(
    service: Callable[..., Sequence[str | Path]], folder: Path, made: Callable[[str], Language]
) -> None:
    port = free_port()
    path = "/sms/events"

    def call(body: bytes, signature: str, reference: str = "") -> int:
        headers = {"Authorization": signature, "Content-Type": "application/json; charset=utf-8"}
        if reference:
            headers["Idempotency-Key"] = reference
        url = f"http://127.0.0.1:{port}{path}"
        return httpx.post(url, content=body, headers=headers).status_code

    def sign(body: bytes, reference: str = "", key: str = "cb1", secret: str = SECRET) -> str:
        shown = Hmac("his", key, secret)
        if not reference:
            return shown.authorization("POST", path, body)
        time = re.findall(r'time="([^"]*)"', shown.authorization("POST", path, body))[0]
        return shown.stamped(
            "POST", path, body, time=time, nonce=secrets.token_hex(8), idempotency_key=reference
        )

    one = json.dumps({"receipts": [RECEIPT]}).encode()
    both = json.dumps({"receipts": [RECEIPT], "inbound": [INBOUND]}, ensure_ascii=False).encode()
    with running(port, folder, *service(folder, port, made)):
        assert call(one, sign(one, RECEIPT["receiptId"]), RECEIPT["receiptId"]) == 204
        signature = sign(both)
        assert call(both, signature) == 204
        assert call(both, signature) == 401
        assert call(both, sign(both)) == 204
        assert call(one, sign(both)) == 401
        assert call(one, sign(one, secret="another secret")) == 401
        assert call(one, sign(one, key="cb2")) == 401
        assert call(one, "") == 401
    if service is php_service:
        kept = sorted(each.name for each in folder.glob("*-73*"))
        assert kept == [f"inbound-{INBOUND['inboundId']}", f"receipts-{RECEIPT['receiptId']}"]
    else:
        told = (folder / "told").read_text(encoding="utf-8")
        assert "OP-20260301-0001 DELIVERED" in told
        assert "13800138000 好的" in told
