"""`samebits train CONF`: reads and checks the config, pins the numeric profile, trains, and records the run."""

from __future__ import annotations

import datetime
import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from samebits.config import Config, LoadedConfig, find_problems, read_config_document
from samebits.errors import ConfigError, Interrupted, SamebitsError
from samebits.profile import pin_profile
from samebits.project import find_config, find_project_root
from samebits.tracking import prepare_tracking


def run_train(conf_file: str) -> None:
    """Train what a config file says and record it as one run on the tracking server.

    Raises
    ------
    SamebitsError
        Something that the user can mend; the run, where one was opened, ends as FAILED with the reason.
    """
    root = find_project_root()
    try:
        path = find_config(conf_file, root)
        document = read_config_document(path)
        profile = document.value.get("numeric_profile", "portable")
        pin_profile(profile if profile in ("portable", "native") else "portable")
    except SamebitsError as error:
        _report_to_adopted_run(error, conf_file, root)
        raise
    _train_pinned(conf_file, path, root)


def check_config(path: Path) -> LoadedConfig:
    """Read a config and check it whole, the estimators' own parameters included.

    Raises
    ------
    ConfigError
        All that is wrong with it.
    """
    from samebits.components import find_component_problems

    document = read_config_document(path)
    problems = [*find_problems(document), *find_component_problems(document)]
    if problems:
        raise ConfigError(*{problem.where: problem for problem in problems}.values())
    return LoadedConfig(Config.model_validate(document.value), document)


def _train_pinned(conf_file: str, path: Path, root: Path) -> None:
    started = datetime.datetime.now(datetime.UTC)
    uri = prepare_tracking(root)
    os.chdir(root)  # MLflow puts a new SQLite store's artifacts in the current folder
    try:
        loaded = check_config(path)
    except SamebitsError as error:
        _report_to_adopted_run(error, conf_file, root)
        raise
    from samebits.tracking import open_run, record_training
    from samebits.training import make_training

    signal.signal(signal.SIGTERM, _interrupt)
    with open_run(loaded.config.name, conf_file, uri, git_commit=None) as run:
        training = make_training(loaded, root)
        lineage = record_training(run, training, started, flatten_config(loaded.resolved))
    _print_summary(run.run_id, training, lineage)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def _report_to_adopted_run(error: SamebitsError, conf_file: str, root: Path) -> None:
    """Where `mlflow run` has created the run, say there why nothing was trained; it ends the run by our exit code."""
    if not os.environ.get("MLFLOW_RUN_ID"):
        return
    from samebits.tracking import open_run

    try:
        with open_run("", conf_file, prepare_tracking(root), git_commit=None):
            raise error
    except SamebitsError:
        return


def flatten_config(resolved: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested keys as dotted names; lists and what is empty stay as they are.

    >>> flatten_config({"a": {"b": 1, "c": [2]}, "d": {}})
    {'a.b': 1, 'a.c': [2], 'd': {}}
    """
    flat: dict[str, Any] = {}
    for key, value in resolved.items():
        if isinstance(value, dict) and value:
            flat.update(flatten_config(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _print_summary(run_id: str, training: Any, lineage: dict[str, Any]) -> None:
    print(f"run        {run_id}")
    print(f"model      {training.best.name}  {lineage['stages']['model']['digest']}")
    print(f"data       {training.dataset.digest}")
    print(f"cv         {training.scoring} {training.best.mean!r}")
    print("test       " + json.dumps({name: round(value, 6) for name, value in list(training.metrics.items())[:4]})[1:-1])
    if training.code.is_dirty:
        print(f"uncommitted files: {len(training.code.changes)}; their patch is kept with the run", file=sys.stderr)
