"""docs/server.md: each server that the page tells a team to start, started by the page's own commands, and a run's whole life on it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from conftest import SMALL, merge, run_samebits
from recorded_runs import record_offline
from servers import SECRET, Services, TeamServer, need_services, say_what_is_missing, start_services, start_team_server

pytestmark = pytest.mark.xdist_group("servers")

ONE_COMMAND = "In one command"
PROXIED = "PostgreSQL and an object store, behind the server"
DIRECT = "The same, artifacts direct"
WITH_PASSWORDS = "With names and passwords"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services | None]:
    if say_what_is_missing():
        yield None
        return
    with start_services(tmp_path_factory.mktemp("services")) as started:
        yield started


@pytest.mark.parametrize(
    "section",
    [
        ONE_COMMAND,
        pytest.param(PROXIED, marks=need_services),
        pytest.param(DIRECT, marks=need_services),
        pytest.param(WITH_PASSWORDS, marks=need_services),
    ],
)
def test_a_team_works_on_each_server_of_the_page(
    section: str, services: Services | None, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With the variables that the page gives, and nothing else: what waited is pushed and verified, and so is all else that a team does."""
    parcel = record_offline(tmp_path_factory.getbasetemp(), tmp_path / "spool")

    with start_team_server(section, tmp_path_factory.mktemp("team"), services) as team_server:
        variables = {**team_server.variables, "SAMEBITS_SPOOL": str(parcel.parent)}
        pushed = run_samebits("push", **variables)
        verified = run_samebits("verify", parcel.name, **variables)
        # to a client, that one is the server with passwords without its words
        lived = live_on(team_server, tmp_path) if section != PROXIED else []

    assert pushed.returncode == 0, pushed.stderr
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert SECRET not in "".join(done.stdout + done.stderr for done in (pushed, verified, *lived))


def live_on(team_server: TeamServer, folder: Path) -> list[subprocess.CompletedProcess[str]]:
    """Pin, train, confirm by a colleague's run, compare and reproduce; return all that was said."""
    config = folder / "small.yaml"
    changes = {"name": "on a team's server", "models": {"decision_tree": {"max_depth": 3}}, "cv": {"n_splits": 2}}
    config.write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")

    pinned = run_samebits("data", "pin", str(config), **team_server.variables)
    first = run_samebits("train", str(config), **team_server.variables)
    second = run_samebits("train", str(config), **team_server.colleague)
    assert [done.returncode for done in (pinned, first, second)] == [0, 0, 0], first.stderr + second.stderr
    left, right = first.stdout.split()[1], second.stdout.split()[1]
    verified = run_samebits("verify", left, **team_server.variables)
    compared = run_samebits("diff", left, right, **team_server.variables)
    reproduced = run_samebits("reproduce", left, "--here", "--json", **team_server.variables)

    assert f"confirms run {left}" in second.stderr
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert compared.returncode == 0, compared.stdout + compared.stderr
    assert reproduced.returncode == 0, reproduced.stdout + reproduced.stderr
    assert json.loads(reproduced.stdout)["verdict"] == "IDENTICAL"
    return [pinned, first, second, verified, compared, reproduced]
