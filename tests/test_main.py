from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import PROGRAM, ROOT, clean_environment, run_fresh, run_samebits

from samebits import __main__, __version__
from samebits.__main__ import main
from samebits.command_line import COMMANDS, make_parser
from samebits.errors import EXIT_BUG
from samebits.text import warn
from samebits.voice import show_over

HEAVY = ("numpy", "pandas", "sklearn", "scipy", "mlflow", "git", "yaml", "pydantic", "skops")


def test_help_imports_nothing_heavy() -> None:
    script = (
        f"import sys; from samebits.command_line import make_parser; make_parser(); print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**clean_environment(), "PYTHONPATH": "src"},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )

    assert done.stdout.strip() == "[]", done.stderr


def test_a_first_word_that_is_no_command_is_a_config(tmp_path: Path) -> None:
    done = run_samebits(str(tmp_path / "nope.yaml"))

    assert done.returncode == 2
    assert done.stderr == f"conf_file '{tmp_path}/nope.yaml': expected a config file, found no such file in {ROOT}. Check the path.\n"


def test_a_machine_without_git_is_told_so(write_config: Callable[..., Path], tmp_path: Path) -> None:
    done = run_fresh(str(write_config()), PATH=str(tmp_path), MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/mlflow.db")

    assert done.returncode == 2
    assert f"repository {ROOT}: expected Git, found none on PATH. Install it." in done.stderr


@pytest.mark.parametrize("words", [["--version"], ["version"], ["--help"], ["help"], ["data", "--help"], ["help", "data"]])
def test_what_asks_for_words_gets_them(words: list[str]) -> None:
    done = run_fresh(*words)

    assert done.returncode == 0
    assert __version__ in done.stdout or "usage" in done.stdout


def test_a_bare_program_greets_in_three_lines_and_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main([])

    said = capsys.readouterr().err.splitlines()
    assert exit_code == 2 and len(said) == 3
    assert __version__ in said[0] and "samebits help" in said[2]
    assert all(f"`samebits {word} " in said[1] for word in ("new", "train", "reproduce"))


@pytest.mark.parametrize(
    ("word", "said"),
    [("trian", "Did you mean `samebits train`?"), ("Verify", "Did you mean `samebits verify`?"), ("xyz", "`samebits help` lists")],
)
def test_a_mistyped_command_is_no_config(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main([word, "latest"])

    assert exit_code == 2
    assert f"command '{word}': expected a command, or the path of a config file, found neither. {said}" in capsys.readouterr().err


def test_help_on_a_mistyped_command_suggests_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "tarin"]) == 2
    assert "command 'tarin': expected a command" in (said := capsys.readouterr().err) and "Did you mean `samebits train`?" in said


@pytest.mark.parametrize("words", [["train"], ["data"], ["data", "pin"], []])
def test_missing_words_are_refused(words: list[str]) -> None:
    assert run_samebits(*words).returncode == 2


def test_an_older_python_is_refused_in_words_and_not_as_different() -> None:
    script = "import runpy, sys; sys.version_info = (3, 10, 9); runpy.run_path('src/samebits/__main__.py', run_name='__main__')"

    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=clean_environment(), capture_output=True, encoding="utf-8")

    assert done.returncode == 2
    assert "expected Python 3.11 or later, found " in done.stderr and "Traceback" not in done.stderr


def test_every_command_is_known_to_the_parser() -> None:
    text = make_parser().format_help()

    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args([command, "--help"])

    usage, _, rest = capsys.readouterr().out.partition("\n\n")
    assert usage.startswith("usage: ") and not rest.startswith(("positional arguments", "options"))


def test_a_bug_shows_its_traceback_and_is_no_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("samebits.commands.schema.run_schema", fail)

    assert main(["schema"]) == EXIT_BUG not in (0, 1, 2)
    assert "RuntimeError: a bug" in capsys.readouterr().err


def test_a_half_built_environment_is_said_in_words(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    assert main(["schema"]) == 2
    assert "found no mlflow, sklearn" in capsys.readouterr().err


def test_a_proof_whose_reader_is_gone_is_never_zero() -> None:
    golden = str(ROOT / "tests/goldens/lineage_2.json")
    command = [*PROGRAM, "diff", golden, golden]
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        command, env=clean_environment(), cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, encoding="utf-8", check=False
    )

    os.close(writer)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize(("command", "exit_code"), [("diff", 1), ("verify", 2), ("reproduce", 2)])
def test_a_verdict_is_the_last_word_of_its_recipe(own_store: str, tmp_path: Path, command: str, exit_code: int) -> None:
    """Its exit code is no failure of the recipe's, of which `just` would say so."""
    golden = (ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8")
    lineage = json.loads(golden)
    lineage["artifacts"]["model/model.skops"]["digest"] = f"sha256:{'0' * 64}"
    (tmp_path / "other.json").write_text(json.dumps(lineage), encoding="utf-8")
    words = ["tests/goldens/lineage_2.json", str(tmp_path / "other.json")] if command == "diff" else ["01234567"]
    environment = clean_environment(MLFLOW_TRACKING_URI=own_store, UV_NO_SYNC="1", UV_PROJECT_ENVIRONMENT=sys.prefix)

    done = subprocess.run(["just", command, *words], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)

    assert done.returncode == exit_code
    assert "verdict     DIFFERENT" in done.stdout if command == "diff" else "expected one run whose id begins so" in done.stderr
    assert "ecipe" not in done.stderr


@pytest.mark.parametrize("command", [["train", "x"], ["data", "pin", "x"], ["verify", "x"], ["reproduce", "x"]])
def test_a_full_disk_is_never_success(command: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from samebits import __main__ as program

    def fill(_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/x")

    monkeypatch.setattr(program, "_run_command", fill)
    monkeypatch.setattr(os, "dup2", lambda *_: None)

    assert program.main(command) == 2
    assert capfd.readouterr().err == "/tmp/x: expected free space, found none left. Make some, and run this again.\n"


@pytest.mark.parametrize("number", [errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.ELOOP, errno.ENOSPC])
def test_what_the_system_refuses_is_one_sentence_with_its_path(
    number: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from samebits import __main__ as program

    def refuse(_: object) -> int:
        raise OSError(number, os.strerror(number), "/srv/some\x1bwhere")

    monkeypatch.setattr(program, "_run_command", refuse)
    monkeypatch.setattr(os, "dup2", lambda *_: None)

    assert program.main(["verify", "x"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("/srv/some\\x1bwhere: expected ") and len(said.splitlines()) == 1


def test_what_no_file_is_named_for_stays_a_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from samebits import __main__ as program

    def refuse(_: object) -> int:
        raise ConnectionError("https://u:SECRET@host\x1b[8m")

    monkeypatch.setattr(program, "_run_command", refuse)

    assert program.main(["verify", "x"]) == EXIT_BUG
    said = capsys.readouterr().err
    assert "Traceback" in said and "SECRET" not in said and "\x1b" not in said


def test_temporary_folders_that_are_all_full_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    error = FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    assert __main__._explain_system_error(error, "verify") == 2
    assert "TMPDIR: expected a temporary folder, found none" in capsys.readouterr().err


def test_a_full_disk_hides_no_waiting_run(tmp_path: Path) -> None:
    """Python looks for a temporary folder by writing into each: `status` needs none."""
    spool = tmp_path / "spool"
    record = "import tempfile; tempfile._get_default_tempdir = lambda: 1 / 0; import runpy, sys; sys.argv[0] = sys.argv.pop(1)"
    command = [sys.executable, "-c", f"{record}; runpy.run_path(sys.argv[0], run_name='__main__')", *PROGRAM[1:], "status"]

    done = subprocess.run(
        command, env=clean_environment(SAMEBITS_SPOOL=str(spool)), capture_output=True, encoding="utf-8", check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_word_that_no_file_can_have_as_its_name_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["x" * 300]) == 2
    assert "expected a command, or the path of a config file" in capsys.readouterr().err


def test_that_nobody_reads_what_is_told_on_the_side_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    gone = os.fdopen(writer, "w", encoding="utf-8")
    monkeypatch.setattr(sys, "stderr", gone)

    warn("scored 1 of 3 folds")
    show_over("scored 2 of 3 folds")

    monkeypatch.undo()
    with pytest.raises(BrokenPipeError):  # as the words would have
        gone.close()


@pytest.mark.parametrize("words", [["verify", "zz", "--json"], ["results", "zz", "--format", "json"], ["train", "zz.yaml", "--json"]])
def test_with_json_stdout_holds_what_is_refused_as_one_document(words: list[str], own_store: str) -> None:
    done = run_samebits(*words, MLFLOW_TRACKING_URI=own_store)

    error = json.loads(done.stdout)["error"]
    assert done.returncode == 2 and error["class"] in ("TrackingError", "ConfigError")
    assert len(error["problems"]) == 1 and done.stderr.startswith(error["problems"][0]["where"])
