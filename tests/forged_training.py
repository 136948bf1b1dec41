"""Stands in for the program of a restored run: leaves on the server what a rerun might leave that is not what it should be.

FORGERY says what; the run that it is to look like is FORGED_FROM, whose files lie in FORGED_FILES.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import mlflow
from mlflow.entities import RunTag


def leave_forgery(client: mlflow.MlflowClient, run_id: str, original: str, forgery: str, files: Path) -> None:
    """Leave everything that the original has, under an own lineage, but for what the forgery is: what an honest rerun leaves."""
    if forgery == "nothing made":
        return
    folder = files / run_id
    shutil.copytree(client.download_artifacts(original, ""), folder)
    source = client.get_run(original)
    model = client.create_logged_model(source.info.experiment_id, name="model", source_run_id=run_id)
    stored = client.get_logged_model(source.outputs.model_outputs[0].model_id).artifact_location
    model_folder = folder.with_name(f"{run_id}-model")
    shutil.copytree(stored.removeprefix("file://"), model_folder)
    client.log_inputs(run_id, source.inputs.dataset_inputs)
    client.log_outputs(run_id, [mlflow.entities.LoggedModelOutput(model.model_id, 0)])
    from samebits.digests import digest_bytes
    from samebits.lineage.manifest import write_lineage
    from samebits.lineage.tracked_values import list_fold_scores, list_metrics, list_params, list_tags

    lineage = json.loads((folder / "lineage.json").read_text(encoding="utf-8"))
    lineage["run"]["run_id"] = run_id
    if forgery == "missing artifact":
        (folder / "metrics.json").unlink()
    if forgery == "extra artifact":
        (folder / "extra.csv").write_text("row\n1\n", encoding="utf-8")
    if forgery == "truncated artifact":
        content = (folder / "predictions.csv").read_bytes()
        (folder / "predictions.csv").write_bytes(content[: len(content) // 2])
    if forgery == "truncated and recorded so":
        content = (folder / "predictions.csv").read_bytes()[:-20]
        (folder / "predictions.csv").write_bytes(content)
        lineage["artifacts"]["predictions.csv"]["digest"] = digest_bytes(content)
        lineage["stages"]["predictions"]["digest"] = digest_bytes(content)
    if forgery == "other model, same lineage":
        path = model_folder / "model.skops"
        content = path.read_bytes()
        path.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
    content = write_lineage(lineage)
    (folder / "lineage.json").write_bytes(content)
    for name, value in list_params(lineage).items():
        client.log_param(run_id, name, value)
    for name, value in list_metrics(lineage).items():
        client.log_metric(run_id, name, value)
    for name, scores in list_fold_scores(lineage).items():
        for fold, score in enumerate(scores):
            client.log_metric(run_id, name, score, step=fold)
    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in list_tags(lineage, content).items()])
    nest_candidates(client, source.info.experiment_id, run_id, lineage)
    client.log_inputs(run_id, source.inputs.dataset_inputs)
    client.log_model_artifacts(model.model_id, str(model_folder))
    client.log_artifacts(run_id, str(folder))


def nest_candidates(client: mlflow.MlflowClient, experiment_id: str, run_id: str, lineage: dict[str, Any]) -> None:
    from samebits.lineage.tracked_candidates import list_candidates

    for candidate in list_candidates(lineage):
        nested = client.create_run(experiment_id, tags={**candidate.tags, "mlflow.parentRunId": run_id}).info.run_id
        for name, value in candidate.params.items():
            client.log_param(nested, name, value)
        steps = {**{name: [value] for name, value in candidate.metrics.items()}, **candidate.folds}
        for name, step, value in [(name, step, value) for name, values in steps.items() for step, value in enumerate(values)]:
            client.log_metric(nested, name, value, step=step)
        client.set_terminated(nested)


if __name__ == "__main__":
    server, own_id, forgery_made = mlflow.MlflowClient(), os.environ["MLFLOW_RUN_ID"], os.environ["FORGERY"]
    leave_forgery(server, own_id, os.environ["FORGED_FROM"], forgery_made, Path(os.environ["FORGED_FILES"]))
    if forgery_made == "crash after writing":
        sys.exit("Traceback: a crash after everything was written")
    server.set_terminated(own_id)
