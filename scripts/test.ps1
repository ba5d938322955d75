# Sets up, checks the code and runs every test; with arguments, runs pytest with them and nothing
# else:  .\scripts\test.ps1 tests\store -k capacity
$ErrorActionPreference = 'Stop'
$rest = @($args)
Push-Location (Split-Path $PSScriptRoot)
try {
    . .\scripts\environment.ps1
    Set-Environment dev
    $bin = '.venv\Scripts'
    if ($rest.Count -eq 0) {
        foreach ($check in @('ruff.exe check .', 'ruff.exe format --check --quiet .', 'mypy.exe', 'lint-imports.exe --no-logo')) {
            $words = $check -split ' '
            & "$bin\$($words[0])" @($words | Select-Object -Skip 1)
            if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
        }
    }
    $spread = if ($rest.Count -eq 0) { @('--numprocesses', 'logical') } else { @() }
    & "$bin\python.exe" -m pytest @spread @rest
    exit $LASTEXITCODE
} finally {
    Pop-Location
}
