"""Other languages' ways to run the trials (tests/sdk/trials): compiled where they have to be.

Their compilers and interpreters are Debian's packages; where one is missing its tests are skipped,
in CI it is installed.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from his_sms import Client, Hmac

TESTS = Path(__file__).resolve().parent
SDK = TESTS.parents[1] / "sdk"
EXAMPLES = SDK / "examples"
TRIALS = TESTS / "trials"
KEY_ID = "2026a"
SECRET = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Language:
    """A way to run the trials; `account` is its own."""

    account: str
    command: Sequence[str | Path]
    signs: bool = True
    """It signs its requests; else it shows a password."""

    def run(self, *arguments: str) -> list[str]:
        """The lines that a trial printed."""
        done = self._done(arguments)
        if done.returncode == -signal.SIGABRT and not done.stdout:
            # Seldom, on a busy machine, Mono aborts while it starts.
            done = self._done(arguments)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode().splitlines()

    def _done(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.command, *arguments], capture_output=True, timeout=60, check=False
        )

    def client(self, url: str) -> Client:
        """Its account, seen by the Python SDK."""
        return Client(url, Hmac(self.account, KEY_ID, SECRET))


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


def java(folder: Path) -> Language:
    javac = program("javac", "default-jdk-headless")
    subprocess.run([SDK / "java/build", folder], check=True, capture_output=True)
    jar = folder / "his-sms-client.jar"
    subprocess.run(
        [javac, "--release", "8", "-Xlint:-options", "-encoding", "UTF-8", "-cp", jar,
         "-d", folder / "classes", TRIALS / "hissms/Trial.java"],
        check=True,
    )  # fmt: skip
    options = ["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8"]
    path = f"{jar}:{folder / 'classes'}"
    return Language("java", [program("java", ""), *options, "-cp", path, "hissms.Trial"])


def php(_: Path) -> Language:
    library = EXAMPLES / "php/HisSms.php"
    return Language("php", [program("php", "php-cli php-curl"), TRIALS / "trial.php", library])


def csharp(folder: Path) -> Language:
    target = folder / "trial.exe"
    subprocess.run(
        [program("mcs", "mono-mcs"), "-warnaserror", "-langversion:5", f"-out:{target}",
         "-r:System.Core", "-r:System.Xml", EXAMPLES / "csharp/HisSms.cs",
         EXAMPLES / "tsql/HisSmsSql.cs", TRIALS / "Trial.cs"],
        check=True,
    )  # fmt: skip
    return Language("csharp", [program("mono", "mono-runtime"), target])


def pascal(folder: Path) -> Language:
    subprocess.run(
        [program("fpc", "fp-compiler fp-units-fcl fp-units-net"), "-v0ew", "-Sew", "-l-",
         f"-Fu{EXAMPLES / 'delphi'}", f"-FU{folder}", f"-FE{folder}", TRIALS / "Trial.pas"],
        check=True,
    )  # fmt: skip
    return Language("pascal", [folder / "Trial"], signs=False)


MAKERS: Mapping[str, Callable[[Path], Language]] = {
    "java": java,
    "php": php,
    "csharp": csharp,
    "pascal": pascal,
}
