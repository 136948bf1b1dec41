"""All that the run above a backtest's windows has, made of theirs: its record, its files, its values, its description."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samebits.backtesting.cutoffs import Window, Written
from samebits.backtesting.page import describe_backtest, name_backtest
from samebits.backtesting.picture import NAME, draw_backtest
from samebits.backtesting.sending import Telling
from samebits.backtesting.summary import Summary, list_metrics, list_steps, write_summary
from samebits.config.loading import LoadedConfig
from samebits.digests import canonical_json, digest_bytes
from samebits.errors import Undelivered
from samebits.lineage.backtest_record import BACKTEST_FILE, SUMMARY_FILE, list_params, list_tags, make_record, write_record
from samebits.lineage.manifest import FIGURES_FOLDER, write_lineage
from samebits.lineage.standing import NOTE_TAG
from samebits.lineage.tracked_values import list_tags as list_window_tags
from samebits.table.dates import read_moment
from samebits.training.stages import describe_config
from samebits.verdicts import Level


@dataclass(frozen=True)
class TrainedWindow:
    """A window with its run.

    Parameters
    ----------
    is_taken
        It was there already.
    waits
        Why it is not on the server; None where it is.
    """

    window: Window
    run_id: str
    lineage: dict[str, Any]
    is_taken: bool = False
    waits: Undelivered | None = None

    def describe(self) -> dict[str, Any]:
        """Return the window as the record has it."""
        return {
            "window": self.window.number,
            "cutoff": self.window.cutoff,
            "run_id": self.run_id,
            "model": self.lineage["stages"]["model"]["name"],
            "inputs_digest": self.lineage["inputs_digest"],
            "outputs_digest": self.lineage["outputs_digest"],
            "lineage_digest": digest_bytes(write_lineage(self.lineage)),
            "was_there": self.is_taken,
        }

    def say(self, n_windows: int) -> str:
        """Return the line that says that it is made."""
        how = "made before" if self.is_taken else "waits" if self.waits is not None else "made"
        assessment = self.lineage["stages"]["assessment"]
        score = f"{assessment['metric']} {float(assessment['value']):.6f}"
        return f"window  {self.window.number} of {n_windows}  {self.window.cutoff}: {score}, {how} as run {self.run_id}"


def make_telling(
    loaded: LoadedConfig,
    project_root: Path,
    trained: Sequence[TrainedWindow],
    summary: Summary,
    run: dict[str, Any],
    request_digest: str,
) -> Telling:
    """Return what the run of a backtest has.

    Parameters
    ----------
    run
        Its id, its experiment, when it started, who made it.
    """
    ended = datetime.datetime.now(datetime.UTC)
    facts = {**run, "seconds": round((ended - datetime.datetime.fromisoformat(run["started"])).total_seconds(), 3)}
    files = _make_files(loaded, summary)
    artifacts = {name: {"digest": digest_bytes(content), "size_bytes": len(content)} for name, content in files.items()}
    shared = list_window_tags(trained[0].lineage, b"")
    windows = [one.describe() for one in trained]
    record = make_record(describe_config(loaded, project_root), windows, artifacts, facts, shared, request_digest)
    content = write_record(record)
    tags = {**list_tags(record, content), "level": str(Level.L0)}
    table = Path(trained[0].lineage["stages"]["data"]["path"]).name
    note = describe_backtest(summary, run["run_id"], table, str(run["experiment_id"]), windows, tags)
    milliseconds = int(ended.timestamp() * 1000)
    return Telling(
        params=list_params(record),
        metrics=list_metrics(summary),
        steps=list_steps(summary),
        moments=[_find_moment(one.window.cutoff, milliseconds) for one in trained],
        tags={**tags, **{name: shared[name] for name in shared if name.startswith("mlflow.source.git")}, NOTE_TAG: note},
        run_name=name_backtest(summary, loaded.config.name, loaded.config.version),
        ended=milliseconds,
        files={**files, BACKTEST_FILE: content},
    )


def _make_files(loaded: LoadedConfig, summary: Summary) -> dict[str, bytes]:
    picture = draw_backtest(summary)
    return {
        SUMMARY_FILE: write_summary(summary),
        f"{FIGURES_FOLDER}{NAME}.png": picture.png,
        f"{FIGURES_FOLDER}{NAME}.svg": picture.svg.encode("utf-8"),
        f"config/as_written{loaded.document.path.suffix or '.yaml'}": loaded.document.content,
        "config/resolved.json": canonical_json(loaded.resolved),
    }


def _find_moment(cutoff: Written, otherwise: int) -> int:
    """Return a cut-off in milliseconds since 1970, as MLflow takes a metric's time; a number is none, nor is what was before."""
    if not isinstance(cutoff, str):
        return otherwise
    return max(0, int(read_moment(cutoff, np.array([], dtype="datetime64[us]")).astype("datetime64[ms]").astype(np.int64)))
