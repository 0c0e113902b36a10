"""What the routes of the admin API work with: the database, the token, the publisher.

A change is one transaction, and the answer leaves after the configuration that tells of it is out.
Where it cannot be published, the change stands all the same, and the header
`x-surma-publication` says what is missing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from fastapi import Request
from sqlalchemy import Connection

from central_services.configuration_source.publisher import Publisher, PublishingImpossible
from central_services.configuration_source.software_token import SoftwareToken
from central_services.registry import store
from central_services.settings import CentralSettings
from gateway.runtime import texts
from gateway.runtime.admin_api import add_header
from gateway.runtime.clock import Clock
from gateway.runtime.database import Database

log = logging.getLogger(__name__)

T = TypeVar("T")

PUBLICATION_HEADER: Final = "x-surma-publication"


@dataclass(frozen=True, slots=True)
class Central:
    """The parts of a running central server that its admin API needs."""

    database: Database
    token: SoftwareToken
    publisher: Publisher
    clock: Clock
    settings: CentralSettings
    management_certificate: Path
    configuration_port: Callable[[], int]

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Ask the database in a worker thread."""

        def run() -> T:
            with self.database.reading() as tx:
                return work(tx)

        return await asyncio.to_thread(run)

    async def change(self, request: Request, work: Callable[[Connection], T]) -> T:
        """Do `work` in one transaction, then publish."""

        def run() -> T:
            with self.database.transaction() as tx:
                result = work(tx)
                store.bump_version(tx)
                return result

        result = await asyncio.to_thread(run)
        await self.publish(request)
        return result

    async def publish(self, request: Request) -> None:
        """Publish, and say in the answer's header how that went."""
        try:
            publication = await self.publisher.publish()
        except PublishingImpossible as reason:
            add_header(request, PUBLICATION_HEADER, f"waiting; {texts.render(reason.text_id, reason.facts)}")
        except Exception as failure:  # the change is committed: say so, and let the next minute try again
            log.exception("configuration could not be published")
            said = texts.render("central.publishing_failed", {"reason": type(failure).__name__})
            add_header(request, PUBLICATION_HEADER, f"failed; {said}")
        else:
            add_header(request, PUBLICATION_HEADER, f"published; {publication.name}")
