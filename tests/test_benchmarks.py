"""The benchmarks run and give scripts the keys they read; nothing here looks at how fast anything is."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import pytest

from gateway.runtime.database import open_database
from gateway.xroad.bodies import BytesSink
from gateway.xroad.soap.message import SoapMessage, check_consistency, parse_soap
from gateway.xroad.soap.package import PackageReader
from registry_adapters.cli.serving import load_registry, settings_of
from registry_adapters.sdk.registry import build, prepare
from tests.benchmarks import __main__ as command
from tests.benchmarks import floor, log, registries, report, sign
from tests.benchmarks.accounting import cpu_s
from tests.benchmarks.messages import PACKAGE_TYPE, PIECE, SIZE_BYTES, answer_to, is_answer, large, package, request
from tests.benchmarks.registries_asked import ASKED
from tests.factories.registry import served

CHAIN_KEYS = {
    "algorithm", "concurrency", "floor_us", "cpu_us_per_exchange", "ratio", "p50_ms", "p99_ms", "exchanges_per_s",
}  # fmt: skip


def test_floor_of_an_exchange_is_two_signatures_and_two_verifications() -> None:
    assert floor.Floor("P-256", 26, 67).exchange_us == 186


def test_crypto_measures_every_algorithm_with_a_floor() -> None:
    facts = floor.run(tiny=True).facts
    assert {row["algorithm"] for row in facts["floors"]} >= set(floor.FLOORS)
    assert all(row["floor_us"] > 0 for row in facts["floors"])


def test_sign_measures_parts_and_batches_beside_the_raw_operation() -> None:
    rows = sign.run(tiny=True).facts["results"]
    assert {(row["algorithm"], row["parts"], row["batch"]) for row in rows} == {
        (algorithm, parts, batch) for algorithm in floor.FLOORS for parts, batch in ((1, 1), (3, 1), (1, 10), (1, 100))
    }
    assert all(row["sign_ratio"] > 0 and row["verify_ratio"] > 0 for row in rows)


def test_log_writes_an_unbroken_chain() -> None:
    facts = log.run(tiny=True).facts
    assert facts["unbroken"]
    assert facts["fdatasync_us"] > 0
    assert [row["callers"] for row in facts["results"]] == [1, 16, 64]


@pytest.mark.scenario
@pytest.mark.slow
def test_chain_gives_its_figures_for_each_algorithm_and_concurrency(tmp_path: Path) -> None:
    command.main(["chain", "--tiny", "--algorithm", "P-256", "--concurrency", "2", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "chain.json").read_text())
    (row,) = found["results"]
    assert row.keys() >= CHAIN_KEYS
    assert (row["algorithm"], row["concurrency"]) == ("P-256", 2)
    assert row["cpu_us_per_exchange"] > 0


@pytest.mark.scenario
@pytest.mark.slow
def test_large_sends_each_way_and_leaves_nothing_in_the_spools(tmp_path: Path) -> None:
    command.main(["large", "--tiny", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "large.json").read_text())
    assert [row["transfer"] for row in found["results"]] == ["REST upload", "REST download", "SOAP attachment"]
    for row in found["results"]:
        assert row["mb_per_s"] > 0
        assert min(row["consumer_peak_mb"], row["provider_peak_mb"]) > 0
        assert row["spool_files"] == 0
    assert found["crash"]["spool_files_after_restart"] == 0
    assert found["crash"]["answers_again"]


@pytest.mark.scenario
@pytest.mark.slow
def test_idle_compares_runs_with_and_without_idle_callers(tmp_path: Path) -> None:
    command.main(["idle", "--tiny", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "idle.json").read_text())
    (row,) = found["results"]
    assert found["ratio"] == round(found["median_p95_beside_idle_ms"] / found["median_p95_ms"], 3)
    assert row.keys() >= {"p95_ms", "p95_beside_idle_ms", "consumer_rss_mb"}


@pytest.mark.scenario
@pytest.mark.slow
def test_registries_fills_one_and_finds_what_it_holds(tmp_path: Path) -> None:
    command.main(["registries", "--tiny", "--registry", "cadastre", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "registries.json").read_text())
    assert found["persons"] == registries.TINY_PERSONS
    (made,) = found["generation"]
    assert (made["registry"], made["added"]) == ("cadastre", registries.TINY_PERSONS)
    assert [row["by"] for row in found["lookups"]] == [kind.name for kind in ASKED["cadastre"].kinds]


@pytest.mark.parametrize("name", ASKED)
def test_every_registry_answers_to_every_identifier_it_is_asked_by(tmp_path: Path, name: str) -> None:
    chosen = settings_of(name, None, {}, {"persons": registries.TINY_PERSONS})
    registry = load_registry(name, chosen)
    place = f"sqlite:///{tmp_path}/{name}.db"
    database = open_database(place)
    prepare(registry, database, chosen)
    with served(build(registry, database, chosen)) as address:
        found = registries.lookups(ASKED[name], place, address, registries.TINY_LOOKUPS)
    database.close()
    assert [(row["registry"], row["by"]) for row in found] == [(name, kind.name) for kind in ASKED[name].kinds]
    assert all(row["operation_p95"] > 0 and row["http_p95"] > 0 for row in found)


def test_one_database_cannot_hold_several_registries(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--registry"):
        command.main(["registries", "--tiny", "--database", f"sqlite:///{tmp_path}/all.db", "--out", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_request_of_the_chain_and_its_answer_are_consistent_messages() -> None:
    raw = request("id-1")
    question, answer = (parse_soap(part, "text/xml") for part in (raw, answer_to(raw)))
    assert isinstance(question, SoapMessage)
    assert isinstance(answer, SoapMessage)
    check_consistency(question, answer)
    assert len(raw) == len(answer.raw) == SIZE_BYTES
    assert is_answer(answer.raw)
    assert not is_answer(raw)


def test_report_names_machine_and_command(tmp_path: Path) -> None:
    path = report.write("some", "python -m tests.benchmarks some", report.Report({"results": []}, []), tmp_path)
    facts = json.loads(path.read_text())
    assert path.name == "some.json"
    assert facts["command"] == "python -m tests.benchmarks some"
    assert facts.keys() >= {"benchmark", "at", "cpu", "python", "cryptography", "results"}


def test_large_body_has_its_size_and_a_package_its_attachment() -> None:
    size = 3 * len(PIECE) + 7
    assert b"".join(large(size)) == PIECE * 3 + PIECE[:7]
    reader = PackageReader(PACKAGE_TYPE, open_sink=BytesSink)
    for piece in package("id-1", size):
        reader.feed(piece)
    message = reader.finish()
    assert isinstance(message, SoapMessage)
    assert [attachment.body.size for attachment in message.attachments] == [size]


def test_cpu_of_a_process_counts_its_threads_and_never_goes_back() -> None:
    before = cpu_s([os.getpid()])
    sum(range(2_000_000))
    assert cpu_s([os.getpid()]) >= before > 0


def test_every_benchmark_of_make_bench_is_known() -> None:
    assert set(command.BENCHMARKS) == {
        "crypto",
        "sign",
        "log",
        "chain",
        "start",
        "idle",
        "large",
        "audit",
        "registries",
        "snap",
    }


def test_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["speed"])
    assert "speed" in capsys.readouterr().err


def test_options_of_make_bench_are_read() -> None:
    options: argparse.Namespace = command.parser().parse_args(["chain", "--concurrency", "1", "--concurrency", "64"])
    assert options.names == ["chain"]
    assert options.concurrency == [1, 64]
