"""The command line: parses the words, calls the command, and turns an error into one sentence and an exit code.

Also the file that MLproject names, so it works as `python src/samebits`, where the package is not installed.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import errno
import gc
import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import FrameType

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from samebits import __version__
from samebits.errors import EXIT_BUG, EXIT_REFUSED, EXIT_WAITING, Interrupted, Problem, SamebitsError, Undelivered
from samebits.signals import ignore_signals
from samebits.text import format_bug, guard_other_output, warn
from samebits.verdicts import EXIT_CODES, EXIT_CODES_TEXT, Verdict

COMMANDS = ("train", "push", "status", "verify", "reproduce", "diff", "lineage", "data", "schema")
PROOFS = ("verify", "reproduce", "diff")
_REPRODUCE_OPTIONS = {
    "varied": "under another path, time zone, locale, umask, hash seed, n_jobs and file order",
    "control": "also make a run with one changed input, which must come out DIFFERENT",
    "here": "in the present environment instead of the rebuilt one",
    "restore-only": "bring everything back and train nothing",
    "keep": "keep the folder",
    "yes": "trust the run's code without being asked; a run that you made on this machine needs no word",
}
# Git sets these for its hooks and aliases: a repository is found here by the project's folder, never by them.
_GIT_VARIABLES = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES"),
    *("GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX"),
)
# What there is no room for, or that the disk itself fails, is nobody's bug, also where no file is named.
_OF_THE_DISK = {
    errno.ENOSPC: ("free space", "Make some, and run this again."),
    errno.EDQUOT: ("room under the quota", "Make some, and run this again."),
    errno.EFBIG: ("room for a file of this size", "Raise the limit (ulimit -f), and run this again."),
    errno.EIO: ("a disk that can be read and written", "Look at the disk, and run this again."),
    errno.EROFS: ("a disk that can be written", "Choose another folder (TMPDIR), and run this again."),
    errno.EMFILE: ("as many open files as it takes", "Raise the limit (ulimit -n), and run this again."),
    errno.ENOMEM: ("enough memory", "Free some, and run this again."),
}
_NEEDED = ("mlflow", "sklearn", "pandas", "yaml", "git", "pydantic", "skops")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="samebits",
        description="Training runs that anybody can make again, bit for bit. `samebits CONF` is short for `samebits train CONF`.",
        epilog=f"Exit codes: {EXIT_CODES_TEXT}; 75 made, but not delivered; 70 a bug of samebits; 128+N `train` stopped by signal N.",
    )
    parser.add_argument("--version", action="version", version=f"samebits {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train what a config says and record it as one MLflow run")
    train.add_argument("conf_file", metavar="CONF", help="config file (YAML, TOML or JSON), from the project's root")
    train.add_argument("--reuse", action="store_true", help="hand back the finished run with the same inputs, if it verifies")
    push = commands.add_parser("push", help="deliver runs that wait in the spool, each exactly once")
    push.add_argument(
        "run", metavar="RUN", nargs="?", help="a waiting run's id, the beginning of it, or its folder; all where none is given"
    )
    status = commands.add_parser("status", help="list the runs that wait in the spool")
    status.add_argument("--close", action="store_true", help="end runs on the server as KILLED whose process is gone")
    data = commands.add_parser("data", help="the dataset of a config")
    data_commands = data.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    pin = data_commands.add_parser("pin", help="write the data's digest into the config; its comments stay")
    pin.add_argument("conf_file", metavar="CONF", help="config file")
    verify = commands.add_parser("verify", help="say whether what the server and the disk hold of a run is what it recorded")
    _add_run(verify)
    verify.add_argument("--content", action="store_true", help="also load a model of over 4 MiB and digest its content")
    _add_recorded_places(verify)
    _add_json(verify)
    reproduce = commands.add_parser("reproduce", help="make a run again from its id alone, and say whether it is the same to the bit")
    _add_run(reproduce)
    for option, text in _REPRODUCE_OPTIONS.items():
        reproduce.add_argument(f"--{option}", action="store_true", help=text)
    _add_json(reproduce)
    diff = commands.add_parser("diff", help="say what differs between two runs or lineages, the most likely cause first")
    _add_run(diff, "left")
    _add_run(diff, "right")
    _add_recorded_places(diff)
    _add_json(diff)
    lineage = commands.add_parser("lineage", help="print a run's lineage.json, byte for byte")
    _add_run(lineage)
    commands.add_parser("schema", help="print the JSON Schema of the config file")
    return parser


def _add_run(parser: argparse.ArgumentParser, name: str = "run") -> None:
    text = "run id or unique prefix, runs:/ID, models:/NAME/VERSION, models:/NAME@ALIAS, latest, or a lineage.json"
    parser.add_argument(name, metavar=name.upper(), help=text)


def _add_recorded_places(parser: argparse.ArgumentParser) -> None:
    text = "also look where the run itself says that its table, repository and remote are: of a run whose author is trusted"
    parser.add_argument("--recorded-places", action="store_true", help=text)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        words = ["train", *words]
    options = make_parser().parse_args(words)
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        remedy = "Install requirements.txt into it; one that `mlflow run` left half built must be deleted first."
        warn(str(Problem(sys.prefix, f"an environment with {', '.join(_NEEDED)}", f"no {', '.join(missing)}", remedy)))
        return EXIT_REFUSED
    try:
        exit_code = _run_command(options)
        sys.stdout.flush()
        return exit_code
    except SamebitsError as error:
        warn(*error.list_sentences())
        return EXIT_WAITING if isinstance(error, Undelivered) else EXIT_REFUSED
    except (Interrupted, KeyboardInterrupt) as interruption:
        ignore_signals()  # it is being said
        number = interruption.signal_number if isinstance(interruption, Interrupted) else signal.SIGINT
        warn("stopped from the keyboard" if number == signal.SIGINT else f"stopped by signal {number}")
        return EXIT_CODES[Verdict.INCONCLUSIVE] if options.command in PROOFS else 128 + number
    except OSError as error:
        return _explain_system_error(error, options.command)
    except Exception as error:
        warn(*format_bug(error))
        return EXIT_BUG


def _explain_system_error(error: OSError, command: str) -> int:
    """Say what the operating system refused; without a file, and but for what a full disk or a closed pipe gives, it is a bug."""
    if error.errno in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be written there cannot be
    if error.errno == errno.EPIPE:
        return EXIT_CODES[Verdict.INCONCLUSIVE] if command in PROOFS else 0  # a verdict that nobody was told is none
    if error.filename is None and error.errno == errno.ENOENT and "temporary" in str(error):  # Python's word for all of them full
        found = "none: the disk is full, or none may be written to"
        warn(str(Problem("TMPDIR", "a temporary folder", found, "Make room, or name another folder in TMPDIR.")))
        return EXIT_REFUSED
    if error.filename is None and error.errno not in _OF_THE_DISK:
        warn(*format_bug(error))
        return EXIT_BUG
    otherwise = ("what samebits may read or write", "Check it and its permissions, and run this again.")
    expected, remedy = _OF_THE_DISK.get(error.errno or 0, otherwise)
    place = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else "the disk"
    found = "none left" if error.errno == errno.ENOSPC else error.strerror or str(error)
    warn(str(Problem(place, expected, found, remedy)))
    return EXIT_REFUSED


def _run_command(options: argparse.Namespace) -> int:
    if options.command == "train":
        from samebits.commands.train import run_train

        run_train(options.conf_file, options.reuse)
    elif options.command == "push":
        from samebits.commands.push import run_push

        run_push(options.run)
    elif options.command == "status":
        from samebits.commands.status import run_status

        run_status(options.close)
    elif options.command == "verify":
        from samebits.commands.verify import run_verify

        return run_verify(options.run, options.json, options.content, options.recorded_places).exit_code
    elif options.command == "reproduce":
        from samebits.commands.reproduce import run_reproduce
        from samebits.proof.reproduction import Wishes

        wishes = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name in _REPRODUCE_OPTIONS}
        return run_reproduce(options.run, Wishes(**wishes, as_json=options.json)).exit_code
    elif options.command == "diff":
        from samebits.commands.diff import run_diff

        return run_diff(options.left, options.right, options.json, options.recorded_places).exit_code
    elif options.command == "lineage":
        from samebits.commands.verify import run_lineage

        run_lineage(options.run)
    elif options.command == "data":
        from samebits.commands.data_pin import run_data_pin

        run_data_pin(options.conf_file)
    else:
        from samebits.commands.schema import run_schema

        run_schema()
    return 0


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def run_program() -> None:
    """Run as a whole process: start without collecting garbage, end without tearing modules down.

    Importing MLflow makes millions of objects that live to the end: looking through them again and again, and freeing them one by
    one at exit, takes half of the time of a command that trains nothing.
    """
    gc.disable()
    guard_other_output()
    for name in _GIT_VARIABLES:
        os.environ.pop(name, None)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, _interrupt)
    exit_code = main()
    multiprocessing = sys.modules.get("multiprocessing")
    if multiprocessing is not None and multiprocessing.active_children():  # of a class that started some: they are ended at exit
        sys.exit(exit_code)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    run_program()
