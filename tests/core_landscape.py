"""The part of `config/landscape.toml` that a message needs: two security servers and the demographic registry."""

from __future__ import annotations

import dataclasses

from gateway.landscape.description import Landscape, Member, read_landscape

SERVERS = ("SS-SNAP", "SS-DMS")
CLIENTS = ("GOV/10000001/SNAP", "GOV/10000002/DEMOGRAPHIC")
REGISTRY = "demographic"
CODES = (None, "persons")


def core_landscape() -> Landscape:
    """Return the landscape with what goes from the one server to the registry of the other, and nothing else."""
    whole = read_landscape()
    members = {client.rpartition("/")[0] for client in CLIENTS} | {whole.management_provider.rpartition("/")[0]}
    return dataclasses.replace(
        whole,
        member=tuple(_with_known_subsystems(one, whole) for one in whole.member if one.id in members),
        server=tuple(
            dataclasses.replace(one, client=tuple(client for client in one.client if client.id in CLIENTS))
            for one in whole.server
            if one.code in SERVERS
        ),
        registry=tuple(one for one in whole.registry if one.name == REGISTRY),
        portal=(),
        clerk=(),
        holder=(),
        service=tuple(
            dataclasses.replace(one, allow=tuple(client for client in one.allow if client in CLIENTS))
            for one in whole.service
            if one.registry == REGISTRY and one.code in CODES
        ),
    )


def _with_known_subsystems(member: Member, whole: Landscape) -> Member:
    known = (*CLIENTS, whole.management_provider)
    return dataclasses.replace(
        member, subsystems=tuple(name for name in member.subsystems if f"{member.id}/{name}" in known)
    )
