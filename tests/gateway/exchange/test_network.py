from __future__ import annotations

import pytest

from gateway.exchange.network import code_of, network_faults
from gateway.runtime.http.problems import (
    ConnectFailed,
    ConnectionLost,
    HttpProblem,
    HttpTimeout,
    HttpTooLarge,
    MalformedHttp,
    TlsFailed,
    UnknownHost,
)
from gateway.xroad.faults import ServiceFailed


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (UnknownHost("registry.test", "nobody"), "unknown_host"),
        (ConnectFailed("registry.test", 80, "refused"), "network_error"),
        (TlsFailed("registry.test", 443, "bad certificate", handshaken=False), "ssl_authentication_failed"),
        (HttpTimeout("response", seconds=1), "io_error"),
        (HttpTimeout("response_body", seconds=1), "io_error"),
        (HttpTimeout("sending", seconds=1), "io_error"),
        (ConnectionLost("body"), "io_error"),
        (MalformedHttp("http.bad"), "io_error"),
        (HttpTooLarge("http.large"), "io_error"),
    ],
)
def test_each_problem_has_the_code_of_the_field(problem: HttpProblem, code: str) -> None:
    assert code_of(problem) == code
    with pytest.raises(ServiceFailed) as failed, network_faults("TEST/COM/2002/SS2"):
        raise problem
    assert failed.value.code == code
    assert failed.value.__cause__ is problem
    assert failed.value.facts["where"] == "TEST/COM/2002/SS2"


def test_other_exceptions_pass() -> None:
    with pytest.raises(KeyError), network_faults("x"):
        raise KeyError("x")
