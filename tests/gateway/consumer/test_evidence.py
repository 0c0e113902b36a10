from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consumer.evidence import ASIC, SIGNATURE, VERIFICATION_CONF, Evidence
from gateway.exchange.requests import InboundRequest, OutboundResponse
from gateway.serverconf.model import ClientStatus, ConnectionType, LocalClient, ServerConf
from gateway.xroad.faults import ConfigurationUnusable, LoggingUnavailable
from gateway.xroad.identifiers import ClientId
from tests.factories.globalconf import CLIENT, OWNER, SERVER

QUERY = "xRoadInstance=TEST&memberClass=GOV&memberCode=1001&subsystemCode=client&queryId=q-1"


@dataclass(frozen=True)
class Found:
    name: str
    container: bytes


@dataclass
class Log:
    """A message log of two records, a request and a response; it notes what it was asked."""

    records: dict[bool, list[int]] = field(default_factory=lambda: {False: [1], True: [2]})
    stamped: set[int] = field(default_factory=set)
    tsa_is_down: bool = False
    asked: list[tuple[ClientId, str, bool | None]] = field(default_factory=list)

    async def find(self, client: ClientId, query_id: str, *, response: bool | None) -> list[int]:
        self.asked.append((client, query_id, response))
        wanted = (False, True) if response is None else (response,)
        return [record for kind in wanted for record in self.records[kind]] if query_id == "q-1" else []

    async def has_unstamped(self, records: Sequence[int]) -> bool:
        return bool(set(records) - self.stamped)

    async def stamp(self, records: Sequence[int]) -> None:
        if self.tsa_is_down:
            raise LoggingUnavailable("timestamping_failed", "evidence.not_stamped")
        self.stamped |= set(records)

    async def build(self, records: Sequence[int]) -> list[Found]:
        return [Found(f"{record}.asice", b"container %d" % record) for record in records]

    def zip(self, documents: Sequence[Any]) -> bytes:
        return b"zip:" + b"|".join(one.container for one in documents)


class FindsEverything(Log):
    async def find(self, client: ClientId, query_id: str, *, response: bool | None) -> list[int]:
        return [1, 2]


class Conf:
    def __init__(self, kind: ConnectionType = ConnectionType.HTTP) -> None:
        clients = {CLIENT: LocalClient(CLIENT, ClientStatus.REGISTERED, kind)}
        self._conf = ServerConf(1, SERVER, clients=clients)

    def current(self) -> ServerConf:
        return self._conf

    def verification_conf(self) -> bytes:
        return b"verificationconf"


class NoConf(Conf):
    def verification_conf(self) -> bytes:
        raise ConfigurationUnusable("global_conf_outdated", "asic.verify.no_configuration", path="x")


async def ask(
    query: str = QUERY, *, path: str = ASIC, log: Log | None = None, method: str = "GET", conf: Conf | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> OutboundResponse:  # fmt: skip
    conf = conf or Conf()
    evidence = Evidence(log or Log(), conf, conf, language="en", internal_certificate=None)
    request = InboundRequest(method, f"{path}?{query}", headers, None, None, False, "id")  # type: ignore[arg-type]
    return await evidence.answer(path, request)


def header(answer: OutboundResponse, name: str) -> str:
    return dict(answer.headers)[name]


async def test_stamped_records_come_in_one_zip() -> None:
    log = Log(stamped={1, 2})
    answer = await ask(log=log)
    assert (answer.status, answer.body) == (200, b"zip:container 1|container 2")
    assert header(answer, "Content-Type") == "application/zip"
    assert header(answer, "Content-Disposition") == 'attachment; filename="asic-q-1.zip"'
    assert log.asked == [(CLIENT, "q-1", None)]


async def test_unstamped_record_is_refused_unless_forced() -> None:
    log = Log()
    assert (await ask(log=log)).status == 500
    assert (await ask(f"{QUERY}&force", log=log)).status == 200
    assert log.stamped == {1, 2}


async def test_trembitas_form_stamps_on_the_spot() -> None:
    log = Log()
    answer = await ask(f"{QUERY}&responseOnly", path=SIGNATURE, log=log)
    assert (answer.status, answer.body) == (200, b"container 2")
    assert header(answer, "Content-Type") == "application/vnd.etsi.asic-e+zip"
    assert log.stamped == {2}


async def test_stamp_that_is_not_to_be_had_is_told() -> None:
    answer = await ask(f"{QUERY}&force", log=Log(tsa_is_down=True))
    assert answer.status == 500


@pytest.mark.parametrize(("flag", "response"), [("requestOnly", False), ("responseOnly", True)])
async def test_one_half_is_asked_for(flag: str, response: bool) -> None:
    log = Log(stamped={1, 2})
    assert (await ask(f"{QUERY}&{flag}", log=log)).status == 200
    assert log.asked == [(CLIENT, "q-1", response)]


async def test_unique_record_comes_as_it_is() -> None:
    answer = await ask(f"{QUERY}&requestOnly&unique", log=Log(stamped={1}))
    assert (answer.status, answer.body) == (200, b"container 1")


async def test_unique_is_refused_where_there_are_more() -> None:
    answer = await ask(f"{QUERY}&requestOnly&unique", log=Log({False: [1, 3], True: []}, stamped={1, 3}))
    assert answer.status == 400


@pytest.mark.parametrize("missing", ["xRoadInstance", "memberClass", "memberCode", "queryId"])
async def test_missing_parameter_is_named(missing: str) -> None:
    for query in (
        "&".join(part for part in QUERY.split("&") if not part.startswith(missing)),
        QUERY.replace(f"{missing}=", f"{missing}=&x="),
    ):
        answer = await ask(query)
        assert answer.status == 400
        assert missing in bytes(answer.body).decode()  # type: ignore[arg-type]


@pytest.mark.parametrize("flags", ["requestOnly&responseOnly", "unique"])
async def test_contradiction_is_refused(flags: str) -> None:
    assert (await ask(f"{QUERY}&{flags}")).status == 400


async def test_unknown_query_and_unknown_client_are_not_found() -> None:
    assert (await ask(QUERY.replace("q-1", "q-2"))).status == 404
    assert (await ask(QUERY.replace("1001", "9009"))).status == 404
    assert (await ask(QUERY.replace("&subsystemCode=client", ""))).status == 404
    assert OWNER not in Conf().current().clients


@pytest.mark.parametrize("kind", [ConnectionType.HTTPS, ConnectionType.HTTPS_NO_AUTH])
async def test_connection_type_of_the_client_counts_here_too(kind: ConnectionType) -> None:
    assert (await ask(conf=Conf(kind))).status == 401


async def test_only_get_is_answered() -> None:
    assert (await ask(method="POST")).status == 405


async def test_refusal_speaks_the_callers_language() -> None:
    answer = await ask("", headers=(("Accept-Language", "uk"),))
    assert not bytes(answer.body).isascii()  # type: ignore[arg-type]


async def test_configuration_for_verifiers_is_given_to_anybody() -> None:
    answer = await ask("", path=VERIFICATION_CONF)
    assert (answer.status, answer.body) == (200, b"verificationconf")
    assert header(answer, "Content-Disposition") == 'attachment; filename="verificationconf.zip"'
    assert (await ask("", path=VERIFICATION_CONF, conf=NoConf())).status == 500


async def test_file_name_holds_nothing_odd() -> None:
    log = FindsEverything()
    answer = await ask(QUERY.replace("q-1", "a%22%0D%0Ab%2F..%2Fc") + "&force", log=log)
    assert header(answer, "Content-Disposition") == 'attachment; filename="asic-a___b_.._c.zip"'


@given(st.text(max_size=80), st.sampled_from([ASIC, SIGNATURE]))
async def test_any_query_is_answered(query: str, path: str) -> None:
    assert (await ask(query, path=path)).status in (200, 400, 404, 500)


async def test_id_that_came_as_a_header_is_found_as_it_stood_there() -> None:
    log = Log()
    await ask(f"{QUERY[:-3]}%D1%97-1", log=log)
    assert [query_id for _, query_id, _ in log.asked] == ["ї-1", "ї-1".encode().decode("latin-1")]


@pytest.mark.parametrize("path", [ASIC, SIGNATURE])
async def test_name_of_the_file_can_stand_in_a_header(path: str) -> None:
    answer = await ask(f"{QUERY[:-3]}%D1%97%22%0A7", path=path, log=FindsEverything(stamped={1, 2}))
    assert header(answer, "Content-Disposition") == 'attachment; filename="asic-___7.zip"'
