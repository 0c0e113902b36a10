"""`python -m registry_adapters.citizen`: the same verbs as `surma citizen`."""

from registry_adapters.cli.citizen_cli import app

app()
