# Sourced by run and test: sets PYTHON to an interpreter that can make the environment.

fit() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local name
    for name in "${PYTHON:-}" .venv/bin/python python3 python3.14 python3.13 python3.12 python3.11 \
        python; do
        if [ -n "$name" ] && fit "$name"; then
            PYTHON=$name
            return
        fi
    done
    echo "Python 3.11 or newer with its venv module is needed, and none was found." >&2
    echo "Debian, Ubuntu: apt-get install python3 python3-venv. Or set PYTHON=/path/to/python." >&2
    exit 1
}
