"""Schema of the signer."""
