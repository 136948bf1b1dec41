"""What `train` says at its end, to a person or to a program: what was made, how good it is and what that is worth, where to look."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from samebits.config.catalog import name_metric
from samebits.lineage.found_values import describe_found
from samebits.lineage.gaps import list_unrestorable
from samebits.lineage.manifest import take_held_back
from samebits.lineage.tracked_values import VIEW, is_turned, name_score, turn_score
from samebits.project import has_recipes, name_program
from samebits.recording.made import Made
from samebits.text import hide_credentials, shorten_list, tell, tell_json, warn
from samebits.tracking.address import is_http

_HEADLINE = (
    *("accuracy", "balanced_accuracy", "matthews_corrcoef", "precision", "precision_macro"),
    *("r2", "rmse", "mae", "median_absolute_error"),
)
_OWN_SERVER = "http://127.0.0.1:5000"  # where MLflow serves a store that is none of a server's
_ROWS = {"test": "test", "out_of_fold": "folds"}  # as they are called in what is printed


def tell_end(ended: Made, as_json: bool) -> None:
    """Print what was made, for a program as one JSON document, and say on stderr what a person should know of it."""
    lineage = ended.lineage
    if as_json:
        tell_json(_make_document(ended))
    else:
        _tell_scores(ended.run_id, lineage["stages"])
    _say_found(lineage["stages"]["cross_validation"])
    _say_assessment(lineage)
    warn(*(f"remark {remark}" for remark in lineage.get("remarks", [])))
    if ended.experiment_id is not None:
        page = name_run_page(ended.experiment_id, ended.run_id)
        table = _name_page(ended.experiment_id, f"runs?viewStateShareKey={VIEW}&")
        after = f" after `{serve}`" if (serve := name_server()) else ""
        warn(f"see    {page}{after}", f"runs   {table}{after}")
        program = name_program()
        warn(f"again  {program} reproduce {ended.run_id}", f"apply  {program} predict {ended.run_id} TABLE --output FILE")
    warn(*_list_loose_inputs(lineage), *_list_losses(lineage))


def _say_found(scores: dict[str, Any]) -> None:
    found = {name: describe_found(scores, name) for name in scores["candidates"]}
    warn(*(f"found  {name}: {words}" for name, words in found.items() if words))
    search = scores.get("search", {})
    if search.get("nested"):
        nested = [turn_score(scores["scoring"], float(fold["score"])) for fold in search["nested"]]
        warn(f"nested {name_score(scores['scoring'])} {sum(nested) / len(nested):.6f} of the search itself, over {len(nested)} folds")
    if search.get("n_failed"):
        warn(f"failed {search['n_failed']:,} of {search['n_trials']:,} trials; search.csv says why")


def _list_loose_inputs(lineage: dict[str, Any]) -> list[str]:
    """Return what may be another thing tomorrow under the same name."""
    config = lineage["stages"]["config"]
    name, found = config["file"], []
    is_made = "data.path" in lineage["stages"].get("steps", {}).get("made", {})  # by steps, of inputs that are on record
    if config["resolved"]["data"]["digest"] is None and not is_made:
        found.append(f"the table is not pinned, so other bytes would be taken too: samebits data pin {name}")
    if lineage["stages"]["code"]["commit"] and Path(name).is_absolute():
        found.append(f"the config {name} lies outside the project, where no commit keeps it; this run does")
    return found


def _list_losses(lineage: dict[str, Any]) -> list[str]:
    """Return what of the run is not kept as it could be, each with what to do."""
    archived, found = lineage["archive"], []
    if gaps := list_unrestorable(lineage):
        found.append(f"cannot be brought back from this run alone: {'; '.join(gaps)}")
    if archived["data"] == "over the cap":
        remedy = "`samebits data push` keeps a copy by its digest, or set data.archive: always"
        found.append(f"the table is larger than the 50 MB that are archived by themselves: {remedy}")
    if archived["data"] == "changed meanwhile":
        found.append("the table was changed during the run and is not archived: put the old one back, and train again")
    if archived["code"] == "over the cap":
        found.append("no remote holds the commit, and its bundle is larger than the 50 MB that are archived: push it")
    if changed := lineage["stages"]["code"].get("changed_meanwhile"):
        found.append(f"changed while this run trained, and recorded as it was before: {shorten_list(changed)}")
    return found


def name_run_page(experiment_id: str, run_id: str) -> str:
    """Return where a run is looked at."""
    return _name_page(experiment_id, f"runs/{run_id}?")


def _name_page(experiment_id: str, path: str) -> str:
    """Return the address of a page, on the server or on the one that is to be started first."""
    uri = hide_credentials(os.environ["MLFLOW_TRACKING_URI"])
    server = uri.rstrip("/") if is_http(uri) else _OWN_SERVER
    return f"{server}/#/experiments/{experiment_id}/{path}workflowType=machine_learning"  # else the page for traces opens


def name_server() -> str | None:
    """Return the command that serves the store; None where a server has it already."""
    uri = hide_credentials(os.environ["MLFLOW_TRACKING_URI"])
    if is_http(uri):
        return None
    program = name_program().removesuffix("samebits")
    return f"{program}just ui" if has_recipes() else f"{program}mlflow server --backend-store-uri {uri}"


def _say_assessment(lineage: dict[str, Any]) -> None:
    """Say what the score is worth; a run that was made before this was assessed has nothing of it."""
    from samebits.holdings.looks import Looks
    from samebits.report.words import describe_claim

    assessment = lineage["stages"].get("assessment")
    if assessment is None:
        return
    metric, interval = assessment["metric"], assessment["uncertainty"]["intervals"].get(assessment["metric"])
    baseline = assessment["baseline"]["metrics"].get(metric)
    parts = (
        [f"{assessment['uncertainty']['confidence']:.0%} interval {float(interval[0]):.6f} to {float(interval[1]):.6f}"]
        if interval
        else []
    )
    parts += [f"knowing nothing scores {float(baseline):.6f}"] if baseline is not None else []
    parts += [f"as good in the folds: {', '.join(assessment['as_good'])}"] if assessment["as_good"] else []
    warn(*([f"worth  {metric}: {'; '.join(parts)}"] if parts else []))
    warn(*(f"claim  {describe_claim(claim)}: {'kept' if claim['kept'] else 'BROKEN'}" for claim in assessment["claims"]))
    if looks := lineage.get("looks"):
        warn(f"looks  this run is {Looks(**looks)}")


def _tell_scores(run_id: str, stages: dict[str, Any]) -> None:
    scores, (rows, metrics) = stages["cross_validation"], take_held_back(stages["metrics"])
    tell(f"run    {run_id}")
    tell(f"data   {stages['data']['digest']}")
    tell(f"model  {stages['model']['digest']}  {scores['best']}")
    scoring, mean = scores["scoring"], float(scores["candidates"][scores["best"]]["mean"])
    tell(f"cv     {name_score(scoring)} {turn_score(scoring, mean):.6f}" + (" (less is better)" if is_turned(scoring) else ""))
    names = dict.fromkeys([name_metric(scores["scoring"]), *_HEADLINE])
    tell(f"{_ROWS[rows]:6} " + ", ".join(f"{name} {float(metrics[name]):.6f}" for name in names if name in metrics))


def _make_document(ended: Made) -> dict[str, Any]:
    lineage, stages = ended.lineage, ended.lineage["stages"]
    scores, (rows, metrics) = stages["cross_validation"], take_held_back(stages["metrics"])
    page = None if ended.experiment_id is None else name_run_page(ended.experiment_id, ended.run_id)
    return {
        "run_id": ended.run_id,
        "reused": ended.is_reused,
        "waiting": ended.waits.as_document() if ended.waits is not None else None,
        "page": page,
        "serve": name_server() if page else None,
        "digests": {
            "inputs": lineage["inputs_digest"],
            "outputs": lineage["outputs_digest"],
            "data": stages["data"]["digest"],
            "model": stages["model"]["digest"],
        },
        "best": scores["best"],
        "scoring": scores["scoring"],
        "candidates": {name: found["mean"] for name, found in scores["candidates"].items()},
        "found": {name: found["values"] for name, found in scores["candidates"].items() if "values" in found},
        "rows": _ROWS[rows],
        "metrics": metrics,
        "assessment": {name: value for name, value in stages.get("assessment", {}).items() if name != "digest"},
        "looks": lineage.get("looks"),
        "remarks": lineage.get("remarks", []),
        "cannot_be_brought_back": list_unrestorable(lineage),
        "reproduce": f"samebits reproduce {ended.run_id}",
    }
