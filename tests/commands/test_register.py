from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from mlflow.entities import LoggedModelOutput
from recorded_runs import open_client

from samebits.commands.register import run_register
from samebits.errors import ConfigError, ProvenanceError

GOLDEN = json.loads((ROOT / "tests/goldens/lineage_5.json").read_text(encoding="utf-8"))


@pytest.fixture
def client(own_store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", own_store)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # in which no run is one's own
    return open_client(own_store)


def test_a_strangers_config_registers_nothing_unasked(client: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lineage = copy.deepcopy(GOLDEN)
    lineage["stages"]["config"]["resolved"]["registry"] = {"name": "shop", "alias": "champion", "margin": 0.0, "level": "L0"}
    experiment_id = client.create_experiment("a")
    run_id = client.create_run(experiment_id).info.run_id
    (tmp_path / "lineage.json").write_text(json.dumps(lineage), encoding="utf-8")
    client.log_artifact(run_id, str(tmp_path / "lineage.json"))
    model = client.create_logged_model(experiment_id, name="ridge", source_run_id=run_id)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
    client.finalize_logged_model(model.model_id, "READY")
    client.set_terminated(run_id)

    with pytest.raises(ProvenanceError, match="expected a run to be trusted, found one that this user did not make"):
        run_register(run_id)
    assert client.search_registered_models() == []
    run_register(run_id, is_trusted=True)

    assert [found.name for found in client.search_registered_models()] == ["shop"]
    assert "alias  " in capsys.readouterr().out
    run_register(run_id, is_trusted=True, name="by hand")
    assert sorted(found.name for found in client.search_registered_models()) == ["by hand", "shop"]
    with pytest.raises(ConfigError, match="--name: expected a name without slash and colon"):
        run_register(run_id, is_trusted=True, name="a/b")
