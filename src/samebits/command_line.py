"""The words of the command line: every command and its options, what is short for what, and what is said of a slip.

Nothing is run here and nothing heavy imported, so `samebits help` is instant.
"""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from samebits import __version__
from samebits.errors import Problem
from samebits.verdicts import EXIT_CODES_TEXT

COMMANDS = (
    *("new", "steps", "train", "push", "register", "status", "verify", "reproduce", "diff", "results", "report", "predict", "drift"),
    *("lineage", "data", "schema", "init", "worker"),
)
RESULT_FORMATS = ("text", "markdown", "csv", "json")
PROOFS = ("verify", "reproduce", "diff", "drift")
REPRODUCE_OPTIONS = {
    "varied": "under another path, time zone, locale, umask, hash seed, n_jobs and file order",
    "control": "also make a run with one changed input, which must come out DIFFERENT",
    "here": "in the present environment instead of the rebuilt one",
    "restore-only": "bring everything back and train nothing",
    "keep": "keep the folder",
    "yes": "trust the run's code without being asked; a run that you made on this machine needs no word",
}
STEPS_OPTIONS = {
    "run": "run those that must, without training",
    "again": "also run every step once more, aside, and compare: exit code 1 where one gives other bytes",
    "dvc": "print an equivalent dvc.yaml instead",
    "rehash": "read every file, whatever was found of it before",
}
ORIGINS = ("table", "raw")  # of what a run is made again
DATA_COMMANDS = {
    "push": "keep the tables of configs, and the tables and models of runs, in the store that SAMEBITS_DATA_STORE names, each once",
    "pull": "bring the pinned tables of configs to where they are read, and runs' tables and models here; nothing is overwritten",
    "status": "say of each table of the configs whether it is here, and in the store",
    "sync": "both ways, what is missing: the tables of configs, and the models of their latest runs",
}
TAKE_RUNS = ("push", "pull")
GREETING = (
    f"samebits {__version__}: training runs that anybody can make again, bit for bit, and prove it",
    "`samebits new TABLE` proposes a config, `samebits train CONF` records a run, `samebits reproduce latest` makes it again.",
    "`samebits help` lists the commands, `samebits help COMMAND` says more of one.",
)
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
_ASKS = {"help": "--help", "version": "--version"}


def complete_words(words: Sequence[str]) -> list[str]:
    """Return the words of a whole command.

    >>> complete_words(["confs/training.yaml"]), complete_words(["help", "diff"]), complete_words(["version"])
    (['train', 'confs/training.yaml'], ['diff', '--help'], ['--version'])
    """
    if not words or words[0].startswith("-") or words[0] in COMMANDS:
        return list(words)
    first, *rest = words
    if first in _ASKS:
        return [*(rest if first == "help" else []), _ASKS[first]]
    return ["train", *words]


def find_slip(words: Sequence[str]) -> Problem | None:
    """Return what is wrong with a first word that is neither a command nor a path; None where it is one."""
    words = words[1:] if words[:1] == ["help"] else words  # whose word is a command too
    first = next(iter(words), "-")
    is_path = len(Path(first).parts) > 1 or Path(first).suffix or os.path.exists(first)  # noqa: PTH110 - which never raises
    if is_path or first.startswith("-") or first in (*COMMANDS, *_ASKS):
        return None
    close = difflib.get_close_matches(first.lower(), (*COMMANDS, *_ASKS), n=1)
    remedy = f"Did you mean `samebits {close[0]}`?" if close else "`samebits help` lists the commands."
    return Problem(f"command {first!r}", "a command, or the path of a config file", "neither", remedy)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="samebits",
        description="Training runs that anybody can make again, bit for bit. `samebits CONF` is short for `samebits train CONF`.",
        epilog=(
            f"Exit codes: {EXIT_CODES_TEXT}; 3 a claim is broken (`train --strict`); 75 made, but not delivered; "
            "70 a bug of samebits; 128+N `train` or `push` stopped by signal N."
        ),
    )
    parser.add_argument("--version", action="version", version=f"samebits {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    new = _add_command(commands, "new", "look at a table and write a config for it that trains at once")
    new.add_argument("table", metavar="TABLE", help="file or folder: CSV in any layout, compressed or not, or Parquet")
    new.add_argument("--target", metavar="COLUMN", help="the column to predict; without it the columns are listed")
    new.add_argument("--output", metavar="CONF", help="file to write, a new one; by default in confs/, or beside the table")
    steps = _add_command(commands, "steps", "say how the steps of a config stand, and what would run")
    steps.add_argument("conf_file", metavar="CONF", help="config file (YAML, TOML or JSON), from the project's root")
    for option, text in STEPS_OPTIONS.items():
        steps.add_argument(f"--{option}", action="store_true", help=text)
    steps.add_argument("--only", metavar="STEP", help="one step, run with those that it needs")
    _add_json(steps)
    train = _add_command(commands, "train", "train what a config says and record it as one MLflow run")
    train.add_argument("conf_file", metavar="CONF", help="config file (YAML, TOML or JSON), from the project's root")
    train.add_argument("--quiet", action="store_true", help="say nothing while it runs but what stands in the way")
    train.add_argument("--reuse", action="store_true", help="hand back the finished run with the same inputs, if it verifies")
    train.add_argument("--strict", action="store_true", help="exit with 3 where a claim of the config's is broken")
    _add_json(train)
    push = _add_command(commands, "push", "deliver runs that wait in the spool, each exactly once")
    push.add_argument(
        "run", metavar="RUN", nargs="?", help="a waiting run's id, the beginning of it, or its folder; all where none is given"
    )
    register = _add_command(commands, "register", "register a run's model as its config says, and apply the alias's rule again")
    _add_run(register)
    register.add_argument("--name", help="the registered model's name, where the config has none, or another")
    register.add_argument("--yes", action="store_true", help="take the config of a run that somebody else made at its word")
    status = _add_command(commands, "status", "list the runs that wait in the spool")
    status.add_argument("--close", action="store_true", help="end runs on the server as KILLED whose process is gone")
    data = _add_command(commands, "data", "the dataset of a config")
    data_commands = data.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    pin = _add_command(data_commands, "pin", "write the data's digest into the config; its comments stay")
    pin.add_argument("conf_file", metavar="CONF", help="config file")
    for name, text in DATA_COMMANDS.items():
        of_store = _add_command(data_commands, name, text)
        metavar, more = ("CONF|RUN", ", or runs") if name in TAKE_RUNS else ("CONF", "")
        of_store.add_argument("words", metavar=metavar, nargs="*", help=f"config files{more}; by default all of confs/")
        of_store.add_argument("--rehash", action="store_true", help=STEPS_OPTIONS["rehash"])
    log = _add_command(data_commands, "log", "list the versions of a config's table that runs on the server were trained on")
    log.add_argument("conf_file", metavar="CONF", help="config file")
    gc = _add_command(data_commands, "gc", "list what is in the store and neither a run on the server nor a config here names")
    gc.add_argument("--delete", action="store_true", help="remove it from the store")
    verify = _add_command(commands, "verify", "say whether what the server and the disk hold of a run is what it recorded")
    _add_run(verify)
    verify.add_argument("--content", action="store_true", help="also load a model of over 4 MiB and digest its content")
    _add_recorded_places(verify)
    _add_json(verify)
    reproduce = _add_command(commands, "reproduce", "make a run again from its id alone, and say whether it is the same to the bit")
    _add_run(reproduce)
    for option, text in REPRODUCE_OPTIONS.items():
        reproduce.add_argument(f"--{option}", action="store_true", help=text)
    text = "raw: run the steps again from the raw files, where the run had steps; table: take the table that they made (by default)"
    reproduce.add_argument("--from", dest="origin", choices=ORIGINS, default=ORIGINS[0], help=text)
    _add_json(reproduce)
    diff = _add_command(commands, "diff", "say what differs between two runs or lineages, the most likely cause first")
    _add_run(diff, "left")
    _add_run(diff, "right")
    _add_recorded_places(diff)
    _add_json(diff)
    results = _add_command(commands, "results", "list runs with what they were of and how good they came out")
    results.add_argument("experiment", metavar="EXPERIMENT", nargs="?", help="an experiment's name; all where none is given")
    results.add_argument("--format", choices=RESULT_FORMATS, default=RESULT_FORMATS[0], help="what the table is written as")
    results.add_argument("--sort", metavar="COLUMN", help="by this column instead of the latest first")
    results.add_argument("--reverse", action="store_true", help="the other way round")
    results.add_argument("--where", metavar="COLUMN=VALUE", action="append", default=[], help="only rows whose column begins so")
    report = _add_command(commands, "report", "write a run's page anew, with the proofs gathered since, as one HTML file")
    _add_run(report)
    report.add_argument("--output", metavar="FILE", help="the file; by default report-ID.html in the current folder")
    report.add_argument("--overwrite", action="store_true", help="write also over a file that is no such page")
    predict = _add_command(commands, "predict", "write what a run's model says of each row of a later table")
    _add_model_and_table(predict)
    predict.add_argument("--output", metavar="FILE", required=True, help="new file, .csv or .parquet; its record is FILE.lineage.json")
    predict.add_argument("--overwrite", action="store_true", help="replace the output where it is there")
    drift = _add_command(
        commands,
        "drift",
        "say how far a later table has drifted from a run's training rows: exit code 0 not, 1 drifted, 2 not to be told",
    )
    _add_model_and_table(drift)
    drift.add_argument("--output", metavar="FOLDER", help="also write drift.json and a picture, drift.png, into this folder")
    _add_json(drift)
    lineage = _add_command(commands, "lineage", "print a run's lineage.json, byte for byte")
    _add_run(lineage)
    _add_command(commands, "schema", "print the JSON Schema of the config file")
    worker = _add_command(commands, "worker", "run folds and fits for a Dask scheduler until it is gone (engine: in a config)")
    worker.add_argument("address", metavar="ADDRESS", help="the scheduler's, tcp://HOST:PORT or tls://HOST:PORT")
    worker.add_argument("--profile", choices=("portable", "native"), default="portable", help="the config's numeric_profile")
    worker.add_argument("--quiet", action="store_true", help="say nothing but what stands in the way")
    init = _add_command(commands, "init", "write a project of your own, in which train and reproduce work at once")
    init.add_argument("folder", metavar="FOLDER", help="new or empty")
    init.add_argument("--name", help="of the project and the package with its code; else made of the folder's")
    init.add_argument("--samebits", metavar="SOURCE", help="a wheel, or git+https://…@VERSION; else the running one, as a wheel")
    text = "bring this samebits into a project that `init` made; what was edited there stays as it is, and is named"
    init.add_argument("--upgrade", action="store_true", help=text)
    return parser


def _add_command(commands: Commands, name: str, said: str) -> argparse.ArgumentParser:
    """Add a command whose own help begins with what the list of all says of it."""
    return commands.add_parser(name, help=said, description=f"{said[0].upper()}{said[1:]}.")


def _add_run(parser: argparse.ArgumentParser, name: str = "run") -> None:
    text = "run id or unique prefix, runs:/ID, models:/NAME/VERSION, models:/NAME@ALIAS, latest, or a lineage.json"
    parser.add_argument(name, metavar=name.upper(), help=text)


def _add_model_and_table(parser: argparse.ArgumentParser) -> None:
    text = "a run, named as for `samebits verify`: its id, latest, models:/NAME@ALIAS; or a model folder with its run's lineage.json"
    parser.add_argument("model", metavar="MODEL", help=text)
    parser.add_argument("table", metavar="TABLE", help="file or folder, CSV or Parquet, read as the run read its own")
    parser.add_argument("--yes", action="store_true", help="trust the run's own code, if its model needs any, without being asked")


def _add_recorded_places(parser: argparse.ArgumentParser) -> None:
    text = "also look where the run itself says that its table, repository and remote are: of a run whose author is trusted"
    parser.add_argument("--recorded-places", action="store_true", help=text)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
