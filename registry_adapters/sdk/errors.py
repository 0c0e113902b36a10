"""What can go wrong in a registry, by what the asker can do about it; and its SOAP and REST forms.

    RegistryError
      RequestError        ask differently: the message is not what the service takes
        NoSuchOperationError
        TooLargeError
        MethodError
        UnsupportedFormError
        NotUnderstoodError
      RefusedError        the asker may not have this
      UnavailableError    ask again later
      InternalError       our bug; the identifier in the answer stands in our log

"Nobody found" is no error: it is an answer. A text id names the sentence for people in
`runtime/catalogues/registry.toml`, facts fill it; neither holds a value of a person's record.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Final

from gateway.runtime.texts import render
from gateway.xroad.faults import XRoadFault
from gateway.xroad.soap.faults import build_soap_fault

PROBLEM_TYPE: Final = "urn:surma:registry:"


class RegistryError(Exception):
    """A refusal or failure of a registry; the last word of `text_id` is its name on the wire."""

    status = 500
    party = "Server"
    action = "report"

    def __init__(self, text_id: str, /, *, name: str | None = None, **facts: object) -> None:
        super().__init__(text_id, facts)
        self.text_id = text_id
        self.facts = facts
        self.name = name or text_id.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.text_id} {' '.join(f'{name}={value!s}' for name, value in self.facts.items())}".rstrip()


class RequestError(RegistryError):
    """The message is not what the service takes; asking again the same way will not help."""

    status = 400
    party = "Client"
    action = "ask_differently"


class NoSuchOperationError(RequestError):
    """Nothing here has that name or path."""

    status = 404


class TooLargeError(RequestError):
    """The body exceeds what the service reads."""

    status = 413


class MethodError(RequestError):
    """The path is there, the HTTP method is not."""

    status = 405


class UnsupportedFormError(RequestError):
    """The content type is not the service's."""

    status = 415


class NotUnderstoodError(RequestError):
    """A SOAP header block that must be understood is not (SOAP 1.1, 4.2.3)."""

    party = "MustUnderstand"


class RefusedError(RegistryError):
    """The asker may not have what it asks for."""

    status = 403
    party = "Client"
    action = "refused"


class UnavailableError(RegistryError):
    """Something behind the registry does not answer now."""

    status = 503
    action = "retry"


class InternalError(RegistryError):
    """An error nobody foresaw."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error with its place in the log, ready to be written in either form."""

    error: RegistryError
    language: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def sentence(self) -> str:
        """What people read."""
        return render(self.error.text_id, self.error.facts, self.language)

    def as_soap_fault(self) -> bytes:
        """Return a SOAP 1.1 envelope with the fault, in the form X-Road's own tools read."""
        return build_soap_fault(f"{self.error.party}.{self.error.name}", self.sentence, "", self.id)

    def as_document(self) -> dict[str, object]:
        """Return a problem document (RFC 9457)."""
        return {
            "type": PROBLEM_TYPE + self.error.name,
            "title": self.error.name.replace("_", " "),
            "status": self.error.status,
            "detail": self.sentence,
            "instance": f"urn:uuid:{self.id}",
            "action": self.error.action,
        }


def error_of(fault: XRoadFault) -> RequestError:
    """Return what a refusal of the protocol core means here: the sender's message is wrong."""
    return RequestError(fault.text_id, name=fault.code.rpartition(".")[2], **fault.facts)
