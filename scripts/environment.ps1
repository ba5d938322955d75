# Dot-sourced by run.ps1 and test.ps1: makes .venv as the lock says ("run" or "dev").

function Find-Python {
    $probe = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
    foreach ($name in @($env:PYTHON, '.venv\Scripts\python.exe', 'python', 'py', 'python3')) {
        if (-not $name -or -not (Get-Command $name -ErrorAction SilentlyContinue)) { continue }
        & $name -c $probe 2>$null | Out-Null
        if ($LASTEXITCODE -eq 0) { return $name }
    }
    Write-Error 'Python 3.11 or newer is needed, and none was found. Or set $env:PYTHON to one.'
    exit 1
}

function Set-Environment([string] $kind) {
    & (Find-Python) scripts\environment.py $kind
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}
