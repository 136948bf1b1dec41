"""The command line: calls the command that the words name, and turns an error into one sentence and an exit code.

Also the file that MLproject names, so it works as `python src/samebits`, where the package is not installed.
"""

from __future__ import annotations

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
from typing import Any

if sys.version_info < (3, 11):  # noqa: UP036 - said before anything is imported that only a later one reads
    print(f"{sys.executable}: expected Python 3.11 or later, found {sys.version.split()[0]}. Run a later one.", file=sys.stderr)
    sys.exit(2)
if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from samebits.command_line import GREETING, PROOFS, REPRODUCE_OPTIONS, complete_words, find_slip, make_parser
from samebits.errors import EXIT_BUG, EXIT_REFUSED, EXIT_WAITING, Interrupted, Problem, SamebitsError, Undelivered
from samebits.signals import ENDING, ignore_signals
from samebits.text import format_bug, guard_other_output, tell_json, warn
from samebits.verdicts import EXIT_CODES, Verdict

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


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words:
        warn(*GREETING)
        return EXIT_REFUSED
    if slip := find_slip(words):
        warn(str(slip))
        return EXIT_REFUSED
    options = make_parser().parse_args(complete_words(words))
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        remedy = "Install requirements.txt into it; one that `mlflow run` left half built must be deleted first."
        warn(str(Problem(sys.prefix, f"an environment with {', '.join(_NEEDED)}", f"no {', '.join(missing)}", remedy)))
        return EXIT_REFUSED
    try:
        exit_code = _run_command(options)
        try:
            sys.stdout.flush()
        except BrokenPipeError as error:
            return _explain_system_error(error, options.command) or exit_code
        return exit_code
    except SamebitsError as error:
        is_waiting = isinstance(error, Undelivered)
        if _asks_for_json(options) and not is_waiting:  # of what waits its own command has said so
            tell_json({"error": error.as_document()})
        warn(*error.list_sentences())
        return EXIT_WAITING if is_waiting else EXIT_REFUSED
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


def _asks_for_json(options: Any) -> bool:
    return getattr(options, "json", False) or getattr(options, "format", None) == "json"


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


def _run_command(options: Any) -> int:
    if options.command == "new":
        from samebits.commands.new import run_new

        run_new(options.table, options.target, options.output)
    elif options.command == "steps":
        from samebits.commands.steps import StepsWishes, run_steps

        asked = StepsWishes(options.run, options.only, options.again, options.dvc, options.rehash, options.json)
        return run_steps(options.conf_file, asked)
    elif options.command == "train":
        from samebits.commands.train import TrainWishes, run_train

        return run_train(options.conf_file, TrainWishes(options.reuse, options.quiet, options.strict, options.json))
    elif options.command == "push":
        from samebits.commands.push import run_push

        run_push(options.run)
    elif options.command == "register":
        from samebits.commands.register import run_register

        run_register(options.run, options.yes, options.name)
    elif options.command == "status":
        from samebits.commands.status import run_status

        run_status(options.close)
    elif options.command == "verify":
        from samebits.commands.verify import run_verify

        return run_verify(options.run, options.json, options.content, options.recorded_places).exit_code
    elif options.command == "reproduce":
        from samebits.commands.reproduce import run_reproduce
        from samebits.proof.reproduction import Wishes

        wishes = {name.replace("-", "_"): getattr(options, name.replace("-", "_")) for name in REPRODUCE_OPTIONS}
        return run_reproduce(options.run, Wishes(**wishes, as_json=options.json, from_raw=options.origin == "raw")).exit_code
    elif options.command == "diff":
        from samebits.commands.diff import run_diff

        return run_diff(options.left, options.right, options.json, options.recorded_places).exit_code
    elif options.command == "results":
        from samebits.commands.results import run_results

        run_results(options.experiment, options.format, options.sort, options.reverse, options.where)
    elif options.command == "predict":
        from samebits.commands.predict import run_predict

        run_predict(options.model, options.table, options.output, options.overwrite, options.yes)
    elif options.command == "drift":
        from samebits.commands.drift import run_drift

        return run_drift(options.model, options.table, options.output, options.json, options.yes).exit_code
    elif options.command == "report":
        from samebits.commands.report import run_report

        run_report(options.run, options.output, options.overwrite)
    elif options.command == "lineage":
        from samebits.commands.verify import run_lineage

        run_lineage(options.run)
    elif options.command == "data":
        _run_data(options)
    elif options.command == "init":
        from samebits.commands.init import run_init, run_upgrade

        if options.upgrade:
            run_upgrade(options.folder, options.name, options.samebits)
        else:
            run_init(options.folder, options.name, options.samebits)
    elif options.command == "worker":
        from samebits.commands.worker import run_worker

        run_worker(options.address, options.profile, options.quiet)
    else:
        from samebits.commands.schema import run_schema

        run_schema()
    return 0


def _run_data(options: Any) -> None:
    if options.data_command == "pin":
        from samebits.commands.data_pin import run_data_pin

        run_data_pin(options.conf_file)
        return
    if options.data_command in ("log", "gc"):
        from samebits.commands.data_versions import run_data_gc, run_data_log

        run_data_log(options.conf_file) if options.data_command == "log" else run_data_gc(options.delete)
        return
    from samebits.commands.data_store import run_data_pull, run_data_push, run_data_status, run_data_sync

    commands = {"push": run_data_push, "pull": run_data_pull, "status": run_data_status, "sync": run_data_sync}
    commands[options.data_command](options.words, options.rehash)


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
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:  # SIGINT is Python's own; and nohup leaves some ignored
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
