"""Part kinds of a transport message and their legal order, as one table (PR-MESSTRANSP 3.1).

Types are compared without parameters and without regard to case. A fault may stand where a message or
a signature could; nothing may follow the signature (X-Road ProxyMessageDecoder.java).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum, auto
from typing import Final


class Kind(StrEnum):
    """What a part is, by its media type."""

    OCSP = "application/ocsp-response"
    SOAP = "text/xml"
    SOAP_XOP = "application/xop+xml"
    REST_REQUEST = "application/x-road-rest-request"
    REST_RESPONSE = "application/x-road-rest-response"
    REST_BODY = "application/x-road-rest-body"
    ATTACHMENTS = "multipart/mixed"
    HASH_CHAIN_RESULT = "application/hash-chain-result"
    HASH_CHAIN = "application/hash-chain"
    SIGNATURE = "signature/bdoc-1.0/ts"


class Place(IntEnum):
    """Where in the message the reader is: what it waits for."""

    MESSAGE = auto()
    SOAP_REST = auto()
    REST_REST = auto()
    PROOF = auto()
    HASH_CHAIN = auto()
    SIGNATURE = auto()
    END = auto()


# In the SOAP media type's second meaning, at the places of a signature, the part is a fault.
ORDER: Final[dict[Place, dict[Kind, Place]]] = {
    Place.MESSAGE: {
        Kind.OCSP: Place.MESSAGE,
        Kind.SOAP: Place.SOAP_REST,
        Kind.SOAP_XOP: Place.SOAP_REST,
        Kind.REST_REQUEST: Place.REST_REST,
        Kind.REST_RESPONSE: Place.REST_REST,
    },
    Place.SOAP_REST: {
        Kind.ATTACHMENTS: Place.PROOF,
        Kind.HASH_CHAIN_RESULT: Place.HASH_CHAIN,
        Kind.SIGNATURE: Place.END,
        Kind.SOAP: Place.END,
    },
    Place.REST_REST: {
        Kind.REST_BODY: Place.PROOF,
        Kind.HASH_CHAIN_RESULT: Place.HASH_CHAIN,
        Kind.SIGNATURE: Place.END,
        Kind.SOAP: Place.END,
    },
    Place.PROOF: {
        Kind.HASH_CHAIN_RESULT: Place.HASH_CHAIN,
        Kind.SIGNATURE: Place.END,
        Kind.SOAP: Place.END,
    },
    Place.HASH_CHAIN: {Kind.HASH_CHAIN: Place.SIGNATURE, Kind.SOAP: Place.END},
    Place.SIGNATURE: {Kind.SIGNATURE: Place.END, Kind.SOAP: Place.END},
    Place.END: {},
}

# SOAP 1.2 stands where SOAP 1.1 does. Peers of the field refuse it as an unknown type; two of ours take it.
KINDS: Final = {**{kind.value: kind for kind in Kind}, "application/soap+xml": Kind.SOAP}
FAULT_PART_TYPE: Final = "text/xml; charset=UTF-8"
