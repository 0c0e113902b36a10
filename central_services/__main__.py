"""`python -m central_services`: the same verbs as `surma central`."""

from __future__ import annotations

from central_services.cli import app

if __name__ == "__main__":
    app()
