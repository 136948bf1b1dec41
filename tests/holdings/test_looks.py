"""How often the rows that judge a run were looked at, as a real store has it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from recorded_runs import CountingClient, open_client

from samebits.holdings import looks
from samebits.holdings.looks import Looks, ask_looks, count_looks, find_judged
from samebits.lineage.tracked_values import digest_test_rows


def make_stages(seed: int = 1, rows: str = "sha256:rows", value: float = 0.9, lower: bool = False) -> dict[str, Any]:
    stages: dict[str, Any] = {"data": {"digest": "sha256:table"}, "model": {"digest": f"sha256:{seed}"}}
    stages["config"] = {"resolved": {"data": {"target": "y"}}, "version": "2026.11.0"}
    stages["split"] = {"test_rows": rows}
    stages["metrics"] = {"test": {"score": value}}
    stages["assessment"] = {"rows": "test", "metric": "score", "value": value, "lower_is_better": lower}
    return stages


class Server:
    """A store in which runs stand as a delivery leaves them."""

    def __init__(self, path: Path) -> None:
        self.client = open_client(f"sqlite:///{path}")
        self.experiment_id = self.client.create_experiment("looks")

    def record(self, seed: int, value: float, rows: str = "sha256:rows", depth: int = 1, **tags: str) -> None:
        stages = make_stages(seed, rows)
        own = {
            "test_rows": str(digest_test_rows(stages)),
            "model_digest": stages["model"]["digest"],
            "outputs_digest": "sha256:any",
            "seed": str(seed),
            "config_version": "2026.11.0",
        }
        run_id = self.client.create_run(self.experiment_id, tags={**own, **tags}).info.run_id
        self.client.log_param(run_id, "models.tree.max_depth", depth)
        self.client.log_param(run_id, "seed", seed)
        self.client.log_metric(run_id, "test_score", value)
        self.client.set_terminated(run_id)

    def count(self, depth: int = 1, **facts: Any) -> Looks:
        seed = facts.get("seed", 1)
        found = ask_looks(self.client, make_stages(**facts), {"models.tree.max_depth": str(depth), "seed": str(seed)})
        assert found is not None
        return found


@pytest.fixture
def server(empty_store: Path, tmp_path: Path) -> Server:
    return Server(Path(shutil.copy(empty_store, tmp_path / "mlflow.db")))


def test_the_first_look_is_said_as_that(server: Server) -> None:
    found = server.count()

    assert found == Looks(1, 1, 1, 1, None)
    assert str(found) == "the first model that these rows judge, as far as this server knows"


def test_the_best_of_several_seeds_shows_as_that(server: Server) -> None:
    for seed in (2, 3, 4):
        server.record(seed, value=0.8 + seed / 100)

    found = server.count(value=0.9)

    assert found == Looks(4, 1, 4, 1, 1)
    assert str(found) == "the best of 4 models that were judged by these rows (1 config, 4 seeds, 1 version)"


@pytest.mark.parametrize(("lower", "place"), [(False, 3), (True, 1)])
def test_the_place_goes_by_the_metrics_own_direction(server: Server, lower: bool, place: int) -> None:
    for seed in (2, 3):
        server.record(seed, value=0.95)

    assert server.count(value=0.9, lower=lower).place == place


def test_other_settings_are_another_config(server: Server) -> None:
    server.record(1, 0.8, depth=2, model_digest="sha256:other")

    assert server.count(depth=1) == Looks(2, 2, 1, 1, 1)


def test_a_run_made_again_is_no_further_look(server: Server) -> None:
    server.record(1, 0.9)  # the same model
    server.record(2, 0.9, reproduces="another")
    server.record(3, 0.9, rows="sha256:elsewhere")

    assert server.count(seed=1).n_runs == 1


def test_configs_that_came_to_one_model_are_one_look_and_told_as_several_configs(server: Server) -> None:
    server.record(1, 0.9, depth=1)

    same = server.count(depth=2)
    server.record(1, 0.9, depth=2)
    third = server.count(depth=3, seed=5, value=0.8)

    assert same == Looks(1, 2, 1, 1, None)
    assert str(same) == "the only model that these rows judged (2 configs, 1 seed, 1 version), as far as this server knows"
    assert third == Looks(2, 3, 2, 1, 2)
    assert str(third) == "number 2 of 2 models that were judged by these rows (3 configs, 2 seeds, 1 version)"


def test_runs_of_another_positive_class_have_no_place_among_these(server: Server) -> None:
    server.record(2, 0.99)
    runs = find_judged(server.client, make_stages())

    assert count_looks(runs, make_stages(value=0.9), {"seed": "1"}).place == 2
    assert count_looks(runs, make_stages(value=0.9), {"seed": "1", "data.positive": "n"}) == Looks(2, 2, 2, 1, None)


def test_however_many_looked_the_latest_are_read_and_counted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "MOST_LOOKS", 3)
    for seed in range(2, 10):
        server.record(seed, value=0.5 + seed / 100)
    client = CountingClient(server.client)

    found = ask_looks(client, make_stages(value=0.585), {"models.tree.max_depth": "1", "seed": "1"})

    assert client.n_read == 3
    assert found == Looks(3, 1, 3, 1, 2)  # after 0.59, before 0.58: the metric of older ones is not known
    assert str(found) == "number 2 of the latest 3 models that were judged by these rows (1 config, 3 seeds, 1 version)"


def test_one_model_made_again_and_again_hides_no_other(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "MOST_LOOKS", 3)
    server.record(2, value=0.99)
    for _ in range(5):
        server.record(3, value=0.8)

    assert server.count(value=0.9) == Looks(3, 1, 3, 1, 2)


def test_a_run_without_test_rows_has_no_looks(server: Server) -> None:
    stages = make_stages()
    stages["metrics"] = {"test": {}}

    assert ask_looks(server.client, stages, {}) is None
