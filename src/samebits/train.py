"""`samebits train CONF`: reads and checks the config, pins the numeric profile, trains, and records the run."""

from __future__ import annotations

import datetime
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from samebits.config import Config
from samebits.errors import ConfigError, Interrupted, SamebitsError
from samebits.profile import pin_profile
from samebits.project import find_config, find_project_root
from samebits.tracking import open_run, prepare_tracking
from samebits.validation import LoadedConfig, find_problems, read_config_document

if TYPE_CHECKING:
    from samebits.training import Training


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
    from samebits.recording import record_training
    from samebits.training import make_training

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, _interrupt)
    with open_run(loaded.config.name, conf_file, uri) as run:
        training = make_training(loaded, root)
        record_training(run, training, started)
    _print_summary(run.run_id, training)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def _report_to_adopted_run(error: SamebitsError, conf_file: str, root: Path) -> None:
    """Where `mlflow run` has created the run, say there why nothing was trained; it ends the run by our exit code."""
    if not os.environ.get("MLFLOW_RUN_ID"):
        return
    try:
        with open_run("", conf_file, prepare_tracking(root)):
            raise error
    except SamebitsError:
        return


def _print_summary(run_id: str, training: Training) -> None:
    result, materials = training.result, training.materials
    print(f"run    {run_id}")
    print(f"data   {materials.dataset.digest}")
    print(f"model  {result.model_digest}  {result.best.name}")
    print(f"cv     {materials.scoring} {result.best.mean:.6f}")
    print("test   " + ", ".join(f"{name} {value:.6f}" for name, value in list(result.metrics.items())[:4]))
    if training.code.is_dirty:
        print(f"uncommitted files: {len(training.code.changes)}; their patch is kept with the run", file=sys.stderr)
