"""Evidence on the ports of information systems: `/asic`, `/signature` and `/verificationconf`.

`/asic` answers as the reference (X-Road AsicContainerClientRequestProcessor.java), `/signature` as
Trembita: it stamps on the spot, so that evidence can be had the moment the answer is out. Both follow
the connection type of the client they are asked for and look among that client's records only.
Errors are plain text with an HTTP status.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from gateway.consumer.clients import check_connection
from gateway.exchange.ports import Registrations
from gateway.exchange.requests import InboundRequest, OutboundResponse
from gateway.runtime.texts import choose_language, render
from gateway.xroad.faults import AccessRefused, ConfigurationUnusable, LoggingUnavailable, MalformedMessage
from gateway.xroad.identifiers import ClientId, MemberId, SubsystemId

ASIC: Final = "/asic"
SIGNATURE: Final = "/signature"
VERIFICATION_CONF: Final = "/verificationconf"
CONTAINER_TYPE: Final = "application/vnd.etsi.asic-e+zip"
_CLIENT_PARAMETERS: Final = ("xRoadInstance", "memberClass", "memberCode")


class Document(Protocol):
    """A signed document ready to be downloaded."""

    @property
    def name(self) -> str:
        """The file name."""
        ...

    @property
    def container(self) -> bytes:
        """The ASiC-E container."""
        ...


class VerifiedConfiguration(Protocol):
    """The configuration client as far as `/verificationconf` asks it."""

    def verification_conf(self) -> bytes:
        """Return the zip of the shared parameters. Raises ConfigurationUnusable when there are none."""
        ...


class Documents(Protocol):
    """The message log as far as evidence is asked of it."""

    async def find(self, client: ClientId, query_id: str, *, response: bool | None) -> Sequence[int]:
        """Return the sequence numbers of this client's records, oldest first."""
        ...

    async def has_unstamped(self, records: Sequence[int]) -> bool:
        """Tell whether a record still waits for its time-stamp."""
        ...

    async def stamp(self, records: Sequence[int]) -> None:
        """Time-stamp on the spot what is not stamped yet. Raises LoggingUnavailable."""
        ...

    async def build(self, records: Sequence[int]) -> Sequence[Document]:
        """Return one signed document per record."""
        ...

    def zip(self, documents: Sequence[Any]) -> bytes:
        """Return all documents in one zip file."""
        ...


class Archived(Protocol):
    """The archives as far as they are asked about documents that are not in the log any more."""

    async def is_archived(self, client: ClientId, query_id: str) -> bool:
        """Tell whether documents of this client, and of nobody else, went into an archive."""
        ...


class _RefusalError(Exception):
    def __init__(self, status: int, text_id: str, **facts: object) -> None:
        super().__init__(status, text_id)
        self.status = status
        self.text_id = text_id
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Question:
    """What evidence is asked for."""

    client: ClientId
    query_id: str
    response: bool | None
    unique: bool
    force: bool


class Evidence:
    """The handler of the three paths."""

    paths: Final = frozenset({ASIC, SIGNATURE, VERIFICATION_CONF})

    def __init__(
        self,
        documents: Documents,
        registrations: Registrations,
        configuration: VerifiedConfiguration,
        *,
        language: str,
        internal_certificate: bytes | None,
        archived: Archived | None = None,
    ) -> None:
        self._documents = documents
        self._archived = archived
        self._registrations = registrations
        self._configuration = configuration
        self._language = language
        self._internal_certificate = internal_certificate

    async def answer(self, path: str, request: InboundRequest) -> OutboundResponse:
        """Answer a GET; every refusal says who must do what."""
        language = choose_language(request.header("accept-language"), self._language)
        try:
            if request.method != "GET":
                raise _RefusalError(405, "evidence.method", path=path)
            if path == VERIFICATION_CONF:
                return self._verification_conf()
            return await self._documents_for(path, request)
        except _RefusalError as refusal:
            return _plain(refusal.status, render(refusal.text_id, refusal.facts, language))
        except AccessRefused as refused:
            return _plain(401, render(refused.text_id, refused.facts, language))
        except (LoggingUnavailable, ConfigurationUnusable) as unavailable:
            return _plain(500, render(unavailable.text_id, unavailable.facts, language))

    def _verification_conf(self) -> OutboundResponse:
        # Answered with whatever was verified last, outdated or not (X-Road: not gated by validity).
        return _download(self._configuration.verification_conf(), "application/zip", "verificationconf.zip")

    async def _documents_for(self, path: str, request: InboundRequest) -> OutboundResponse:
        question = read_question(path, request.target.partition("?")[2])
        local = self._registrations.current().find_client(question.client)
        if local is None:
            raise _RefusalError(404, "evidence.unknown_client", client=question.client)
        check_connection(local, request, self._internal_certificate)
        records = await self._find(question)
        if not records:
            raise await self._absence(question)
        if question.unique and len(records) != 1:
            raise _RefusalError(400, "evidence.not_unique", count=len(records))
        if question.force:
            await self._documents.stamp(records)
        elif await self._documents.has_unstamped(records):
            raise _RefusalError(500, "evidence.not_stamped")
        documents = await self._documents.build(records)
        if len(documents) == 1 and (question.unique or path == SIGNATURE):
            return _download(documents[0].container, CONTAINER_TYPE, documents[0].name)
        return _download(self._documents.zip(documents), "application/zip", _archive_name(question))

    async def _absence(self, question: Question) -> _RefusalError:
        is_archived = self._archived is not None and await self._archived.is_archived(
            question.client, question.query_id
        )
        text_id = "evidence.archived" if is_archived else "evidence.not_found"
        return _RefusalError(404, text_id, client=question.client, query_id=question.query_id)

    async def _find(self, question: Question) -> Sequence[int]:
        records = await self._documents.find(question.client, question.query_id, response=question.response)
        if not records and not question.query_id.isascii():
            # An id that came as an HTTP header is kept as HTTP reads it, one character a byte of its UTF-8.
            as_header = question.query_id.encode("utf-8", "replace").decode("latin-1")
            records = await self._documents.find(question.client, as_header, response=question.response)
        return records


def read_question(path: str, query: str) -> Question:
    """Read the query of `/asic` or `/signature`; flags count when they are present."""
    parameters = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    for name in (*_CLIENT_PARAMETERS, "queryId"):
        if not parameters.get(name):
            raise _RefusalError(400, "evidence.missing_parameter", name=name)
    only_request, only_response = "requestOnly" in parameters, "responseOnly" in parameters
    unique = "unique" in parameters
    if (only_request and only_response) or (unique and not (only_request or only_response)):
        raise _RefusalError(400, "evidence.contradiction")
    try:
        member = MemberId(*(parameters[name] for name in _CLIENT_PARAMETERS))
        subsystem = parameters.get("subsystemCode")
        client: ClientId = SubsystemId(member, subsystem) if subsystem else member
    except MalformedMessage as fault:
        raise _RefusalError(400, fault.text_id, **fault.facts) from None
    return Question(
        client,
        parameters["queryId"],
        True if only_response else False if only_request else None,
        unique,
        "force" in parameters or path == SIGNATURE,
    )


def _archive_name(question: Question) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in question.query_id)[:100]
    return f"asic-{kept}.zip"


def _download(body: bytes, content_type: str, name: str) -> OutboundResponse:
    headers = (("Content-Type", content_type), ("Content-Disposition", f'attachment; filename="{name}"'))
    return OutboundResponse(200, headers, body, len(body))


def _plain(status: int, text: str) -> OutboundResponse:
    body = text.encode()
    return OutboundResponse(status, (("Content-Type", "text/plain; charset=utf-8"),), body, len(body))
