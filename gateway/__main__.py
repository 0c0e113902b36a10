"""`python -m gateway`: the same as `surma gateway`."""

from gateway.cli.gateway import app

app()
