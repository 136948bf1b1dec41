"""What docs/continuous-integration.md tells a team to do, done on this project's own configs and on both kinds of server."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, SMALL, clean_environment, merge, run_fresh, run_samebits
from recorded_runs import open_client, record_shipped

pytestmark = pytest.mark.xdist_group("ci")

PAGE = ROOT / "docs/continuous-integration.md"


def read_steps() -> list[str]:
    """Return the shell commands of the documented job."""
    block = re.search(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert block is not None
    job = yaml.safe_load(block[1])["jobs"]["reproduce"]
    return [step["run"] for step in job["steps"] if "run" in step]


def check_against_golden(lineage: dict[str, Any], name: str) -> None:
    golden = json.loads((ROOT / "tests/goldens/outputs.json").read_text(encoding="utf-8"))[name]

    assert lineage["stages"]["config"]["file"] == f"confs/{name}.yaml"
    assert {stage: lineage["stages"][stage]["digest"] for stage in golden} == golden


def copy_shipped(name: str, empty_store: Path, factory: pytest.TempPathFactory, folder: Path) -> str:
    """Return a store of its own in which the session's run of a shipped config stands alone, as the job's first step leaves it."""
    shipped = record_shipped(name, empty_store, factory.getbasetemp())
    shutil.copy(shipped.store.removeprefix("sqlite:///"), folder / "mlflow.db")
    return f"sqlite:///{folder}/mlflow.db"


def test_the_documented_job_reproduces_the_shipped_config(
    empty_store: Path, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    uri = copy_shipped("training", empty_store, tmp_path_factory, tmp_path)
    train, *steps = read_steps()
    assert train == "pip install uv && uv run just train confs/training.yaml"
    script = "set -e\n" + "\n".join(steps).replace("uv run just", "just").replace("lineage.json", f"{tmp_path}/lineage.json")
    script = script.replace("reproduce latest", "reproduce latest --here")  # README's session rebuilds the environment of this run
    environment = clean_environment(MLFLOW_TRACKING_URI=uri, PYTHONPATH="src", UV_NO_SYNC="1")

    done = subprocess.run(["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("verdict     IDENTICAL") == 2
    assert "DIFFERENT, as it must" in done.stdout
    check_against_golden(json.loads((tmp_path / "lineage.json").read_text(encoding="utf-8")), "training")


def test_the_job_fails_on_anything_but_identical(tmp_path: Path) -> None:
    fake = tmp_path / "just"
    for exit_code in (1, 2, 10):
        fake.write_text(f"#!/bin/sh\nexit {exit_code}\n", encoding="utf-8")
        fake.chmod(0o755)
        script = "set -e\n" + "\n".join(step for step in read_steps() if "reproduce" in step).replace("uv run just", str(fake))
        done = subprocess.run(["bash", "-c", script.replace("pip install uv && ", "")], env=os.environ, check=False)
        assert done.returncode == exit_code


@pytest.mark.xdist_group("train")
def test_everything_works_over_http(server: str, tmp_path: Path) -> None:
    """Where artifacts are reached through the server alone: train, verify, reproduce with control, diff, ledger, reuse."""
    path = tmp_path / "small.yaml"
    changes = {"name": "over http", "models": {"decision_tree": {"max_depth": 3}}}
    path.write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")
    run_id = run_samebits(str(path), MLFLOW_TRACKING_URI=server).stdout.split()[1]

    verified = run_samebits("verify", run_id[:10], MLFLOW_TRACKING_URI=server)
    reproduced = run_samebits("reproduce", "latest", "--here", "--varied", "--control", "--json", MLFLOW_TRACKING_URI=server)

    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert reproduced.returncode == 0, reproduced.stdout + reproduced.stderr
    report = json.loads(reproduced.stdout)
    assert (report["reproduces"], report["verdict"], report["control"]["differs"]) == (run_id, "IDENTICAL", True)
    assert report["level"] == "L0 recorded"  # the environment was not rebuilt
    assert open_client(server).get_run(report["run_id"]).data.tags["confirms"] == run_id
    differing = run_samebits("diff", run_id, report["control"]["run_id"], "--json", MLFLOW_TRACKING_URI=server)
    assert differing.returncode == 1 and json.loads(differing.stdout)["cause"] == "config seed: 7 -> 8"
    assert run_samebits("verify", report["run_id"], MLFLOW_TRACKING_URI=server).returncode == 0
    reused = run_fresh("train", "--reuse", str(path), MLFLOW_TRACKING_URI=server)
    assert reused.stdout.split()[1] == run_id and "reused" in reused.stderr
