"""Settings of the test identity provider: table `identity` of `citizen.toml` (`CITIZEN_IDENTITY__PORT`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """A site that may send people here, and the addresses they go back to."""

    client_id: str
    redirect_uris: tuple[str, ...]
    client_secret: str = ""  # empty: a public client
    post_logout_redirect_uris: tuple[str, ...] = ()


DEMO_CLIENT: Final = ClientSettings(
    "surma-citizen",
    redirect_uris=("http://127.0.5.1:8450/login/callback",),
    post_logout_redirect_uris=("http://127.0.5.1:8450/signed-out",),
)


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """What the provider is told."""

    host: str = "127.0.5.3"
    port: int = 8460
    issuer: str = ""  # empty: the address it is asked at
    seed: int = 1  # whose well-known persons are listed: those of the registries with the same seed
    clients: tuple[ClientSettings, ...] = (DEMO_CLIENT,)

    def client(self, client_id: str) -> ClientSettings | None:
        """Return a client by its identifier."""
        return next((client for client in self.clients if client.client_id == client_id), None)
