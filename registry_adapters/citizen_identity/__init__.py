"""Test identity provider: OpenID Connect for demonstrations and tests, which lets anybody be anybody and says so."""
