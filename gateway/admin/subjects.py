"""Service clients: the subjects of rights, as the admin API names them (X-Road ServiceClientHelper.java).

A subsystem or member by its encoded id, a global group as `INST:code`, a local group of the provider
by its number. Only somebody who exists can be given a right, so that a misspelt name is noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from gateway.admin.deps import AdminDeps
from gateway.admin.ids import row_id, show_ms
from gateway.runtime.admin_api import bad_request, decode_id, encode_id, not_found
from gateway.serverconf import store_groups
from gateway.serverconf.model import LocalGroup, Subject
from gateway.xroad.identifiers import ClientId, GlobalGroupId, LocalGroupId, client_of


@dataclass(frozen=True, slots=True)
class Subjects:
    """The service clients that one provider may give rights to."""

    deps: AdminDeps
    tx: Connection
    provider: ClientId

    def read(self, text: str, kind: str | None = None) -> Subject:
        """Return the subject that an id names. Raises ApiError: 400 for its form, 404 for a local group."""
        parts = decode_id(text, 1, 2, 3, 4)
        subject: Subject
        if len(parts) == 1:
            subject = LocalGroupId(self._local_group(text).code)
        elif len(parts) == 2:
            subject = GlobalGroupId(*parts)
        else:
            subject = client_of(parts)
        if kind is not None and kind != subject.object_type:
            raise bad_request("invalid_service_client_type", kind)
        return subject

    def require(self, subject: Subject) -> Subject:
        """Return a subject that exists. Raises ApiError (404)."""
        globalconf = self.deps.find_globalconf()
        if isinstance(subject, LocalGroupId):
            return subject
        if isinstance(subject, GlobalGroupId):
            exists = globalconf is not None and globalconf.group(subject) is not None
        else:
            known = globalconf is not None and globalconf.is_known(subject)
            exists = known or self.deps.registrations.current().find_client(subject) is not None
        if not exists:
            raise not_found("service_client_not_found", encode_id(subject.parts))
        return subject

    def show(self, subject: Subject, given_at_ms: int | None = None) -> dict[str, Any]:
        """Return a subject as the API shows it, with the time of its right if it has one."""
        shown: dict[str, Any] = {
            "id": encode_id(subject.parts),
            "name": self._name(subject) or "",
            "service_client_type": subject.object_type,
        }
        if isinstance(subject, LocalGroupId):
            shown["id"] = str(next((g.id for g in self._local_groups() if g.code == subject.group_code), ""))
            shown["local_group_code"] = subject.group_code
        if given_at_ms is not None:
            shown["rights_given_at"] = show_ms(given_at_ms)
        return shown

    def candidates(self) -> list[Subject]:
        """Return everybody whom the provider could give a right to."""
        groups: list[Subject] = [LocalGroupId(group.code) for group in self._local_groups()]
        globalconf = self.deps.find_globalconf()
        if globalconf is None:
            return groups
        subsystems = [client for client in globalconf.clients() if client.subsystem_code is not None]
        return [*subsystems, *(group.id for group in globalconf.groups()), *groups]

    def _name(self, subject: Subject) -> str | None:
        if isinstance(subject, LocalGroupId):
            return next((g.description for g in self._local_groups() if g.code == subject.group_code), None)
        globalconf = self.deps.find_globalconf()
        if globalconf is None:
            return None
        if isinstance(subject, GlobalGroupId):
            group = globalconf.group(subject)
            return None if group is None else group.description
        return globalconf.member_name(subject)

    def _local_groups(self) -> tuple[LocalGroup, ...]:
        return store_groups.list_local_groups(self.tx, self.provider)

    def _local_group(self, text: str) -> LocalGroup:
        number = row_id(text)
        for group in self._local_groups():
            if group.id == number:
                return group
        raise not_found("service_client_not_found", text)
