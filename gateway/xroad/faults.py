"""Faults: one family, grouped by who must act.

    XRoadFault
      MalformedMessage          the sender's bytes
      AccessRefused             the caller's rights
      SignatureRefused          the proof
      ConfigurationUnusable     our trust
      SigningUnavailable        our keys
      LoggingUnavailable        our evidence
      ServiceFailed             the information system or the wire behind us
      RemoteFault               a fault that arrived from the other server; relayed untouched

A fault carries a dotted code without origin, a text id and facts; the edge of a proxy adds the
origin and renders the sentence. Two spellings of codes are alive: releases up to 7.7 write
`Server.ServerProxy.AccessDenied`, 7.8 writes `server.serverproxy.access_denied` (X-Road
ErrorCodes.java, ErrorCode.java). We keep the new one inside, print either, and treat a peer's
unknown code as opaque.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import TracebackType
from typing import Final, Self

# New spelling -> old spelling, where the old one is not simply CamelCase of the new one.
_IRREGULAR: Final = {
    "clientproxy": "ClientProxy",
    "serverproxy": "ServerProxy",
    "global_conf_outdated": "OutdatedGlobalConf",
    "hashchain_unused_inputs": "HashChainUnusedInputs",
    "hsm_non_operational": "HSMNonOperational",
    "io_error": "IOError",
    "token_readonly": "TokenReadOnly",
}

# Every segment of a code that X-Road 7.2 to 7.8 can print.
_REGULAR: Final = """
access_denied action_not_possible adapter_wsdl_not_found anchor_file_not_found api_key_not_found
asic_hash_chain_not_found asic_hash_chain_result_not_found asic_invalid_container asic_invalid_mime_type
asic_manifest_not_found asic_message_not_found asic_mime_type_not_found asic_signature_not_found
asic_timestamp_not_found bad_request cannot_create_cert_path cannot_create_signature cannot_find_member
cannot_get_member_id_from_certificate cannot_sign cert_exists cert_import_failed cert_not_found cert_validation
cert_validity_time certificate_authority_not_found client client_not_found client_proxy_version_not_supported
conf_download_failed conf_verification cryptography_error csr_not_found database_error duplicate_entry
duplicate_header_field endpoint_not_found failed_to_delete_key failed_to_generate_certificate_request
failed_to_generate_private_key failed_to_generate_public_key global_conf_download_url_connection_failure
global_conf_get_version_failed global_conf_header_field_missing global_conf_header_field_missing_parameter
global_conf_header_field_wrong_value global_conf_missing_signed_data global_conf_missing_signed_data_expiration_date
global_conf_missing_verification_cert global_conf_parsing_downloaded_conf_directory_failure
global_conf_part_download_failure global_conf_part_downloaded_file_integrity_failure
global_conf_part_downloaded_hash_failure global_conf_part_file_expiration_date_update_failure
global_conf_part_file_hash_failure global_conf_part_file_save_failure global_conf_part_invalid_instance_identifier
global_conf_signature_decode_failure global_conf_signature_verification_failure http_error inconsistent_headers
inconsistent_response incorrect_certificate incorrect_validation_info internal_error invalid_body invalid_cert_path
invalid_certificate invalid_characters invalid_client_identifier invalid_content_type invalid_distinguished_name
invalid_encoded_id invalid_hash_chain invalid_hash_chain_ref invalid_http_method invalid_message invalid_parameters
invalid_protocol_version invalid_reference invalid_request invalid_response invalid_rest invalid_security_server
invalid_signature_value invalid_soap invalid_soap_action invalid_url invalid_xml key_not_available key_not_found
logging_failed login_failed logout_failed maintenance_mode malformed_anchor malformed_global_conf malformed_hash_chain
malformed_key_conf malformed_optional_parts_conf malformed_server_conf malformed_signature malformed_soap
mime_parsing_failed missing_body missing_header missing_header_field missing_rest missing_signature missing_soap
missing_validation_info mlog adding_signature_to_ts_token_failed calculating_message_digest_failed
failed_to_build_signature_hash_chain failed_to_prepare_signature_data log_manager_unavailable
malformed_timestamp_server_url message_log_record_not_found no_log_records_specified no_signature_hashes_specified
no_timestamping_provider_found reading_timestamp_response_failed timestamp_non_granted_response
timestamp_provider_connection_failed timestamp_record_save_failure timestamp_request_timed_out
timestamp_response_object_creation_failed timestamp_response_validation_failed timestamp_signer_verification_failed
timestamp_token_encoding_failed timestamp_token_signer_info_not_found timestamping_non_ok_response
tsp_certificate_not_found updating_message_signature_failed network_error not_found ocsp_connection_error ocsp_failed
ocsp_response_parsing_failure ocsp_response_verification_failure pin_incorrect security_category
security_server_not_found server service_disabled service_failed service_malformed_url service_missing_url
service_not_found service_type signature_verification signer ssl_authentication_failed timestamp_validation
timestamper_failed timestamping_failed token_not_active token_not_available token_not_found token_not_initialized
token_pin_policy_failure token_weak_pin unknown_host unknown_member unknown_service unsupported_algorithm
unsupported_sign_algorithm validation_error wrong_cert_usage
"""


def _camel(segment: str) -> str:
    return "".join(word.capitalize() for word in segment.split("_"))


CATALOGUE: Final[Mapping[str, str]] = {**{name: _camel(name) for name in _REGULAR.split()}, **_IRREGULAR}
_FROM_OLD: Final[Mapping[str, str]] = {old: new for new, old in CATALOGUE.items()}


class Spelling(Enum):
    """How codes are printed: as release 7.8 does, or as every release before it did."""

    SNAKE_CASE = "snake_case"
    CAMEL_CASE = "CamelCase"


def spell(code: str, spelling: Spelling) -> str:
    """Print a dotted code in one spelling; segments nobody knows stay as they are."""
    names = CATALOGUE if spelling is Spelling.CAMEL_CASE else _FROM_OLD
    return ".".join(names.get(segment, segment) for segment in code.split("."))


def is_server_code(code: str) -> bool:
    """Tell whether a code says that a server failed, in either spelling (PR-REST 4.6)."""
    return code.split(".", 1)[0] in ("server", "Server")


class Party(Enum):
    """Whose bytes or doing a step of an exchange deals with."""

    CLIENT = "client"
    SERVICE = "service"


class XRoadFault(Exception):  # noqa: N818  the field says fault
    """A refusal or failure, with the code it has on the wire.

    `code` is a dotted code without origin in the new spelling, `text_id` names the sentence for
    people, `facts` fill it: identifiers and measured values, never contents of a body.
    """

    def __init__(self, code: str, text_id: str, /, **facts: object) -> None:
        unknown = [segment for segment in code.split(".") if segment not in CATALOGUE]
        if unknown:
            raise RuntimeError(f"fault code {code} has segments outside the catalogue: {unknown}")
        super().__init__(code, text_id, facts)
        self.code = code
        self.text_id = text_id
        self.facts: Mapping[str, object] = facts
        self.party: Party | None = None

    def within(self, group: str) -> Self:
        """Put the code under `group`, once: `signature_verification.invalid_signature_value`."""
        if self.code.split(".", 1)[0] != group:
            self.code = f"{group}.{self.code}"
        return self

    def __str__(self) -> str:
        facts = " ".join(f"{name}={value!s}" for name, value in self.facts.items())
        return f"{self.code} ({self.text_id}) {facts}".rstrip()


class MalformedMessage(XRoadFault):
    """The sender's bytes are not what the protocol says."""


class AccessRefused(XRoadFault):
    """The caller may not do this, or nobody knows who or what it names."""


class SignatureRefused(XRoadFault):
    """A signature, certificate, certificate status, hash chain or time-stamp does not hold."""


class ConfigurationUnusable(XRoadFault):
    """Our global configuration is missing, outdated or not authentic."""


class SigningUnavailable(XRoadFault):
    """Our keys, certificates or their status cannot be used."""


class LoggingUnavailable(XRoadFault):
    """Evidence cannot be kept, so nothing may be exchanged."""


class ServiceFailed(XRoadFault):
    """The information system or the network behind us failed."""


class RemoteFault(Exception):  # noqa: N818
    """A fault that arrived from the other side; `raw` is relayed byte for byte.

    `code` is the sender's, in any spelling, and opaque. `text` and `detail` are as the sender wrote them.
    """

    def __init__(self, code: str, text: str, detail: str, raw: bytes, content_type: str = "text/xml") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.detail = detail
        self.raw = raw
        self.content_type = content_type


class blame:  # noqa: N801  it is used like a function
    """Say whose bytes the enclosed steps read; the innermost word counts."""

    __slots__ = ("_party",)

    def __init__(self, party: Party) -> None:
        self._party = party

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put the word on a fault that came out."""
        if isinstance(fault, XRoadFault) and fault.party is None:
            fault.party = self._party
