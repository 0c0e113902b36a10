"""The HTTP faces of the test trust services; every root page says what they are not for.

CA port: `GET /` · `GET /<name>.pem|.der` · `POST /sign?usage=sign|auth` (the request as body or as
form field `certreq`; `/testca/sign` is the path that X-Road's own test CA has) · `POST /revoke` ·
`GET /certificates` · OCSP by `POST /` or `/ocsp` and by `GET /ocsp/<base64>`. TSA port: `POST /`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from central_services.trust.authorities import ISSUING, OCSP, ROOT, TSA, Authorities
from central_services.trust.ca import CertificationAuthority, RequestRefused
from central_services.trust.ocsp_responder import OcspResponder
from central_services.trust.tsa import TimestampingAuthority
from gateway.runtime import texts

MAX_BODY: Final = 64 * 1024
_OCSP_REQUEST: Final = "application/ocsp-request"
_OCSP_RESPONSE: Final = "application/ocsp-response"
_TSP_QUERY: Final = "application/timestamp-query"
_TSP_REPLY: Final = "application/timestamp-reply"


class _TooLargeError(Exception):
    pass


async def _body(request: Request) -> bytes:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY:
            raise _TooLargeError
    return data


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _warning(_request: Request) -> Response:
    said = "\n".join(texts.render("trust.tests_only", {}, language) for language in texts.LANGUAGES)
    return PlainTextResponse(said + "\n")


async def _on_too_large(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("Request too large\n", status_code=413)


def create_ca_app(authorities: Authorities, ca: CertificationAuthority, responder: OcspResponder) -> Starlette:
    """Return the application of the CA port."""
    ocsp = _ocsp_answerer(responder)

    async def sign(request: Request) -> Response:
        data, usage = await _certificate_request(request)
        try:
            certificate = await run_in_threadpool(ca.issue, data, usage)
        except RequestRefused as refused:
            return PlainTextResponse(texts.render("trust.bad_request", {"reason": refused}) + "\n", 400)
        return PlainTextResponse(certificate.public_bytes(Encoding.PEM), media_type="application/x-pem-file")

    async def revoke(request: Request) -> Response:
        serial_number = _serial_number(request.query_params.get("serial"), await _body(request))
        if serial_number is not None and await run_in_threadpool(ca.revoke, serial_number):
            return Response(status_code=204)
        shown = "?" if serial_number is None else f"{serial_number:X}"
        return PlainTextResponse(texts.render("trust.unknown_certificate", {"serial": shown}) + "\n", 404)

    async def certificates(_request: Request) -> Response:
        return JSONResponse([_shown(item) for item in await run_in_threadpool(ca.certificates)])

    return Starlette(
        routes=[
            Route("/", _warning, methods=["GET"]),
            Route("/", ocsp, methods=["POST"]),
            Route("/ocsp", ocsp, methods=["POST"]),
            Route("/ocsp/{question:path}", ocsp, methods=["GET"]),
            Route("/sign", sign, methods=["POST"]),
            Route("/testca/sign", sign, methods=["POST"]),
            Route("/revoke", revoke, methods=["POST"]),
            Route("/certificates", certificates, methods=["GET"]),
            Route("/{file}", _certificate_files(authorities), methods=["GET"]),
        ],
        exception_handlers={_TooLargeError: _on_too_large},
    )


def _ocsp_answerer(responder: OcspResponder) -> Callable[[Request], Awaitable[Response]]:
    async def ocsp(request: Request) -> Response:
        if request.method == "POST":
            if _media_type(request) != _OCSP_REQUEST:
                return PlainTextResponse(f"Content-Type must be {_OCSP_REQUEST}\n", 415)
            question = await _body(request)
        else:
            question = _from_path(request.path_params["question"])
        answer = await run_in_threadpool(responder.answer, question)
        return Response(answer, media_type=_OCSP_RESPONSE, headers={"Cache-Control": "no-store"})

    return ocsp


def _from_path(text: str) -> bytes:
    try:
        return base64.b64decode(unquote(text), validate=True)
    except (binascii.Error, ValueError):
        return b""


async def _certificate_request(request: Request) -> tuple[bytes, str | None]:
    """Return the request and the usage asked for; a form has them as `certreq` and `type`."""
    usage = request.query_params.get("usage")
    if _media_type(request) != "multipart/form-data":
        return await _body(request), usage
    if int(request.headers.get("content-length", "0")) > MAX_BODY:
        raise _TooLargeError
    async with request.form(max_files=1, max_fields=10, max_part_size=MAX_BODY) as form:
        sent: Any = form.get("certreq", "")
        data = await sent.read() if isinstance(sent, UploadFile) else sent.encode()
        kind = form.get("type")
        return data, usage or (kind if isinstance(kind, str) and kind in ("sign", "auth") else None)


def _serial_number(text: str | None, body: bytes) -> int | None:
    """Read a serial number in hex, or that of the certificate in the body."""
    try:
        if text is not None:
            return int(text.replace(":", ""), 16)
        pem = body.lstrip().startswith(b"-----BEGIN")
        return (x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate)(body).serial_number
    except ValueError:
        return None


def _shown(item: Any) -> dict[str, Any]:
    certificate = x509.load_der_x509_certificate(item.certificate_der)
    return {
        "serial": f"{item.serial_number:X}",
        "usage": item.usage,
        "subject": certificate.subject.rfc4514_string(),
        "issued_at": item.issued_at.isoformat(),
        "revoked_at": None if item.revoked_at is None else item.revoked_at.isoformat(),
    }


def _certificate_files(authorities: Authorities) -> Callable[[Request], Response]:
    by_name = {
        ROOT: authorities.root,
        ISSUING: authorities.issuing,
        OCSP: authorities.ocsp,
        TSA: authorities.tsa,
    }
    forms = {"pem": (Encoding.PEM, "application/x-pem-file"), "der": (Encoding.DER, "application/pkix-cert")}

    def certificate_file(request: Request) -> Response:
        name, _, form = request.path_params["file"].rpartition(".")
        if name not in by_name or form not in forms:
            return PlainTextResponse("Not found\n", status_code=404)
        encoding, media_type = forms[form]
        return Response(by_name[name].certificate.public_bytes(encoding), media_type=media_type)

    return certificate_file


def create_tsa_app(tsa: TimestampingAuthority) -> Starlette:
    """Return the application of the TSA port."""

    async def stamp(request: Request) -> Response:
        if _media_type(request) != _TSP_QUERY:
            return PlainTextResponse(f"Content-Type must be {_TSP_QUERY}\n", 415)
        answer = await run_in_threadpool(tsa.answer, await _body(request))
        return Response(answer, media_type=_TSP_REPLY)

    return Starlette(
        routes=[Route("/", _warning, methods=["GET"]), Route("/", stamp, methods=["POST"])],
        exception_handlers={_TooLargeError: _on_too_large},
    )
