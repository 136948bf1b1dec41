"""A run's model is registered once, whoever asks again, and an alias says at all times which version is in use."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from conftest import ROOT, SMALL, merge, run_samebits, run_unheard
from mlflow.entities import LoggedModelOutput
from recorded_runs import open_client

from samebits.errors import TrackingError
from samebits.holdings.named_models import find_named_model
from samebits.registry import registration
from samebits.registry.registration import register_run, say_registration
from samebits.verdicts import Level

GOLDEN: dict[str, Any] = json.loads((ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8"))


def make_lineage(value: float, **rule: Any) -> dict[str, Any]:
    lineage = copy.deepcopy(GOLDEN)
    lineage["stages"]["cross_validation"]["scoring"] = "average_precision"
    lineage["stages"]["metrics"]["test"] = {"average_precision": value}
    lineage["stages"]["config"]["resolved"]["registry"] = {"name": "shop", **rule}
    return lineage


@pytest.fixture
def store(own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path / "store")
    monkeypatch.setattr(registration.tempfile, "gettempdir", lambda: str(tmp_path))
    return own_store


def record(client: Any, lineage: dict[str, Any], folder: Path, tags: dict[str, str] | None = None, is_open: bool = False) -> str:
    """Leave a finished run with its lineage and its model, as far as a registry looks at them."""
    experiment = client.get_experiment_by_name("a")
    experiment_id = experiment.experiment_id if experiment else client.create_experiment("a")
    run_id = str(client.create_run(experiment_id, tags=tags).info.run_id)
    folder = folder / run_id
    folder.mkdir()
    (folder / "lineage.json").write_text(json.dumps(lineage), encoding="utf-8")
    client.log_artifact(run_id, str(folder / "lineage.json"))
    model = client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    (folder / "MLmodel").write_text("{}", encoding="utf-8")
    client.log_model_artifacts(model.model_id, str(folder))
    client.finalize_logged_model(model.model_id, "READY")
    if not is_open:
        client.set_terminated(run_id)
    return run_id


def list_versions(client: Any, name: str = "shop") -> list[Any]:
    return sorted(client.search_model_versions(f"name = '{name}'"), key=lambda version: int(version.version))


def find_champion(client: Any) -> str | None:
    found = dict(client.get_registered_model("shop").aliases).get("champion")
    return None if found is None else str(found)


def test_the_better_model_becomes_the_champion_and_both_versions_say_why(store: str, tmp_path: Path) -> None:
    client = open_client(store)
    first, second = (record(client, make_lineage(value), tmp_path) for value in (0.8, 0.9))

    said = [register_run(client, run_id, make_lineage(value)) for run_id, value in ((first, 0.8), (second, 0.9))]

    beaten = "average_precision 0.9000 beats 0.8000 of version 1 by 0.1 (margin 0), same test rows"
    assert said == [
        "shop version 1, champion: the first, average_precision 0.8000 on the test rows",
        f"shop version 2, champion: {beaten}",
    ]
    old, new = list_versions(client)
    assert find_champion(client) == "2" and find_named_model(client, "models:/shop@champion").run_id == second
    assert (
        new.tags["decision"] == f"champion: {beaten}" and old.tags["decision"] == f"no longer champion: version 2 is better, {beaten}"
    )
    assert old.description.startswith("no longer champion") and f"reproduce {first[:8]}" in old.description
    assert f"reproduce {second[:8]}" in new.description and new.tags["test_rows"].startswith("sha256:")
    assert client.get_run(second).data.tags["registered"] == said[1]


def test_a_model_that_is_no_better_is_registered_and_the_alias_stays(store: str, tmp_path: Path) -> None:
    client = open_client(store)
    for value in (0.9, 0.8):
        register_run(client, record(client, make_lineage(value), tmp_path), make_lineage(value))

    assert [version.tags["decision"].partition(":")[0] for version in list_versions(client)] == ["champion", "not champion"]
    assert find_champion(client) == "1"


def test_registering_again_makes_no_second_version_and_keeps_what_was_decided(store: str, tmp_path: Path) -> None:
    client, lineage = open_client(store), make_lineage(0.9)
    run_id = record(client, lineage, tmp_path)

    assert len({register_run(client, run_id, lineage) for _ in range(3)}) == 1
    assert len(list_versions(client)) == 1 and find_champion(client) == "1"


def test_an_alias_that_somebody_moved_is_said_to_be_where_it_is(store: str, tmp_path: Path) -> None:
    client = open_client(store)
    runs = [(record(client, make_lineage(value), tmp_path), make_lineage(value)) for value in (0.9, 0.8)]
    for run_id, lineage in runs:
        register_run(client, run_id, lineage)
    client.set_registered_model_alias("shop", "champion", "2")

    said = register_run(client, *runs[1])

    assert said == "shop version 2, champion: moved here by hand"
    assert list_versions(client)[1].tags["decision"] == "champion: moved here by hand"


def test_an_alias_moves_when_a_proof_has_raised_the_level(store: str, tmp_path: Path) -> None:
    client, lineage = open_client(store), make_lineage(0.9, level="L1")
    run_id = record(client, lineage, tmp_path)

    register_run(client, run_id, lineage)
    before = find_champion(client)
    register_run(client, run_id, lineage, Level.L1, is_anew=True)

    assert (before, find_champion(client)) == (None, "1")


def test_a_proof_alone_registers_nothing(store: str, tmp_path: Path) -> None:
    """Whoever proves a stranger's run does not do what its record wants."""
    client, lineage = open_client(store), make_lineage(0.9)

    assert register_run(client, record(client, lineage, tmp_path), lineage, Level.L3, is_anew=True) is None
    assert list_versions(client) == []


@pytest.mark.parametrize("tag", ["reproduces", "control_of"])
def test_a_rerun_is_not_registered(store: str, tmp_path: Path, tag: str) -> None:
    client, lineage = open_client(store), make_lineage(0.9)

    assert register_run(client, record(client, lineage, tmp_path, {tag: "f" * 32}), lineage) is None
    assert list_versions(client) == []


def test_a_champion_that_is_no_run_of_samebits_is_not_replaced(store: str, tmp_path: Path) -> None:
    client = open_client(store)
    strange = record(client, {"not": "a lineage"}, tmp_path)
    client.create_registered_model("shop")
    model_id = client.get_run(strange).outputs.model_outputs[0].model_id
    client.create_model_version("shop", f"models:/{model_id}", run_id=strange, model_id=model_id)
    client.set_registered_model_alias("shop", "champion", "1")

    said = register_run(client, record(client, make_lineage(0.9), tmp_path), make_lineage(0.9))

    assert "version 1 cannot be compared (its run has no lineage that can be read)" in str(said) and find_champion(client) == "1"


@pytest.mark.parametrize("is_locked", [True, False])
def test_of_runs_that_register_at_once_each_has_a_version_and_one_is_champion(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    """Of one machine the best of them is; machines that share no lock have a champion all the same."""
    if not is_locked:
        monkeypatch.setattr(registration, "_stand_in_a_row", lambda *_: contextlib.nullcontext())
    client, values = open_client(store), (0.7, 0.9, 0.8, 0.6)
    runs = [(record(client, make_lineage(value), tmp_path), value) for value in values]
    client.create_registered_model("shop")

    with ThreadPoolExecutor(len(runs)) as pool:
        said = list(pool.map(lambda run: register_run(open_client(store), run[0], make_lineage(run[1])), runs))

    assert len(list_versions(client)) == len(values) and all(said)
    champion = find_named_model(client, "models:/shop@champion").run_id
    assert champion == runs[1][0] if is_locked else champion in dict(runs)


def test_a_version_whose_answer_was_lost_is_one_version(server: str, tmp_path: Path) -> None:
    class AsksTwice(mlflow.MlflowClient):
        def create_model_version(self, *args: Any, **kwargs: Any) -> Any:
            super().create_model_version(*args, **kwargs)
            return super().create_model_version(*args, **kwargs)

    client, lineage = AsksTwice(tracking_uri=server), make_lineage(0.9, name="lost")
    run_id = record(client, lineage, tmp_path)

    register_run(client, run_id, lineage)

    assert [(version.run_id, version.version) for version in list_versions(client, "lost")] == [(run_id, "1")]


def test_a_run_that_is_not_finished_is_not_registered(store: str, tmp_path: Path) -> None:
    client, lineage = open_client(store), make_lineage(0.9)

    with pytest.raises(TrackingError, match="expected a finished run, found one that is RUNNING"):
        register_run(client, record(client, lineage, tmp_path, is_open=True), lineage)


def test_a_registry_that_refuses_costs_no_run_and_one_line(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client, lineage = open_client(store), make_lineage(0.9)
    run_id = record(client, lineage, tmp_path)

    say_registration(mlflow.MlflowClient(store, registry_uri="no-such-store://a"), run_id, lineage)

    assert capsys.readouterr().err.startswith(f"not registered, do it again by `samebits register {run_id}`: ")


def test_a_run_that_waited_is_registered_as_it_is_pushed_and_its_alias_names_it(
    own_store: str, tmp_path: Path, write_config: Callable[..., Path]
) -> None:
    config = tmp_path / "offline.yaml"
    changes = {"models": {"decision_tree": {"max_depth": 3}}, "tracking": {"offline": True}, "registry": {"name": "shop"}}
    config.write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")
    env = {"SAMEBITS_SPOOL": str(tmp_path / "spool"), "MLFLOW_TRACKING_URI": own_store}
    trained = run_samebits("train", str(config), **env)

    pushed = run_unheard("push", **env)
    verified = run_samebits("verify", "models:/shop@champion", **env)
    again = run_samebits("register", "models:/shop@champion", **env)

    assert trained.returncode == 75 and "alias" not in trained.stdout
    assert pushed.returncode == 0, pushed.stderr
    assert verified.returncode == 0 and "alias       shop version 1, champion: the first" in verified.stdout
    assert "alias  shop version 1, champion: the first, average_precision " in again.stdout
