"""Evidence for a level: what is damaged or cannot be had never raises one."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ROOT
from mlflow.exceptions import MlflowException

from samebits.digests import digest_bytes
from samebits.errors import TrackingError
from samebits.proof import evidence, ledger
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


def read(tags: dict[str, str], report: bytes | None = REPORT) -> Evidence | None:
    def download(_: str, name: str, folder: str) -> str:
        if report is None:
            raise MlflowException("503")
        path = Path(folder, name)
        path.write_bytes(report if name == "reproduction.json" else GOLDEN)
        return str(path)

    run = SimpleNamespace(info=SimpleNamespace(run_id="r", status="FINISHED"), data=SimpleNamespace(tags=tags))
    return evidence._read_evidence(SimpleNamespace(download_artifacts=download), run, LINEAGE)


def test_a_report_whose_bytes_its_tag_names_is_evidence() -> None:
    expected = Evidence(Verdict.IDENTICAL, rebuilt=True, varied=True, control_differs=True)

    assert read({"report_digest": digest_bytes(REPORT), "verdict": "IDENTICAL"}) == expected


def test_a_damaged_report_counts_against_a_level_where_its_tag_does_and_never_for_one() -> None:
    found = read({"report_digest": "sha256:other", "verdict": "DIFFERENT"})

    assert found is not None and found.verdict == Verdict.DIFFERENT and found.rebuilt
    assert read({"report_digest": "sha256:other", "verdict": "IDENTICAL"}) is None


def test_a_report_that_cannot_be_had_leaves_the_level_unknown() -> None:
    with pytest.raises(TrackingError, match=r"give reproduction\.json of run r"):
        read({"report_digest": "sha256:other", "verdict": "DIFFERENT"}, None)
    assert read({}, None) is None  # a rerun that never had a report


def test_a_twin_whose_lineage_cannot_be_had_is_not_passed_over_by_the_ledger() -> None:
    def refuse(*_: str) -> str:
        raise MlflowException("503")

    listed = SimpleNamespace(list_artifacts=lambda _: [SimpleNamespace(path="lineage.json")], download_artifacts=refuse)
    unfinished = SimpleNamespace(list_artifacts=lambda _: [])

    with pytest.raises(TrackingError, match="give the lineage of run r"):
        ledger._find_stage(listed, "r", {})
    assert ledger._find_stage(unfinished, "r", {}) is None
