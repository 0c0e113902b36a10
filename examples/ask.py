"""Ask for a kennel by SOAP and by REST, as SNAP, through its security server."""

import sys

from lxml import etree

from gateway.xroad.identifiers import MemberId, ServiceId, SubsystemId
from registry_adapters.sdk.client import Reason, XRoadClient

SNAP = SubsystemId(MemberId("UA-DEMO", "GOV", "10000001"), "SNAP")
PROVIDER = SubsystemId(MemberId("UA-DEMO", "GOV", "10000002"), "DEMOGRAPHIC")
QUESTION = b'<GetKennel xmlns="https://surma.example/registries/kennels/v1"><number>0001</number></GetKennel>'
REASON = Reason(user_id="clerk-1", issue="case-7")

with XRoadClient(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.2.1:8080", SNAP) as client:
    soap = client.call_soap(ServiceId(PROVIDER, "GetKennel", "v1"), QUESTION, reason=REASON)
    print(etree.tostring(soap.body, encoding="unicode", pretty_print=True))
    rest = client.call_rest("GET", ServiceId(PROVIDER, "kennels"), "/kennels/0001", reason=REASON)
    print(rest.json())
