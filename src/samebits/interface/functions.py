"""The door of this wing: every function that `import samebits` has, each one command of the command line.

A notebook waits while a fresh process works; what that says of its progress is shown as it comes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samebits.errors import ConfigError, Problem, SamebitsError, TrackingError
from samebits.interface.child import ask_command
from samebits.interface.configs import write_config
from samebits.interface.models import load_run_model, predict_frame
from samebits.interface.outcome import Outcome, read_outcome
from samebits.interface.run import Run, find_run

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Outcome", "Run", "SamebitsError", "diff", "load", "open_run", "predict", "reproduce", "results", "train", "verify"]

RunLike = Run | str | os.PathLike[str]


def train(config: str | os.PathLike[str] | Mapping[str, Any], *, reuse: bool = False, quiet: bool = False) -> Run:
    """Train what a config says in a fresh process, and return the run that was recorded.

    Parameters
    ----------
    config
        The path of a config file, from the project's root or the current folder; or the config itself, as nested mappings. Classes
        may be given as such: they are written as their import paths. A mapping goes with the run as `config/as_written.json`.
    reuse
        Return the finished run with the same inputs, if there is one whose artifacts verify, instead of training.
    quiet
        Show nothing but what stands in the way.

    Returns
    -------
    Run
        Where the server was not reached it waits in the spool, and that is said; `samebits push` delivers it. Of a config with
        `backtest:`, the run that tells of all windows; they are its `windows`.

    Raises
    ------
    SamebitsError
        What the command line would refuse, in the same words: ConfigError, DataError, ProvenanceError, TrackingError.
    KeyboardInterrupt
        It was interrupted, and the run ended as KILLED.
    """
    options = [*(["--reuse"] if reuse else []), *(["--quiet"] if quiet else [])]
    if isinstance(config, Mapping):
        with write_config(config) as path:
            answer = ask_command("train", str(path), "--json", *options)
    else:
        answer = ask_command("train", "--json", *options, "--", _take_word(config, "config"))
    return Run(str(answer["run_id"]), answer)


def open_run(reference: str | os.PathLike[str]) -> Run:
    """Return a run that was recorded before.

    Parameters
    ----------
    reference
        Its id or the beginning of it, `latest`, `runs:/ID`, `models:/NAME/VERSION`, `models:/NAME@ALIAS`, or a lineage.json.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    return find_run(_take_word(reference, "run"))


def verify(run: RunLike, *, content: bool = False, recorded_places: bool = False) -> Outcome:
    """Say whether what the server and the disk hold of a run is what it recorded.

    Parameters
    ----------
    content
        Also load a model of over 4 MiB and digest its content.
    recorded_places
        Also look where the run itself says that its table and repository are: of a run whose author is trusted.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    return _prove("verify", [run], content=content, recorded_places=recorded_places)


def reproduce(
    run: RunLike,
    *,
    varied: bool = False,
    control: bool = False,
    here: bool = False,
    restore_only: bool = False,
    keep: bool = False,
    yes: bool = False,
    from_raw: bool = False,
) -> Outcome:
    """Make a run again from its id alone, and say whether it is the same to the bit.

    Parameters
    ----------
    varied
        Under another path, time zone, locale, umask, hash seed, n_jobs and file order.
    control
        Also make a run with one changed input, which must come out DIFFERENT.
    here
        In the present environment instead of the rebuilt one.
    restore_only
        Bring everything back and train nothing: the verdict is INCONCLUSIVE.
    keep
        Keep the folder.
    yes
        Trust the run's code; a run that you made on this machine needs no word.
    from_raw
        Run its steps again from the raw files, instead of taking the table that they made.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    return _prove(
        "reproduce", [run], varied=varied, control=control, here=here, restore_only=restore_only, keep=keep, yes=yes, from_raw=from_raw
    )


def diff(left: RunLike, right: RunLike, *, recorded_places: bool = False) -> Outcome:
    """Say what differs between two runs or lineages, the most likely cause first.

    Parameters
    ----------
    recorded_places
        Also look where the runs themselves say that their tables and repositories are.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    return _prove("diff", [left, right], recorded_places=recorded_places)


def load(run: RunLike, *, allow: Sequence[str] = ()) -> Any:
    """Return a run's fitted model, its file held to the recorded digest and loaded without pickle.

    Parameters
    ----------
    allow
        Packages that are trusted beside scikit-learn and samebits; what the config allowed is, in a run of one's own.

    Raises
    ------
    LineageError
        The file is not the recorded one, or holds a class that is on no list.
    """
    return load_run_model(_take_run(run), allow)


def predict(run: RunLike, frame: pd.DataFrame, *, allow: Sequence[str] = ()) -> pd.DataFrame:
    """Return what a run's model says of a table's rows, in this process: the columns that `samebits predict` writes.

    These are `predicted`, and `probability_<class>` for each of several classes; of two, for the positive one.

    Parameters
    ----------
    frame
        With the columns that the run learned from, of the same kinds, in any order; others are left alone.
    allow
        As for `load`.

    Raises
    ------
    DataError
        A column is missing or of another kind.
    LineageError
        The model's file is not the recorded one.
    """
    return predict_frame(_take_run(run), frame, allow)


def results(experiment: str | None = None) -> pd.DataFrame:
    """Return a row for each finished run, the latest first, with its scores, its level and its verdict.

    Parameters
    ----------
    experiment
        Its name; None for all.

    Raises
    ------
    TrackingError
        There is no such experiment, or the server cannot be asked.
    """
    import pandas as pd

    rows = ask_command("results", *([experiment] if experiment is not None else []), "--format", "json")
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else ["started", "cv", "spread", "test"])
    numbers = {name: table[name].astype(float) for name in ("cv", "spread", "test")}
    return table.assign(started=pd.to_datetime(table["started"], utc=True), **numbers)


def _prove(command: str, runs: Sequence[RunLike], **wishes: bool) -> Outcome:
    words = [_name(run) for run in runs]
    options = [
        "--from=raw" if name == "from_raw" else f"--{name.replace('_', '-')}" for name, is_wished in wishes.items() if is_wished
    ]
    outcome = read_outcome(" ".join([command, *words]), ask_command(command, "--json", *options, "--", *words))
    for run in runs:
        if isinstance(run, Run):
            run.refresh()  # its tags say now how it came out
    return outcome


def _name(run: RunLike) -> str:
    return run.id if isinstance(run, Run) else _take_word(run, "run")


def _take_run(run: RunLike) -> Run:
    return run if isinstance(run, Run) else find_run(_take_word(run, "run"))


def _take_word(word: str | os.PathLike[str], what: str) -> str:
    """Return what a command line can take."""
    text = os.fspath(word)
    if not text or "\0" in text:
        kind = ConfigError if what == "config" else TrackingError
        raise kind(Problem(what, "the path of a file, or a name", repr(text)[:80], "Write another."))
    return text
