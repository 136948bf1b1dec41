"""Logs what waiting runs hold by MLflow's own calls, as a user would who has the same params, metrics, tags, files and model at hand.

python plain_delivery.py SPOOL
"""

import json
import sys
from pathlib import Path

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
    with mlflow.start_run():
        mlflow.log_params(values["params"])
        single = {name: value for name, value, _, step in values["metrics"] if not name.startswith("fold_score")}
        mlflow.log_metrics(single)
        for name, value, _, step in values["metrics"]:
            if name.startswith("fold_score"):
                mlflow.log_metric(name, value, step=step)
        mlflow.set_tags(values["tags"])
        mlflow.log_artifacts(str(folder / "artifacts"))
        mlflow.log_artifact(str(folder / "lineage.json"))
        model = skops.io.load(model_file, trusted=trusted)
        rows = pd.DataFrame(example["data"], columns=example["columns"])
        signature = infer_signature(rows, model.predict(rows))
        mlflow.sklearn.log_model(model, name="model", signature=signature, input_example=rows, skops_trusted_types=trusted)


if __name__ == "__main__":
    main(*sys.argv[1:])
