from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

import samebits
from samebits.errors import ConfigError, Problem, SamebitsError, TrackingError
from samebits.interface import child


def ask(script: str) -> object:
    """Ask a program in samebits' place."""
    return child._ask("samebits train", [sys.executable, "-u", "-c", f"import os, signal, sys, time\n{script}"], {})


def test_what_a_process_refuses_is_raised_with_its_sentence_and_said_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nope.yaml"

    with pytest.raises(ConfigError, match=rf"conf_file '{path}': expected a config file, found no such file in .*\. Check the path\."):
        child.ask_command("train", str(path), "--json")

    assert capsys.readouterr() == ("", "")


def test_what_a_process_says_is_shown_as_it_comes_and_what_it_answers_is_returned(capsys: pytest.CaptureFixture[str]) -> None:
    answer = ask(
        "print('scored a', file=sys.stderr); print('{\"run_id\": '); print('scored b', end='', file=sys.stderr); print('\"ä\"}')"
    )

    assert answer == {"run_id": "ä"}
    assert capsys.readouterr().err == "scored a\nscored b\n"


def test_progress_is_shown_before_the_process_has_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    flag = tmp_path / "heard"
    monkeypatch.setattr(child, "warn", lambda line: flag.touch())

    answer = ask(f"print('half', file=sys.stderr)\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)\nprint('[]')")

    assert answer == []


def test_an_interrupt_is_handed_down_and_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closed = tmp_path / "closed"

    def interrupt(line: str) -> None:
        if line == "ready":
            raise KeyboardInterrupt

    monkeypatch.setattr(child, "warn", interrupt)
    script = (
        "try: print('ready', file=sys.stderr); time.sleep(3600)\n"
        f"except KeyboardInterrupt: time.sleep(0.3); open({str(closed)!r}, 'w'); print('closed', file=sys.stderr)"
    )

    with pytest.raises(KeyboardInterrupt):
        ask(script)

    assert closed.exists()


def test_a_second_interrupt_is_more_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def interrupt(line: str) -> None:
        said.append(line)
        raise KeyboardInterrupt

    monkeypatch.setattr(child, "warn", interrupt)
    deaf = "signal.signal(2, lambda *_: print('deaf', file=sys.stderr))"

    with pytest.raises(KeyboardInterrupt):
        ask(f"{deaf}; print(os.getpid(), file=sys.stderr)\nwhile True: time.sleep(1)")

    assert said[1:] == ["deaf"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(said[0]), 0)


@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        ("sys.exit(70)", RuntimeError, "samebits train ended by a bug of samebits"),
        ("print('no room', file=sys.stderr); os.kill(os.getpid(), 9)", SamebitsError, "it was ended by signal 9: no room"),
        ("sys.exit(2)", SamebitsError, "exit code 2: it said nothing"),
        ("print('{')", SamebitsError, "exit code 0"),
    ],
)
def test_a_process_that_answers_nothing_is_said_by_how_it_ended(script: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        ask(script)


def test_an_error_comes_back_as_it_was_raised() -> None:
    error = TrackingError(Problem("a", "b", "c", "d."), Problem("e", "f", "g", ""))

    again = child.read_error(error.as_document())

    assert type(again) is TrackingError and again.problems == error.problems
    assert type(child.read_error({**error.as_document(), "class": "Problem"})) is SamebitsError


def test_a_notebook_shows_the_sentence_of_an_error_and_no_traceback() -> None:
    error = ConfigError(Problem("config: seed", "an integer", "'x'", "Write a number."))

    assert error._render_traceback_() == ["ConfigError: config: seed: expected an integer, found 'x'. Write a number."]


def test_the_callers_own_process_stays_as_it_is(tmp_path: Path) -> None:
    before = (Path.cwd(), dict(os.environ), list(warnings.filters), list(sys.path))

    with pytest.raises(SamebitsError):
        samebits.train(tmp_path / "nope.yaml")

    assert (Path.cwd(), dict(os.environ), list(warnings.filters), list(sys.path)) == before
