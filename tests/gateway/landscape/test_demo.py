"""`surma demo` as a user sees it: a program of its own, its output and its exit status."""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.landscape.demo import free_network
from gateway.landscape.description import moved, read_landscape
from gateway.landscape.tour import PERSON, Tour

PATIENCE_S = 300  # a machine that does much else at the same time

scenario = [pytest.mark.scenario, pytest.mark.slow]


class Demo:
    """A running `surma demo`; its output is read line by line as it comes."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "gateway.cli", "demo", *options]
        environment = {**os.environ, "COLUMNS": "300", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line)
        self._queue.put(None)

    def wait_for(self, text: str) -> None:
        while True:
            line = self._queue.get(timeout=PATIENCE_S)
            assert line is not None, f"{text!r} never came:\n{''.join(self.lines)}"
            self.lines.append(line)
            if text in line:
                return

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


# What an auditor is told: where to sign in, as whom and with what.
SIGN_IN = re.compile(r"https://(\S+)/audit\s+user (\S+), password (\S+)")


def may_sign_in(state: Path, place: str, user: str, password: str) -> bool:
    """Fill in the form of the console, trusting the certificate of the server alone."""
    context = ssl.create_default_context(cafile=state / "server-SS-SNAP" / "tls" / "admin.crt")
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    with httpx.Client(base_url=f"https://{place}", verify=context, trust_env=False, timeout=PATIENCE_S) as browser:
        token = re.search(r'name="csrf_token" value="(\w+)"', browser.get("/login").text)
        assert token is not None
        fields = {"csrf_token": token[1], "name": user, "password": password}
        entered = browser.post("/login", data=fields)
        return entered.status_code == 303 and "GOV/10000001" in browser.get("/account").text


@pytest.fixture
def network() -> str:
    return free_network(read_landscape())


@pytest.fixture
def demos() -> Iterator[list[Demo]]:
    running: list[Demo] = []
    yield running
    for demo in running:
        demo.close()


def ask_for_a_person(tour: Tour) -> str:
    request = urllib.request.Request(
        f"{tour.consumer_url}{tour.rest_path}/persons?unzr={PERSON}",
        headers={"X-Road-Client": f"{tour.landscape.instance}/{tour.client}"},
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


class TestCheck:
    pytestmark = scenario

    def test_whole_tour_holds_and_is_told_as_json(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "gateway.cli", "demo", "--check", "--json"],
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        figures = json.loads(done.stdout)
        assert set(figures) == {"ready_s", "first_answer_s", "rss_mb", "exchanges", "evidence", "tampered_refused"}
        assert 0 < figures["ready_s"] <= figures["first_answer_s"]
        programs = {"SS-SNAP", "SS-DMS", "SS-REG", "central", "trust", "registries", "snap", "citizen"}
        assert set(figures["rss_mb"]) == programs | {"total"}
        assert figures["rss_mb"]["total"] <= 1200
        assert [one["status"] for one in figures["exchanges"]] == [200, 200, 200]
        assert all(one["ms"] > 0 and one["service"].startswith("UA-DEMO/") for one in figures["exchanges"])
        assert len(figures["evidence"]) == 12
        assert {(one["side"], one["verdict"]) for one in figures["evidence"]} == {
            ("consumer", "valid"), ("provider", "valid"),
        }  # fmt: skip
        assert figures["tampered_refused"] is True


class TestRun:
    pytestmark = scenario

    def test_second_start_resumes_what_the_first_left(self, demos: list[Demo], network: str, tmp_path: Path) -> None:
        state = tmp_path / "state"
        tour = Tour.of(moved(read_landscape(), network))

        demos.append(first := Demo("--state", str(state), "--network", network))
        first.wait_for("Ctrl-C stops everything")
        assert f"curl -s -H 'X-Road-Client: UA-DEMO/{tour.client}'" in first.text
        assert PERSON in ask_for_a_person(tour)
        signing_in = SIGN_IN.search(first.text)
        assert signing_in is not None
        assert may_sign_in(state, *signing_in.groups())
        assert first.interrupt() == 0
        anchor = (state / "configuration-anchor.xml").read_bytes()
        certificates = sorted(path.name for path in state.glob("server-*/keys/*"))

        demos.append(second := Demo("--state", str(state), "--network", network))
        second.wait_for("Ctrl-C stops everything")
        assert PERSON in ask_for_a_person(tour)
        assert signing_in[0] in second.text
        assert second.interrupt() == 0
        assert (state / "configuration-anchor.xml").read_bytes() == anchor
        assert sorted(path.name for path in state.glob("server-*/keys/*")) == certificates

    def test_all_processes_end_with_the_demo(self, demos: list[Demo], network: str, tmp_path: Path) -> None:
        demos.append(demo := Demo("--state", str(tmp_path / "state"), "--network", network))
        demo.wait_for("listens on")
        assert demo.interrupt() == 0
        landscape = moved(read_landscape(), network)
        for address in landscape.addresses:
            with socket.socket() as probe:
                assert probe.connect_ex((address, 4000)) != 0


class TestRefusals:
    def test_taken_port_is_named_with_its_process(self, demos: list[Demo], network: str, tmp_path: Path) -> None:
        place = (moved(read_landscape(), network).server[0].address, 4000)
        with socket.create_server(place):
            demos.append(demo := Demo("--state", str(tmp_path / "state"), "--network", network))
            demo.wait_for("--network")
            assert demo.process.wait(PATIENCE_S) == 1
        assert re.search(rf"{place[0]}:4000 is taken by \S.* \(pid {os.getpid()}\)", demo.text)
        assert not (tmp_path / "state").exists()

    def test_mistake_in_the_landscape_is_named(self, demos: list[Demo], tmp_path: Path) -> None:
        file = tmp_path / "landscape.toml"
        file.write_text('instanse = "UA-DEMO"\n')
        demos.append(demo := Demo("--landscape", str(file)))
        demo.wait_for("instanse")
        assert demo.process.wait(PATIENCE_S) == 2
        assert str(file) in demo.text

    def test_network_beyond_loopback_is_refused(self, demos: list[Demo]) -> None:
        demos.append(demo := Demo("--network", "10.0"))
        demo.wait_for("--network")
        assert demo.process.wait(PATIENCE_S) == 2
