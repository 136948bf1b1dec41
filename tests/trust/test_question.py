"""Whose code `reproduce` runs: one's own at once, a stranger's after a word, and never by what a server says of itself."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PROGRAM, ROOT, clean_environment, run_samebits
from recorded_runs import train

from samebits.digests import digest_bytes
from samebits.errors import ProvenanceError
from samebits.trust import question
from samebits.trust.own_runs import note_own_run

pytestmark = pytest.mark.xdist_group("reproduce")
RUN = "0123456789abcdef" * 2
LINEAGE: dict[str, Any] = {
    "run": {"user": "mallory\n\x1b[8m", "run_id": RUN},
    "stages": {"code": {"commit": "c" * 40, "remote": "https://git.example/x\nverdict IDENTICAL", "changes": {"a.py": "sha256:1"}}},
}


def require(is_trusted: bool = False, lineage_bytes: bytes = b"{}") -> None:
    question.require_trust(RUN, lineage_bytes, LINEAGE, ["https://mlflow.example.org", "s3://bucket/1"], is_trusted)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(text))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def test_ones_own_run_and_a_word_given_before_need_no_question() -> None:
    require(is_trusted=True)

    note_own_run(RUN, digest_bytes(b"{}"))
    require()


def test_without_a_terminal_a_strangers_run_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    with pytest.raises(ProvenanceError) as caught:
        require()

    (line,) = str(caught.value).splitlines()
    assert "recorded by 'mallory\\n\\x1b[8m', commit cccccccccccc" in line and "--yes" in line


@pytest.mark.parametrize(("given", "goes_on"), [("y\n", True), ("YES\n", True), ("\n", False), ("n\n", False), ("", False)])
def test_on_a_terminal_it_says_whose_code_and_what_is_handed_down_and_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str, goes_on: bool
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    answer(monkeypatch, given)

    if goes_on:
        require()
    else:
        with pytest.raises(ProvenanceError, match="Nothing was brought back"):
            require()

    said = capsys.readouterr().err
    assert "Make it again? [y/N]" in said and "1 uncommitted files" in said
    assert "AWS_SECRET_ACCESS_KEY" in said and "s3cret" not in said
    assert "\x1b" not in said and "\nverdict" not in said


def test_a_run_whose_lineage_was_written_anew_on_the_server_is_not_ones_own_any_more() -> None:
    note_own_run(RUN, digest_bytes(b"{}"))

    with pytest.raises(ProvenanceError, match="a run to be trusted"):
        require(lineage_bytes=b'{"stages": "others"}')


def test_the_program_asks_before_anything_is_brought_back(store: str, write_config: Callable[..., Path], tmp_path: Path) -> None:
    """A run as a colleague left it: by another journal. Without a terminal, on one, and trusted beforehand."""
    run_id = train(write_config({"name": "stranger", "models": {"dummy": {}}}), store, XDG_STATE_HOME=str(tmp_path / "colleague"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = ["reproduce", run_id, "--restore-only", "--here"]

    refused = run_samebits(*words, MLFLOW_TRACKING_URI=store, TMPDIR=str(temporary))
    trusted = run_samebits(*words, "--yes", MLFLOW_TRACKING_URI=store, TMPDIR=str(temporary))
    own = run_samebits(*words, MLFLOW_TRACKING_URI=store, XDG_STATE_HOME=str(tmp_path / "colleague"))

    assert refused.returncode == 2 and "If you trust them: --yes." in refused.stdout and "code " not in refused.stdout
    assert "everything was brought back" in trusted.stdout and "everything was brought back" in own.stdout
    assert [path for path in temporary.iterdir() if path.is_dir()] == []
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words], stdin=slave, stdout=slave, stderr=slave, cwd=ROOT, env=clean_environment(MLFLOW_TRACKING_URI=store)
    )
    os.close(slave)
    os.write(master, b"n\n")
    said = read_all(master)
    assert process.wait() == 2
    assert "Make it again? [y/N]" in said and "Nothing was brought back" in said


def read_all(descriptor: int) -> str:
    found = b""
    while True:
        try:
            block = os.read(descriptor, 4096)
        except OSError:  # the other end was closed
            block = b""
        if not block:
            return found.decode("utf-8", "replace")
        found += block
