"""The programs with pages for people: how each is started, and who may sign in.

They are information systems: each asks through the security server of its subsystem.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.landscape.description import Landscape, Portal, Registry

SNAP_CLIENT: Final = "GOV/10000001/SNAP"
CITIZEN_CLIENT: Final = "GOV/10000007/CITIZEN"
CROSS_CHECK: Final = "crosscheck"
CROSS_CHECK_CLIENT: Final = "GOV/10000007/CROSS-CHECK"
# A demonstration does not wait a minute for the incomes that the tax registry works out.
INCOME_DELAY_S: Final = "3"

COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "snap": ("registry_adapters.snap", "serve"),
    "citizen": ("registry_adapters.citizen", "serve", "--with-identity"),
}
# Which program serves the pages that have none of their own.
PROGRAM_OF: Final[Mapping[str, str]] = {"holders": "citizen", "identity": "citizen"}
URLS: Final[Mapping[str, str]] = {"snap": "https", "citizen": "http", "holders": "http", "identity": "http"}


def url_of(portal: Portal) -> str:
    """Return where a browser finds a portal."""
    return f"{URLS[portal.name]}://{portal.address}:{portal.port}"


def environment_of(landscape: Landscape, name: str) -> dict[str, str]:
    """Return the settings of a portal's program in this landscape, as far as the environment holds them."""
    portal = landscape.portal_named(name)
    if portal is None or name != "snap":
        return {}
    return {
        "SNAP_LISTEN__HOST": portal.address,
        "SNAP_LISTEN__PORT": str(portal.port),
        "SNAP_SECURITY_SERVER__URL": _security_server(landscape, SNAP_CLIENT),
        "SNAP_SECURITY_SERVER__INSTANCE": landscape.instance,
        "SNAP_SECURITY_SERVER__CLIENT": SNAP_CLIENT,
    }


def citizen_settings(landscape: Landscape) -> str:
    """Return `citizen.toml`: site, holders and test identity provider know each other's addresses."""
    identity, citizen, holders = (landscape.portal_named(name) for name in ("identity", "citizen", "holders"))
    lines = ["[site]", f'client = "{landscape.instance}/{CITIZEN_CLIENT}"']
    if citizen is not None:
        lines += [*_listen(citizen), f'security_server = "{_security_server(landscape, CITIZEN_CLIENT)}"']
    if holders is not None:
        lines += _listen(holders, "holders_")
    if identity is not None:
        lines += ["[site.oidc]", f'issuer = "{url_of(identity)}"', "[identity]", *_listen(identity)]
    if identity is not None and citizen is not None:
        lines += [
            "[[identity.clients]]",
            'client_id = "surma-citizen"',
            f'redirect_uris = ["{url_of(citizen)}/login/callback"]',
            f'post_logout_redirect_uris = ["{url_of(citizen)}/signed-out"]',
        ]
    return "\n".join(lines) + "\n"


def _listen(portal: Portal, prefix: str = "") -> list[str]:
    return [f'{prefix}host = "{portal.address}"', f"{prefix}port = {portal.port}"]


def environment_of_registry(landscape: Landscape, registry: Registry) -> dict[str, str]:
    """Return the settings of a registry in this landscape."""
    own = {"HOST": registry.address, "PORT": str(registry.port), "PERSONS": str(landscape.persons)}
    if registry.name == CROSS_CHECK:
        own["SECURITY_SERVER_URL"] = _security_server(landscape, CROSS_CHECK_CLIENT)
        own["CLIENT"] = f"{landscape.instance}/{CROSS_CHECK_CLIENT}"
    if registry.name == "tax":
        own["INCOME_DELAY_S"] = INCOME_DELAY_S
    return {f"REGISTRY_{registry.name.upper()}__{key}": value for key, value in own.items()}


def _security_server(landscape: Landscape, client: str) -> str:
    server = landscape.server_of(client)
    return f"http://{server.address}:{server.http_port}"
