"""Entries rewritten, with everything that the server keeps of them."""

from __future__ import annotations

from gateway.messagelog.completeness.model import Kind
from gateway.xroad.identifiers import MemberId
from gateway.xroad.signature.signed_message import parts_of
from tests.factories.messages import a_body, a_member, a_soap_response
from tests.factories.pki import NOON
from tests.factories.signatures import a_world
from tests.tampering.superuser import Superuser
from tests.tampering.table import ANEW, Found, recipe
from tests.tampering.untouched import LAST, TAKEN


@recipe("edit a message and its hash", Found(Kind.REPLACED, 26), Found(Kind.SIGNATURE, 26), deep=True)
def _(s: Superuser) -> None:
    _edit(s)


@recipe("edit a message, and the chain after it", Found(Kind.REPLACED, 26), Found(Kind.SIGNATURE, 26), deep=True)
def _(s: Superuser) -> None:
    _edit(s)
    s.rechain()


@recipe("edit a message, the chain and the ledger", Found(Kind.REPLACED, 26), Found(Kind.SIGNATURE, 26), deep=True)
def _(s: Superuser) -> None:
    _edit(s)
    s.rechain()
    s.retile()


@recipe(
    "edit a message, the chain, the ledger, and sign its checkpoints anew",
    Found(Kind.REPLACED, 26),
    ANEW,
    Found(Kind.SIGNATURE, 26),
    on_postgres=True,
    deep=True,
)
def _(s: Superuser) -> None:
    _edit(s)
    s.cover()


@recipe(
    "edit a message and everything, with the old time-stamps on new checkpoints",
    Found(Kind.REPLACED, 26),
    Found(Kind.SIGNATURE, 26),
    *(Found(Kind.CHECKPOINT, size) for size in (12, 24, 36, 40, 44)),
    deep=True,
)
def _(s: Superuser) -> None:
    _edit(s)
    s.rechain()
    s.retile()
    s.recheckpoint(stamped=False)


@recipe(
    "sign another message with the key of another member",
    Found(Kind.REPLACED, 26),
    ANEW,
    Found(Kind.TIMESTAMP, 26),
    deep=True,
)
def _(s: Superuser) -> None:
    _sign_anew(s, a_member("10000009"))
    s.cover()


@recipe(
    "sign another message with the key of the right member",
    Found(Kind.REPLACED, 26),
    ANEW,
    Found(Kind.TIMESTAMP, 26),
    deep=True,
)
def _(s: Superuser) -> None:
    _sign_anew(s, a_member("10000002"))
    s.cover()


@recipe("re-date a record to another hour", Found(Kind.REPLACED, 26), ANEW)
def _(s: Superuser) -> None:
    s.set(26, time_ms=s.get(26, "time_ms") - 3600000)
    s.rehash(26)
    s.cover()


@recipe("re-date a record to after its time-stamp", Found(Kind.REPLACED, 26), ANEW, Found(Kind.REDATED, 26))
def _(s: Superuser) -> None:
    s.set(26, time_ms=s.get(26, "time_ms") + 3600000)
    s.rehash(26)
    s.cover()


@recipe("re-date all by a day", Found(Kind.REPLACED, 19, TAKEN), ANEW, Found(Kind.REDATED, 45, 46))
def _(s: Superuser) -> None:
    for number in range(19, LAST + 1):
        s.set(number, time_ms=s.get(number, "time_ms") - 86400000)
        s.rehash(number)
    s.cover()


def _edit(s: Superuser) -> None:
    s.set(26, message=s.get(26, "message").replace(b"19900101-00017", b"19911231-00018"))
    s.rehash(26)


def _sign_anew(s: Superuser, member: MemberId) -> None:
    world = a_world()
    world.signer(member)
    message = a_soap_response(body=a_body(response=True, inner="<unzr>forged</unzr>"))
    s.set(26, message=message.raw)
    s.put_signature(26, world.sign(parts_of(message), world.identity(member), at=NOON).xml)
    s.rehash(26)
