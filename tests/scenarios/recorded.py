"""The landscape of the recordings: the instance, members and servers whose names stand in the recorded bytes."""

from __future__ import annotations

import dataclasses
from typing import Final

from gateway.landscape.description import (
    Landscape,
    Member,
    MemberClass,
    Registry,
    Server,
    ServerClient,
    Service,
)
from gateway.settings import FaultSettings, GatewaySettings

CLIENT: Final = "GOV/1001/client"
OTHER: Final = "GOV/1001/other"
INTER: Final = "ORG/3003/inter"
PROVIDER: Final = "COM/2002/service"
EVERYBODY: Final = (CLIENT, OTHER, INTER)
NOTICE: Final = "Out of service until spring"


def recorded_landscape(landscape: Landscape, registry: tuple[Registry, ...], service: tuple[Service, ...]) -> Landscape:
    """Return `landscape` with the recorded names: SS1 and SS3 ask, SS2 answers for these services."""
    return dataclasses.replace(
        landscape,
        instance="TEST",
        management_provider="GOV/1099/management",
        member_class=tuple(MemberClass(code, code) for code in ("GOV", "COM", "ORG")),
        member=(
            Member("GOV/1001", "Consumer", ("client", "other")),
            Member("COM/2002", "Provider", ("service",)),
            Member("ORG/3003", "Third", ("inter",)),
            Member("GOV/1099", "Without a server", ("management",)),
        ),
        server=(
            Server("SS1", "GOV/1001", "127.0.7.1", (ServerClient(CLIENT), ServerClient(OTHER))),
            Server("SS2", "COM/2002", "127.0.7.2", (ServerClient(PROVIDER),)),
            Server("SS3", "ORG/3003", "127.0.7.4", (ServerClient(INTER),)),
        ),
        registry=registry,
        service=service,
    )


def in_the_old_spelling(settings: GatewaySettings) -> GatewaySettings:
    """Print codes as the recorded release did, so that they can be compared as they stand."""
    return dataclasses.replace(settings, faults=FaultSettings(spelling="CamelCase"))
