"""SOAP messages (PR-MESS)."""
