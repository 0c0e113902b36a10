from __future__ import annotations

import os
import socket

from gateway.landscape.ports import holder_of, taken_ports


def test_free_port_is_not_taken() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = probe.getsockname()
    assert taken_ports([place]) == []


def test_taken_port_names_its_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = server.getsockname()
        (taken,) = taken_ports([place])
    assert (taken.address, taken.port) == place
    assert taken.holder is not None
    assert taken.holder.endswith(f"(pid {os.getpid()})")


def test_listener_on_every_address_takes_the_port_of_each() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        (taken,) = taken_ports([("127.9.9.9", server.getsockname()[1])])
        assert taken.holder is not None


def test_ipv6_listener_on_every_address_is_found() -> None:
    if not socket.has_dualstack_ipv6():
        return
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        assert holder_of("127.0.0.1", server.getsockname()[1]) is not None


def test_address_that_is_not_of_this_machine_cannot_be_had() -> None:
    (taken,) = taken_ports([("192.0.2.1", 4000)])
    assert taken.holder is None
