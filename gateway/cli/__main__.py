"""`python -m gateway.cli`: the same as `surma`."""

from gateway.cli import main

main()
