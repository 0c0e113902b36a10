"""Signatures over messages: XAdES and hash chains (PR-SIGDOC)."""
