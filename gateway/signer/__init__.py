"""The only room with private keys: it gets digests and gives signatures, and never sees a message."""
