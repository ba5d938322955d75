"""Makes `.venv` as the lock says: `python scripts/environment.py run|dev`.

Needs nothing but Python 3.11+ with its venv module. Does nothing when the lock, the project's
metadata and the interpreter are those of the last time (the stamp in `.venv`), so that a second
start costs a few milliseconds. Every package comes with a hash from `requirements/`; what has
to be built is built by the locked setuptools, and the project itself is installed editable.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
OLDEST = (3, 11)

# A lock, and the kinds of environment that it makes: the tests' lock contains the other.
LOCKS = {"run": ("lock.txt", ("run",)), "dev": ("dev.txt", ("run", "dev"))}
WATCHED = (
    "setup.py",
    "pyproject.toml",
    "adapter/__init__.py",
    "requirements/build.txt",
    "requirements/lock.txt",
)


def digest(kind: str) -> str:
    """Of all that decides what is installed."""
    seen = hashlib.sha256(f"{sys.version} {ROOT}".encode())
    for name in (*WATCHED, f"requirements/{LOCKS[kind][0]}"):
        seen.update((ROOT / name).read_bytes())
    return seen.hexdigest()


def stamp(kind: str) -> Path:
    return VENV / f"installed-{kind}"


def installed(kind: str) -> bool:
    if not PYTHON.exists() or not stamp(kind).exists():
        return False
    return stamp(kind).read_text(encoding="utf-8") == digest(kind)


def pip(*arguments: str) -> None:
    """Tells errors only. Raises CalledProcessError; pip itself has said why."""
    subprocess.run(
        [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *arguments],
        check=True,
        cwd=ROOT,
    )


def install(kind: str) -> None:
    lock, kinds = LOCKS[kind]
    print(f"Installing requirements/{lock} into .venv; the first time takes a minute.", flush=True)
    for each in LOCKS:
        stamp(each).unlink(missing_ok=True)
    pip("--require-hashes", "-r", "requirements/build.txt")
    pip("--require-hashes", "--no-build-isolation", "-r", f"requirements/{lock}")
    pip("--no-deps", "--no-build-isolation", "--no-index", "--editable", ".")
    for each in kinds:
        stamp(each).write_text(digest(each), encoding="utf-8")


def usable() -> bool:
    """Whether `.venv` has an interpreter that starts: a folder that was moved has none."""
    if not PYTHON.exists():
        return False
    probe = f"import pip, sys; sys.exit(sys.version_info < {OLDEST})"
    return subprocess.run([str(PYTHON), "-c", probe], capture_output=True).returncode == 0


def main(kind: str) -> int:
    if sys.version_info < OLDEST:
        print(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    if Path(sys.prefix).resolve() != VENV.resolve() and not usable():
        print("Creating .venv.", flush=True)
        venv.EnvBuilder(with_pip=True, clear=True, symlinks=os.name != "nt").create(VENV)
    if installed(kind):
        return 0
    try:
        install(kind)
    except subprocess.CalledProcessError as error:
        print(f"Installing failed (pip's exit status {error.returncode}).", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in [[kind] for kind in LOCKS]:
        print(f"usage: {Path(sys.argv[0]).name} {'|'.join(LOCKS)}", file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1]))
