"""Evidence for a level: what is damaged or cannot be had never raises one."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT

from samebits.digests import digest_bytes
from samebits.proof import evidence, ledger
from samebits.proof.verification import check_level
from samebits.verdicts import Evidence, Verdict

GOLDEN = (ROOT / "tests/goldens/lineage_2.json").read_bytes()
LINEAGE: dict[str, Any] = json.loads(GOLDEN)
REPORT = json.dumps(
    {
        "reproduces": LINEAGE["run"]["run_id"],
        "verdict": "IDENTICAL",
        "conditions": {"rebuilt": True, "varied": True},
        "control": {"differs": True},
    }
).encode()


SERVER = SimpleNamespace(tracking_uri="http://ml.example")


def make_run(folder: Path, tags: dict[str, str], report: bytes | None = REPORT, location: str = "") -> Any:
    """Return a run with a report among its artifacts, as a client has it."""
    artifacts = folder / f"{len(list(folder.iterdir()))}r/artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "lineage.json").write_bytes(GOLDEN)
    if report is not None:
        (artifacts / "reproduction.json").write_bytes(report)
    info = SimpleNamespace(
        run_id=artifacts.parent.name, status="FINISHED", artifact_uri=location or str(artifacts), start_time=1_800_000_000_000
    )
    return SimpleNamespace(info=info, data=SimpleNamespace(tags=tags))


def read(folder: Path, tags: dict[str, str], report: bytes | None = REPORT) -> Evidence | None:
    recorded: Any = SimpleNamespace(client=SERVER, run_id=LINEAGE["run"]["run_id"])
    return evidence._read_evidence(recorded, make_run(folder, tags, report), LINEAGE)


def record(monkeypatch: pytest.MonkeyPatch, runs: list[Any], level: str = "L2 repeatable") -> Any:
    monkeypatch.setattr(evidence, "search_runs", lambda *_: iter(runs))
    archive = SimpleNamespace(holds=lambda _: False)
    return SimpleNamespace(client=SERVER, run_id=LINEAGE["run"]["run_id"], archive=archive, tags={"level": level})


@pytest.mark.parametrize(
    ("start_time", "day"), [(1_800_000_000_000, "2027-01-15"), (10**30, "an unknown day"), (None, "an unknown day")]
)
def test_who_showed_it_and_when_is_told(tmp_path: Path, start_time: int | None, day: str) -> None:
    run = make_run(tmp_path, {"report_digest": digest_bytes(REPORT)})
    run.info.start_time = start_time
    recorded: Any = SimpleNamespace(client=SERVER, run_id=LINEAGE["run"]["run_id"])

    found = evidence._read_evidence(recorded, run, LINEAGE)

    assert found is not None and found.by == f"run {run.info.run_id[:8]} of {day}"


def test_a_report_whose_bytes_its_tag_names_is_evidence(tmp_path: Path) -> None:
    expected = Evidence(Verdict.IDENTICAL, rebuilt=True, varied=True, control_differs=True)

    assert read(tmp_path, {"report_digest": digest_bytes(REPORT), "verdict": "IDENTICAL"}) == expected


def test_a_damaged_report_counts_against_a_level_where_its_tag_does_and_never_for_one(tmp_path: Path) -> None:
    found = read(tmp_path, {"report_digest": "sha256:other", "verdict": "DIFFERENT"})

    assert found is not None and found.verdict == Verdict.DIFFERENT and found.rebuilt
    assert read(tmp_path, {"report_digest": "sha256:other", "verdict": "IDENTICAL"}) is None


@pytest.mark.parametrize("location", ["", "http://evil/api/2.0/mlflow-artifacts/artifacts/x", "/etc"])
def test_a_reproduction_of_somebody_whose_report_cannot_be_had_is_named_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    own = make_run(tmp_path, {"report_digest": digest_bytes(REPORT)})
    foreign = make_run(tmp_path, {"report_digest": "sha256:other", "verdict": "DIFFERENT"}, None, location)
    never = make_run(tmp_path, {}, None)

    (check,), unread = check_level(LINEAGE, record(monkeypatch, [foreign, never, own]))

    assert check.passed and len(unread) == 1 and foreign.info.run_id in unread[0]


def test_a_level_that_no_report_shows_is_wrong_and_undecided_where_some_were_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = make_run(tmp_path, {"report_digest": "sha256:other"}, None)
    refused = make_run(tmp_path, {"report_digest": "sha256:other"}, None, "ftp://evil/x")

    assert check_level(LINEAGE, record(monkeypatch, [missing]))[0][0].passed is False
    assert check_level(LINEAGE, record(monkeypatch, [refused]))[0][0].passed is None
    assert check_level(LINEAGE, record(monkeypatch, [refused], "L9"))[0][0].passed is False


def test_of_any_number_of_reproductions_some_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_runs: list[str] = []
    monkeypatch.setattr(evidence, "_read_evidence", lambda _, run, __: read_runs.append(run))
    run = make_run(tmp_path, {"report_digest": "sha256:other"})

    found = evidence.collect_evidence(record(monkeypatch, [run] * 1_000_000), LINEAGE)

    assert len(read_runs) == evidence.MOST_READ and not found.is_whole and "are read" in found.unread[0]


def test_a_twin_that_cannot_be_read_is_said_and_the_others_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twins = [make_run(tmp_path, {"outputs_digest": "x"}, None, "http://evil/api/2.0/mlflow-artifacts/artifacts/x") for _ in range(2)]
    fine = make_run(tmp_path, {"outputs_digest": "x"}, None)
    now = json.loads(GOLDEN)
    now["stages"]["model"]["digest"] = "sha256:other"
    others = [*twins, fine, *twins * 1000]
    monkeypatch.setattr(ledger, "search_runs", lambda _, condition, page_size: iter(others if "!=" in condition else []))
    monkeypatch.setattr(ledger, "_tag_both_sides", lambda *_: None)

    entry = ledger.compare_with_ledger(SERVER, "own", now)

    assert entry is not None and entry.contradicts == {fine.info.run_id: "model"}
    said = capsys.readouterr().err
    assert f"not compared with run {twins[0].info.run_id}" in said and said.count("not compared") < 20
