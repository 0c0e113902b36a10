"""Signed documents: ASiC-E containers."""
