"""Runs that are broken on purpose, between the program and a real server, and what must be true of each of them afterwards.

What was computed is on the server, complete and once, or waits in the spool and is so after `samebits push`; and no run stands as
RUNNING for ever. What is said about a run here is said by asking the server directly, past the proxy.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mlflow
from conftest import clean_environment
from faulty_proxy import Fault, FaultyProxy, Kind, Request
from strange_run import make_project
from warm_program import Ended, WarmProgram

from samebits.holdings.runs import open_recorded_run
from samebits.numerics.profile import make_environment
from samebits.proof.verification import check_record
from samebits.signals import ENDING

UNDELIVERED = 75
Hook = Callable[[Request], None] | None  # as the proxy calls them
N_FITS = 3  # of the config below: two folds, and the final model
_OWN_CLASS = '''"""A tree that leaves a mark each time that it is fitted, and waits where a test says so."""

import os
import time
from pathlib import Path

from sklearn.tree import DecisionTreeClassifier


class Tree(DecisionTreeClassifier):
    def fit(self, *args, **options):
        super().fit(*args, **options)
        folder = Path(os.environ["MARKS"])
        with (folder / "fits").open("a") as file:
            file.write("x")
        while (folder / "closed").exists():
            time.sleep(0.02)
        return self
'''
CONFIG = {
    "name": "broken",
    "version": "2026.11.0",
    "seed": 7,
    "data": {"path": "data/raw/wine.csv", "target": "cultivar"},
    "allow": ["marked"],
    "models": {"tree": {"class": "marked.Tree", "max_depth": 3}, "dummy": {}},
    "cv": {"n_splits": 2},
}


@dataclass
class Outcome:
    """What came of one broken run.

    Parameters
    ----------
    wrong
        What should be otherwise, in words; empty where nothing was lost.
    statuses
        In which the runs of it stand on the server in the end.
    struck
        The faults that struck the command itself.
    """

    ended: Ended
    n_requests: int
    waited: bool
    wrong: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    struck: set[Fault] = field(default_factory=set)


class BrokenRuns:
    """A project, its warm program, and a proxy before a real server; each run has an experiment and a spool of its own.

    Parameters
    ----------
    server
        Address of a real server that a run may be left on.
    silence_seconds
        How long the server may be silent in all before it counts as gone; None leaves the program's own figure.
    verifies
        Whether each run is verified by the program itself, rather than held to its record by the same function here.
    detail
        Of the report, whose page and pictures are files like the others.
    """

    def __init__(
        self, folder: Path, server: str, silence_seconds: float | None = None, verifies: bool = True, detail: str = "short"
    ) -> None:
        self.folder = folder
        config = {**CONFIG, "report": {"detail": detail}}
        self.project = make_project(folder / "project", {"marked.py": _OWN_CLASS, "config.json": json.dumps(config)})
        self.proxy = FaultyProxy(server)
        self.client = mlflow.MlflowClient(tracking_uri=server)
        self._silence_seconds, self.verifies = silence_seconds, verifies
        self._environment = make_environment("portable", clean_environment())
        self._program = WarmProgram(self._environment, self.project / "src")
        self._names = (f"broken-{folder.name}-{number}" for number in itertools.count())

    def close(self) -> None:
        self.proxy.__exit__()

    def run(self, *words: str, name: str) -> Ended:
        """Run one command in the experiment and with the spool of a case."""
        own = self.folder / name
        variables = {"SAMEBITS_SPOOL": str(own / "spool"), "TMPDIR": str(own / "tmp"), "HOME": str(own), "MARKS": str(own)}
        variables |= {"MLFLOW_TRACKING_URI": self.proxy.uri, "MLFLOW_EXPERIMENT_NAME": name}
        variables |= {"XDG_CACHE_HOME": str(self.folder / "cache")}  # the packages are looked through once
        return self._program.run_within(
            list(words), {**self._environment, **variables}, self.project, silence_seconds=self._silence_seconds
        )

    def signal(self, *numbers: int) -> None:
        """Send signals to the command that runs."""
        for number in numbers:
            self._program.signal_command(number)

    def train(self, fault: Fault | None = None, before: Hook = None, after: Hook = None, further: Sequence[Fault] = ()) -> Outcome:
        """Train under a fault and further ones, or with something done at each request, and hold what came of it to the promise."""
        name = next(self._names)
        (self.folder / name / "tmp").mkdir(parents=True)
        self.proxy.clear()
        self.proxy.faults, self.proxy.before, self.proxy.after = [*filter(None, [fault]), *further], before, after
        ended = self.run("train", "config.json", name=name)
        return self._judge(name, ended)

    def push(self, fault: Fault | None = None, before: Hook = None, after: Hook = None) -> Outcome:
        """Push a run that was made while no server was there, under a fault, and hold what came of it to the promise."""
        name = next(self._names)
        self.leave_waiting(name)
        self.proxy.faults, self.proxy.before, self.proxy.after = [*filter(None, [fault])], before, after
        return self._judge(name, self.run("push", name=name))

    def leave_waiting(self, name: str) -> Path:
        """Leave a run waiting that was made while no server was there, a copy of the first one, and return its folder."""
        own, parcel_id = self.folder / name, uuid.uuid4().hex
        (own / "tmp").mkdir(parents=True)
        shutil.copy(self._waiting.parents[1] / "fits", own)
        folder = Path(shutil.copytree(self._waiting, own / "spool" / parcel_id))
        note = json.loads((folder / "parcel.json").read_text(encoding="utf-8"))
        (folder / "parcel.json").write_text(json.dumps({**note, "parcel_id": parcel_id, "experiment_name": name}), encoding="utf-8")
        self.proxy.clear()
        return folder

    @functools.cached_property
    def _waiting(self) -> Path:
        own = self.folder / "waiting"
        (own / "tmp").mkdir(parents=True)
        self.proxy.clear()
        self.proxy.faults = [Fault(Kind.REFUSE, lasts=True)]
        trained = self.run("train", "config.json", name=own.name)
        assert trained.exit_code == UNDELIVERED, trained.stderr.decode()
        return next((own / "spool").glob("*/values.json")).parent

    def train_and_signal(self, numbers: tuple[int, ...], fault: Fault | None = None) -> Outcome:
        """Train, and send signals while a model is being fitted."""
        name = next(self._names)
        (self.folder / name / "tmp").mkdir(parents=True)
        (self.folder / name / "closed").touch()
        self.proxy.clear()
        self.proxy.faults = [*filter(None, [fault])]
        watcher = threading.Thread(target=self._signal_in_fit, args=(self.folder / name, numbers))
        watcher.start()
        ended = self.run("train", "config.json", name=name)
        watcher.join()
        return self._judge(name, ended)

    def _signal_in_fit(self, folder: Path, numbers: tuple[int, ...]) -> None:
        while not (folder / "fits").exists():
            time.sleep(0.02)
        self.signal(*numbers)

    def _judge(self, name: str, ended: Ended) -> Outcome:
        own = self.folder / name
        outcome = Outcome(ended, len(self.proxy.requests), waited=bool(self._list_whole(own)), struck=self.proxy.struck)
        self.proxy.clear()
        was_computed = (own / "fits").exists() and (own / "fits").stat().st_size >= N_FITS
        wrong = [*_judge_words(ended, own, outcome.waited, was_computed)]
        wrong += self._deliver(name) if outcome.waited else []
        if ended.exit_code != 0:
            closed = self.run("status", "--close", name=name)
            wrong += [f"status --close: {closed.stderr.decode()[-300:]}"] * (closed.exit_code != 0)
        runs = self._list_runs(name)
        outcome.statuses = sorted(run.info.status for run in runs if "candidate_name" not in run.data.tags)
        wrong += self._judge_runs(name, runs, must_be_there=outcome.waited or ended.exit_code in (0, UNDELIVERED))
        left = [path.name for path in (own / "tmp").iterdir() if not path.name.endswith(".lock")]
        wrong += [f"left in TMPDIR: {left}"] * bool(left and ended.exit_code >= 0)
        waiting = [path.name for path in (own / "spool").glob("*") if path.is_dir()]
        wrong += [f"left in the spool: {waiting}"] * bool(waiting)
        outcome.wrong = wrong
        if not wrong:
            shutil.rmtree(own)
        return outcome

    @staticmethod
    def _list_whole(own: Path) -> list[Path]:
        return list((own / "spool").glob("*/values.json"))

    def _deliver(self, name: str) -> list[str]:
        pushed = self.run("push", name=name)
        again = self.run("push", name=name)
        return [
            *[f"push: {pushed.exit_code} {pushed.stderr.decode()[-500:]}"] * (pushed.exit_code != 0),
            *[f"second push: {again.exit_code} {again.stdout.decode()}"] * (b"nothing waits" not in again.stdout),
        ]

    def _list_runs(self, name: str) -> list[Any]:
        """Return the runs of an experiment, asked of the server itself."""
        experiment = self.client.get_experiment_by_name(name)
        return list(self.client.search_runs([experiment.experiment_id])) if experiment is not None else []

    def _judge_runs(self, name: str, found: list[Any], must_be_there: bool) -> list[str]:
        nested = [run for run in found if "candidate_name" in run.data.tags]
        runs = [run for run in found if run not in nested]
        open_ones = [run.data.tags["candidate_name"] for run in nested if run.info.status == "RUNNING"]
        wrong = [f"candidates that stand as RUNNING: {open_ones}"] * bool(open_ones)
        return wrong + self._judge_originals(name, runs, nested, must_be_there)

    def _judge_originals(self, name: str, runs: list[Any], nested: list[Any], must_be_there: bool) -> list[str]:
        statuses = sorted(run.info.status for run in runs)
        if not must_be_there:
            return [f"runs that end as {statuses}"] * (statuses not in ([], ["FAILED"], ["KILLED"], ["FINISHED"]))
        if statuses != ["FINISHED"]:
            return [f"runs that end as {statuses}, not one that is FINISHED"]
        run = runs[0]
        names = sorted(one.data.tags["candidate_name"] for one in nested if one.data.tags["mlflow.parentRunId"] == run.info.run_id)
        models, outputs = self.client.search_logged_models([run.info.experiment_id]), run.outputs.model_outputs
        wrong = [f"{len(models)} models, {len(outputs)} of them the run's"] * (len(models) != 1 or len(outputs) != 1)
        wrong += [f"candidates {names}"] * (names != sorted(CONFIG["models"]) or len(names) != len(nested))
        for shown, key in [(one, key) for one in (run, *nested) for key in one.data.metrics]:
            history = [metric.step for metric in self.client.get_metric_history(shown.info.run_id, key)]
            wrong += [f"{key} {len(history)} times"] * (len(history) != len(set(history)))
        return wrong + (self._verify(name, run.info.run_id) if self.verifies else self._check_record(run.info.run_id))

    def _verify(self, name: str, run_id: str) -> list[str]:
        verified = self.run("verify", run_id, name=name)
        return [f"verify: {verified.exit_code} {(verified.stdout + verified.stderr).decode()[:600]}"] * (verified.exit_code != 0)

    def _check_record(self, run_id: str) -> list[str]:
        """Hold a run to its record here: what `verify` does, without the start of a program and the loading of a model."""
        with open_recorded_run(self.client, run_id) as recorded:
            return [f"{check.name}: {check.recorded}, not {check.observed}" for check in check_record(recorded) if not check.passed]


def _judge_words(ended: Ended, own: Path, has_waited: bool, was_computed: bool) -> list[str]:
    """Return what is wrong with an exit code, and with what was said beside it."""
    stderr = ended.stderr.decode("utf-8", "replace")
    wrong = [f"traceback: {bug}"] if (bug := ended.name_traceback()) else []
    if ended.exit_code == UNDELIVERED:
        wrong += ["exit 75 and nothing waits"] * (not has_waited)
        wrong += ["says nothing of the folder or of push"] * (not re.search(rf"{re.escape(str(own))}\S*.*samebits push", stderr))
    if ended.exit_code == 0:
        wrong += ["exit 0 and something waits"] * has_waited
    if ended.exit_code == 2:
        wrong += [f"refused after all was computed: {stderr[-500:]}"] * was_computed
    if was_computed and not has_waited and ended.exit_code not in (0, 2, UNDELIVERED):
        wrong += ["computed, and neither delivered nor waiting"] * (b"run    " not in ended.stdout)
    if ended.exit_code not in (0, 2, UNDELIVERED, -signal.SIGKILL, *(128 + number for number in ENDING)):
        wrong.append(f"exit {ended.exit_code}")
    return wrong


def signal_at(runs: BrokenRuns, which: int | str, *signals: int) -> Callable[[Request], None]:
    """Return what sends signals to the program when a request is before the server, or is answered and the program does not know it.

    Parameters
    ----------
    which
        Its number, or what is searched in "METHOD /path"; the first one that is found.
    """
    is_sent: list[bool] = []

    def act(request: Request) -> None:
        if not is_sent and (request.number == which if isinstance(which, int) else re.search(which, str(request))):
            is_sent.append(True)
            runs.signal(*signals)
            time.sleep(0.2)  # so that it is there before the answer

    return act


TRANSIENT = [Kind.REFUSE, Kind.RESET, Kind.ERROR, Kind.LIE, Kind.LOGIN, Kind.LOSE, Kind.HOLLOW, Kind.CUT, Kind.SLOW]
LASTING = [Kind.REFUSE, Kind.RESET, Kind.ERROR, Kind.HANG, Kind.BLACK_HOLE, Kind.LIE, Kind.LOGIN, Kind.LOSE]
