"""`python -m registry_adapters.snap`: the same verbs as `surma snap`."""

from registry_adapters.cli.snap_cli import app

app()
