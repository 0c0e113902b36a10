"""Registries behind the gateway, on one small SDK."""
