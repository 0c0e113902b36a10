"""Mediate one request of Trembita's REST dialect: an exchange like any other, in other words at the edge.

The information system's request is put into X-Road's words before and its answer out of them after
(gateway/xroad/rest/uxp.py); between them nobody knows of the dialect.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gateway.consumer.deps import ConsumerDeps
from gateway.consumer.rest import accept_of, exchange_rest
from gateway.exchange.faults import RenderedFault
from gateway.exchange.requests import InboundRequest, OutboundResponse, Timeline
from gateway.xroad.rest.uxp import answer_headers, build_uxp_fault, to_xroad

# Of the ids of purposes, in the line about an exchange.
MAX_NOTED: Final = 255


async def exchange_uxp(request: InboundRequest, deps: ConsumerDeps, timeline: Timeline) -> OutboundResponse:
    """Carry one request to `/restapi` to the provider's security server and its answer back.

    The id of the exchange is the transaction id, which both information systems get to know. Raises
    XRoadFault or RemoteFault; the edge answers with it.
    """
    said = to_xroad(request.method, request.target, request.headers, transaction_id=request.id)
    timeline.note(purposes=",".join(said.purposes)[:MAX_NOTED] or None)
    answer = await exchange_rest(replace(request, target=said.target, headers=said.headers), deps, timeline)
    return replace(answer, headers=answer_headers(answer.headers, request.id))


def uxp_fault(fault: RenderedFault, request: InboundRequest, _language: str) -> OutboundResponse:
    """Answer with a fault in the words of the dialect."""
    rest = build_uxp_fault(fault.code, fault.text, fault.detail, accept_of(request), request.id)
    return OutboundResponse(rest.status, rest.headers, rest.body, len(rest.body))
