# Sets everything up on a machine with Python 3.11+ and starts the demo:
#   .\scripts\run.ps1                    a node on conf/demo/adapter.xml, with simulated carriers
#   .\scripts\run.ps1 --config FILE      a node on another configuration, and nothing beside it
$ErrorActionPreference = 'Stop'
$python = '.venv\Scripts\python.exe'
$rest = @($args)
if ($rest.Count -ge 2 -and $rest[0] -eq '--config') {
    $command = @('-m', 'adapter', 'run', (Resolve-Path $rest[1]).Path) + @($rest | Select-Object -Skip 2)
} else {
    $command = @('-m', 'adapter.demo') + $rest
}
Push-Location (Split-Path $PSScriptRoot)
try {
    . .\scripts\environment.ps1
    Set-Environment run
    & $python @command
    exit $LASTEXITCODE
} finally {
    Pop-Location
}
