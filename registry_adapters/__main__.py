"""`python -m registry_adapters`: the same verbs as `surma registry`."""

from registry_adapters.cli import app

app()
