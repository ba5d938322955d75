"""How a client of each toolkit is made of the live WSDL: the commands of docs/integrator/soap.md.

Sources lie in the folder named after the toolkit; what is generated and compiled lies in a
temporary folder and lives as long as the session.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.nodejs import packages

HERE = Path(__file__).parent
JAVA = Path("/usr/share/java")
_PATIENCE_S = 90
_COMPLAINT = re.compile(r"warn|error|ignor|unsupported|unresolved|cannot|missing", re.IGNORECASE)


def need(package: str, *, command: str = "", file: Path | None = None) -> None:
    """Skip where a toolkit is not installed, which in CI is a failure."""
    if (command and shutil.which(command) is None) or (file is not None and not file.exists()):
        pytest.skip(f"not installed: apt-get install {package}")


@dataclass
class Bench:
    """Where one client is made. `said` is what the generators printed."""

    folder: Path
    url: str
    wsdl: str
    said: list[str] = field(default_factory=list)

    def run(self, *command: str | Path, folder: Path | None = None) -> None:
        """A generator or compiler; fails with what it printed."""
        done = subprocess.run(
            list(map(str, command)),
            cwd=folder or self.folder,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE_S,
        )
        assert done.returncode == 0, done.stdout
        self.said += done.stdout.splitlines()

    @property
    def complaints(self) -> list[str]:
        """Lines that are warnings, or look like some."""
        return [line.strip() for line in self.said if _COMPLAINT.search(line)]


Making = Callable[[Bench], list[str | Path]]


@dataclass(frozen=True)
class Toolkit:
    """`make` gives the command of the client; account and password are put behind it.

    `complaints` (regular expressions) are the warnings of its generator, `murmurs` those of the
    toolkit itself while it runs, that no WSDL of this contract can avoid: each is in
    docs/integrator/soap.md with its reason.
    """

    name: str
    path: str
    make: Making
    complaints: tuple[str, ...] = ()
    murmurs: tuple[str, ...] = ()
    cannot_decline: bool = False

    @property
    def id(self) -> str:
        return f"{self.name}-{'1.2' if self.path == 'soap12' else '1.1'}"


def python(package: str) -> Making:
    def make(bench: Bench) -> list[str | Path]:
        script = HERE / "python" / "client.py"
        return [sys.executable, "-W", "error", script, package, bench.wsdl]

    return make


def php(bench: Bench) -> list[str | Path]:
    need("php-cli php-soap", command="php")
    loaded = ["php", "-r", 'exit(extension_loaded("soap") ? 0 : 1);']
    if subprocess.run(loaded).returncode:
        pytest.skip("not installed: apt-get install php-soap")
    # Everything that PHP could complain about, on standard error.
    settings = ["-d", "error_reporting=-1", "-d", "display_errors=stderr", "-d", "log_errors=0"]
    return ["php", *settings, HERE / "php" / "client.php", bench.wsdl]


def perl(version: str) -> Making:
    def make(bench: Bench) -> list[str | Path]:
        need("libsoap-lite-perl", file=Path("/usr/share/perl5/SOAP/Lite.pm"))
        return ["perl", HERE / "perl" / "client.pl", version, f"{bench.url}/soap?wsdl"]

    return make


def node(package: str) -> Making:
    def make(bench: Bench) -> list[str | Path]:
        return ["node", packages(HERE / "node") / f"{package}.js", bench.wsdl]

    return make


def gsoap(bench: Bench) -> list[str | Path]:
    need("gsoap", command="wsdl2h")
    need("g++", command="g++")
    bench.run("wsdl2h", "-o", "exchange.h", bench.wsdl)
    bench.run("soapcpp2", "-j", "-C", "-x", "-I/usr/share/gsoap/import", "exchange.h")
    name = "SmsExchangeSoap12Binding" if bench.wsdl.endswith("12?wsdl") else "SmsExchangeBinding"
    made = [bench.folder / "soapC.cpp", bench.folder / f"soap{name}Proxy.cpp"]
    define = ["-DSOAP12"] if "12" in name else []
    client = HERE / "gsoap" / "client.cpp"
    bench.run("g++", *define, "-Wall", "-I.", "-o", "client", client, *made, "-lgsoap++")
    return [bench.folder / "client"]


def _java(bench: Bench, client: Path, classpath: str) -> list[str | Path]:
    sources = sorted(bench.folder.rglob("*.java"))
    bench.run("javac", "-encoding", "UTF-8", "-cp", classpath, "-d", ".", client, *sources)
    return ["java", "-cp", f"{bench.folder}:{classpath}", "Client"]


def jaxws(bench: Bench) -> list[str | Path]:
    need("jaxws default-jdk-headless", command="wsimport")
    need("default-jdk-headless", command="javac")
    # JAX-WS calls the WSDL binding of SOAP 1.2 an extension.
    extension = ["-extension"] if bench.wsdl.endswith("12?wsdl") else []
    options = ["-Xnocompile", "-XadditionalHeaders", "-encoding", "UTF-8", "-p", "hospital.sms"]
    bench.run("wsimport", *extension, *options, bench.wsdl)
    return _java(bench, HERE / "jaxws" / "Client.java", str(JAVA / "jaxws-rt.jar"))


AXIS = (
    "axis",
    "axis-jaxrpc",
    "axis-saaj",
    "commons-logging",
    "commons-discovery",
    "wsdl4j",
    # For attachments, which nobody sends; without them it says so at every start.
    "javax.mail",
    "javax.activation",
)


def axis(bench: Bench) -> list[str | Path]:
    need("libaxis-java", file=JAVA / "axis.jar")
    need("default-jdk-headless", command="javac")
    classpath = ":".join(str(JAVA / f"{name}.jar") for name in AXIS)
    to_java = "org.apache.axis.wsdl.WSDL2Java"
    bench.run("java", "-cp", classpath, to_java, "-p", "hospital.sms", bench.wsdl)
    return _java(bench, HERE / "axis" / "Client.java", classpath)


def asmx(bench: Bench) -> list[str | Path]:
    need("mono-devel", command="wsdl")
    need("mono-mcs", command="mcs")
    version = ["-protocol:SOAP12"] if bench.wsdl.endswith("12?wsdl") else []
    bench.run("wsdl", *version, "-namespace:Hospital", "-out:proxy.cs", bench.wsdl)
    client = HERE / "asmx" / "Client.cs"
    bench.run("mcs", "-r:System.Web.Services", "-out:client.exe", "proxy.cs", client)
    return ["mono", bench.folder / "client.exe"]


def wcf(bench: Bench) -> list[str | Path]:
    need("mono-devel", command="svcutil")
    need("mono-mcs", command="mcs")
    bench.run("svcutil", "-noConfig", "-out:proxy.cs", bench.wsdl)
    client = HERE / "wcf" / "Client.cs"
    libraries = "-r:System.ServiceModel,System.Runtime.Serialization"
    bench.run("mcs", libraries, "-out:client.exe", "proxy.cs", client)
    return ["mono", bench.folder / "client.exe", bench.wsdl.removesuffix("?wsdl")]


# The argument `xml` of Exchange is a name of the contract.
_XML_NAME = r".*\*WARNING\*: identifier 'xml' starts with or embeds 'xml' .*"
TOOLKITS = [
    *(Toolkit("zeep", path, python("zeep")) for path in ("soap", "soap12")),
    *(Toolkit("suds", path, python("suds")) for path in ("soap", "soap12")),
    *(Toolkit("php", path, php) for path in ("soap", "soap12")),
    *(
        Toolkit(
            "perl",
            path,
            perl(version),
            murmurs=(r"Element 'xml' uses the reserved prefix 'XML' \(in any case\) at .*",),
        )
        for path, version in (("soap", "1.1"), ("soap12", "1.2"))
    ),
    *(Toolkit("soap", path, node("soap")) for path in ("soap", "soap12")),
    *(Toolkit("strong-soap", path, node("strong-soap")) for path in ("soap", "soap12")),
    *(
        Toolkit("gsoap", path, gsoap, (_XML_NAME, r"Compilation successful \(1 warning\)"))
        for path in ("soap", "soap12")
    ),
    *(
        Toolkit(
            "jaxws",
            path,
            jaxws,
            complaints,
            # Debian's SAAJ names its factory by the property of an older release.
            murmurs=(
                r".* javax\.xml\.soap\.FactoryFinder find",
                r"WARNING: Using deprecated META-INF/services mechanism with non-standard .*",
            ),
        )
        for path, complaints in (
            ("soap", ()),
            ("soap12", (r'\[WARNING\] SOAP port "\w+": uses a non-standard SOAP 1\.2 binding\.',)),
        )
    ),
    Toolkit(
        "axis", "soap", axis, (r"Note: Some input files use unchecked or unsafe operations\.",)
    ),
    *(Toolkit("asmx", path, asmx) for path in ("soap", "soap12")),
    *(Toolkit("wcf", path, wcf, cannot_decline=True) for path in ("soap", "soap12")),
]
