"""Logs what waiting runs hold by MLflow's own calls, as a user would who has the same params, metrics, tags, files and model at hand.

python plain_delivery.py SPOOL
"""

import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import mlflow.sklearn
import pandas as pd
import skops.io
from mlflow.models import infer_signature


def main(spool: str) -> None:
    mlflow.set_experiment("plain delivery")
    for folder in sorted(path.parent for path in Path(spool).glob("*/values.json")):
        log_run(folder)


def log_run(folder: Path) -> None:
    values = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    model_file = folder / "model" / "model.skops"
    trusted = skops.io.get_untrusted_types(file=model_file)
    example = json.loads((folder / "model" / "input_example.json").read_text(encoding="utf-8"))
    own = values.get("model", {})
    with mlflow.start_run(run_name=values.get("run_name")):
        mlflow.log_params(values["params"])
        log_metrics(values["metrics"])
        mlflow.set_tags(values["tags"])
        mlflow.log_artifacts(str(folder / "artifacts"))
        mlflow.log_artifact(str(folder / "lineage.json"))
        model = skops.io.load(model_file, trusted=trusted)
        rows = pd.DataFrame(example["data"], columns=example["columns"])
        signature = infer_signature(rows, model.predict(rows))
        name = own.get("name", "model")
        mlflow.sklearn.log_model(model, name=name, signature=signature, input_example=rows, skops_trusted_types=trusted)
        for candidate in values.get("candidates", []):
            with mlflow.start_run(run_name=candidate["run_name"], nested=True):
                mlflow.log_params(candidate["params"])
                log_metrics(candidate["metrics"])
                mlflow.set_tags(candidate["tags"])


def log_metrics(metrics: list[list[Any]]) -> None:
    """In one call those of one value, and each score of a fold by itself."""
    single = {name: value for name, value, _, step in metrics if not name.startswith("fold_")}
    mlflow.log_metrics(single)
    for name, value, _, step in metrics:
        if name.startswith("fold_"):
            mlflow.log_metric(name, value, step=step)


if __name__ == "__main__":
    main(*sys.argv[1:])
