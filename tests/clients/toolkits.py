"""The toolkits, and how a client is made with each: by the commands of docs/integrator/soap.md, as
they stand but for address, account and password. The last command of a block runs the client, what
stands before makes it.

Sources lie in the folder named after the toolkit; what is generated and compiled lies in a
temporary folder.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.nodejs import packages

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "integrator" / "soap.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"\w+=\S*")
_COMPLAINT = re.compile(r"warn|error|ignor|unsupported|unresolved|cannot|missing", re.IGNORECASE)
_PATIENCE_S = 90


@dataclass(frozen=True)
class Toolkit:
    """`needs`: Debian packages, each with a command or a file (a pattern) by which it is known.

    `complaints` (regular expressions) are the warnings of its generator, `murmurs` those of the
    toolkit itself while it runs, that no WSDL of this contract can avoid: the page has each with
    its reason. `cannot_decline`: it cannot say receipt false.
    """

    heading: str
    folder: str
    version: str
    needs: tuple[tuple[str, str], ...] = ()
    complaints: tuple[str, ...] = ()
    murmurs: tuple[str, ...] = ()
    cannot_decline: bool = False

    @property
    def id(self) -> str:
        word = self.heading.rpartition(": ")[2].split()[0].lower()
        return f"{word}-{self.version}"

    def commands(self, url: str, account: str, password: str) -> list[str]:
        """Those of the page, for this version: the second block, or the only one with the other
        address."""
        blocks = sections()[self.heading]
        block = blocks[-1] if self.version == "1.2" else blocks[0]
        if len(blocks) == 1 and self.version == "1.2":
            block = block.replace("8080/soap", "8080/soap12")
        block = block.replace("http://127.0.0.1:8080", url)
        block = block.replace("his his-demo", f"{account} {password}")
        return block.replace("\\\n", " ").splitlines()


def sections() -> dict[str, list[str]]:
    """The blocks of commands of the page by their headings."""
    _, *parts = re.split(r"^##+ (.*)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return {parts[at]: _BLOCK.findall(parts[at + 1]) for at in range(0, len(parts), 2)}


class Client:
    """A client in the making, and then at work."""

    def __init__(self, toolkit: Toolkit, folder: Path, commands: list[str]) -> None:
        for package, sign in (("bash", "bash"), *toolkit.needs):
            if not (glob.glob(sign) if sign.startswith("/") else shutil.which(sign)):
                pytest.skip(f"not installed: apt-get install {package}")
        *making, self._running = commands
        self._settings = [each for each in making if _ASSIGNMENT.fullmatch(each)]
        source = HERE / toolkit.folder
        if toolkit.folder == "node":
            self._folder = packages(source)
        else:
            self._folder = shutil.copytree(source, folder / "client")
        self._making = making

    def make(self) -> list[str]:
        """What was printed that is, or looks like, a warning. Fails where a command fails."""
        done = self._run([*self._making, ":"])
        assert done.returncode == 0, done.stdout + done.stderr
        said = (done.stdout + done.stderr).splitlines()
        return [line.strip() for line in said if _COMPLAINT.search(line)]

    def run(self) -> subprocess.CompletedProcess[str]:
        return self._run([*self._settings, self._running])

    def _run(self, commands: list[str]) -> subprocess.CompletedProcess[str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-euc", "\n".join(commands)],
            cwd=self._folder,
            env=os.environ | {"LC_ALL": "C.UTF-8", "PATH": path, "PYTHONWARNINGS": "error"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_PATIENCE_S,
        )


_PHP = (("php-cli", "php"), ("php-soap", "/etc/php/*/mods-available/soap.ini"))
_PERL = (("libsoap-lite-perl", "/usr/share/perl5/SOAP/Lite.pm"),)
_GSOAP = (("gsoap libgsoap-dev", "wsdl2h"), ("g++", "g++"))
_JDK = (("default-jdk-headless", "javac"),)
_JAXWS = (("jaxws libjaxws-java", "wsimport"), *_JDK)
_AXIS = (("libaxis-java", "/usr/share/java/axis.jar"), *_JDK)
_MONO = (("mono-devel", "svcutil"), ("mono-mcs", "mcs"))

# The argument `xml` of Exchange is a name of the contract.
_PERL_XML = r"Element 'xml' uses the reserved prefix 'XML' \(in any case\) at .*"
_GSOAP_XML = (
    r".*\*WARNING\*: identifier 'xml' starts with or embeds 'xml' .*",
    r"Compilation successful \(1 warning\)",
)
# Debian's SAAJ names its factory by the property of an older release.
_SAAJ = (
    r".* javax\.xml\.soap\.FactoryFinder find",
    r"WARNING: Using deprecated META-INF/services mechanism with non-standard property: .*",
)
_EXTENSION = (r'\[WARNING\] SOAP port "\w+": uses a non-standard SOAP 1\.2 binding\.',)
_UNCHECKED = (r"Note: Some input files use unchecked or unsafe operations\.",)

TOOLKITS = [
    Toolkit("zeep", "python", "1.1"),
    Toolkit("zeep", "python", "1.2"),
    Toolkit("suds", "python", "1.1"),
    Toolkit("suds", "python", "1.2"),
    Toolkit("PHP SoapClient", "php", "1.1", _PHP),
    Toolkit("PHP SoapClient", "php", "1.2", _PHP),
    Toolkit("Perl SOAP::Lite", "perl", "1.1", _PERL, murmurs=(_PERL_XML,)),
    Toolkit("Perl SOAP::Lite", "perl", "1.2", _PERL, murmurs=(_PERL_XML,)),
    Toolkit("Node.js: soap", "node", "1.1"),
    Toolkit("Node.js: soap", "node", "1.2"),
    Toolkit("Node.js: strong-soap", "node", "1.1"),
    Toolkit("Node.js: strong-soap", "node", "1.2"),
    Toolkit("gSOAP", "gsoap", "1.1", _GSOAP, _GSOAP_XML),
    Toolkit("gSOAP", "gsoap", "1.2", _GSOAP, _GSOAP_XML),
    Toolkit("Java: JAX-WS", "jaxws", "1.1", _JAXWS, murmurs=_SAAJ),
    Toolkit("Java: JAX-WS", "jaxws", "1.2", _JAXWS, _EXTENSION, _SAAJ),
    Toolkit("Java: Axis 1.4", "axis", "1.1", _AXIS, _UNCHECKED),
    Toolkit(".NET: ASMX", "asmx", "1.1", _MONO),
    Toolkit(".NET: ASMX", "asmx", "1.2", _MONO),
    Toolkit(".NET: WCF", "wcf", "1.1", _MONO, cannot_decline=True),
    Toolkit(".NET: WCF", "wcf", "1.2", _MONO, cannot_decline=True),
]
