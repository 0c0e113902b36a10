"""The addresses that are published, from the one address of the central server.

It may carry a port of its own; where it does not, the configuration port stands in, unless it is the
one that needs no saying. Services on other ports take the host alone.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from central_services.configuration_source.model import SourceType


def host_of(address: str) -> str:
    """Return the host of `host[:port]`; an IPv6 host keeps its brackets."""
    parts = urlsplit(f"//{address}")
    host = parts.hostname or address
    return f"[{host}]" if ":" in host else host


def source_address(address: str, port: int) -> str:
    """Return `host[:port]` as shared parameters name the source."""
    if _port_of(address) is not None or port == 80:
        return address
    return f"{address}:{port}"


def source_urls(address: str, source: SourceType, port: int, https_port: int | None) -> tuple[str, ...]:
    """Return the addresses an anchor lists: http first, then https where it is served."""
    urls = [f"http://{source_address(address, port)}/{source.directory}"]
    if https_port is not None:
        where = host_of(address) if https_port == 443 else f"{host_of(address)}:{https_port}"
        urls.append(f"https://{where}/{source.directory}")
    return tuple(urls)


def is_address(text: str) -> bool:
    """Tell whether `text` is `host[:port]` and nothing more."""
    try:
        parts = urlsplit(f"//{text}")
        plain = not (parts.path or parts.query or parts.fragment or parts.username or "@" in text)
        return plain and bool(parts.hostname) and parts.port != 0 and not any(c.isspace() for c in text)
    except ValueError:
        return False


def _port_of(address: str) -> int | None:
    return urlsplit(f"//{address}").port
