"""The command line: parses the words, calls the command, and turns an error into one sentence and an exit code.

Also the file that MLproject names, so it works as `python src/samebits`, where the package is not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import traceback
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from samebits import __version__
from samebits.errors import EXIT_BUG, EXIT_REFUSED, Interrupted, Problem, SamebitsError

COMMANDS = ("train", "data", "schema")
_NEEDED = ("mlflow", "sklearn", "pandas", "yaml", "git", "pydantic", "skops")


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="samebits",
        description="Training runs that anybody can make again, bit for bit. `samebits CONF` is short for `samebits train CONF`.",
        epilog="Exit codes: 0 done; 2 refused, the reason is on stderr; 70 a bug of samebits; 128+N stopped by signal N.",
    )
    parser.add_argument("--version", action="version", version=f"samebits {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train what a config says and record it as one MLflow run")
    train.add_argument("conf_file", metavar="CONF", help="config file (YAML, TOML or JSON), from the project's root")
    data = commands.add_parser("data", help="the dataset of a config")
    data_commands = data.add_subparsers(dest="data_command", required=True, metavar="COMMAND")
    pin = data_commands.add_parser("pin", help="write the data's digest into the config; its comments stay")
    pin.add_argument("conf_file", metavar="CONF", help="config file")
    commands.add_parser("schema", help="print the JSON Schema of the config file")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        words = ["train", *words]
    options = make_parser().parse_args(words)
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        remedy = "Install requirements.txt into it; one that `mlflow run` left half built must be deleted first."
        print(Problem(sys.prefix, f"an environment with {', '.join(_NEEDED)}", f"no {', '.join(missing)}", remedy), file=sys.stderr)
        return EXIT_REFUSED
    try:
        _run_command(options)
    except SamebitsError as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED
    except Interrupted as interruption:
        print(interruption, file=sys.stderr)
        return 128 + interruption.signal_number
    except KeyboardInterrupt:
        print("stopped from the keyboard", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has what they wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception:
        traceback.print_exc()
        return EXIT_BUG
    return 0


def _run_command(options: argparse.Namespace) -> None:
    if options.command == "train":
        from samebits.train import run_train

        run_train(options.conf_file)
        sys.stdout.flush()
    elif options.command == "data":
        from samebits.data_pin import run_data_pin

        run_data_pin(options.conf_file)
    else:
        from samebits.schema import run_schema

        run_schema()


if __name__ == "__main__":
    sys.exit(main())
