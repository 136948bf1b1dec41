from __future__ import annotations

import ast
import io
import json
import logging
import sys
import time
import unicodedata
import warnings
from pathlib import Path

import hypothesis
import pytest
from conftest import ROOT, run_fresh
from hypothesis import strategies

from samebits import text
from samebits.errors import ConfigError, Problem
from samebits.text import clean_lines, clean_text, escape_markdown, hide_credentials, tell_json

SOURCES = sorted((ROOT / "src/samebits").rglob("*.py"))
PRINTS_ITSELF = {"text.py", "model/check.py", "__main__.py", "voice.py", "steps/step_process.py"}
ADDRESSES = [
    ("https://me:SECRET@host/x", "https://host/x"),
    ("https://u:p@SECRET@host/x", "https://host/x"),
    ("https://SECRETTOKEN@host/x", "https://host/x"),
    ("https://u:a/SECRET@host/x", "https://host/x"),
    ("HTTPS://U:SECRET@[::1]:80/x@y", "HTTPS://[::1]:80/x@y"),
    ("postgresql://ml:ab/cdSECRET@127.0.0.1:1/mlflow", "postgresql://127.0.0.1:1/mlflow"),
    ("postgresql://ml:12/34SECRET@db/mlflow", "postgresql://db/mlflow"),
    ("postgresql+psycopg://ml:a?b#SECRET@db/mlflow", "postgresql+psycopg://db/mlflow"),
    ("mysql://ml:a'SECRET@db/mlflow", "mysql://db/mlflow"),
    ("//u:SECRET@host/x", "//host/x"),
    ("ssh://u:SECRET@host/x", "ssh://u@host/x"),
    ("https://host/x?access_token=SECRET", "https://host/x"),
    ("https://host/x?run_id=1&X-Amz-Signature=SECRET&sig=SECRET", "https://host/x?run_id=1"),
    ("https://host/x#access_token=SECRET", "https://host/x"),
    ("https://host/x.git;SECRET", "https://host/x.git"),
    ("mssql+pyodbc:///?odbc_connect=PWD%3DSECRET", "mssql+pyodbc:///"),
]
HARMLESS = [
    "ssh://git@git.example:2222/team/repo.git",
    "git@git.example:team/repo.git",
    "https://host:8080/@scope/package@1",
    "http://127.0.0.1:5000/#/experiments/1/runs/2",
    "http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=samebits&workflowType=machine_learning",
    "sqlite:////home/me@corp/mlflow.db?timeout=3",
    "file:///srv/a@b/c",
    "s3://bucket/a@b",
    "C:/data@home/x.csv",
    "see https://host/x; then mail me@host",
    "data/2020/what?.csv",
]


@pytest.mark.parametrize(("uri", "shown"), ADDRESSES)
def test_no_part_of_a_secret_stays_in_an_address(uri: str, shown: str) -> None:
    assert hide_credentials(uri) == shown
    assert clean_text(f"asked '{uri}' in vain") == f"asked '{shown}' in vain"


@pytest.mark.parametrize("uri", HARMLESS)
def test_what_is_no_secret_stays_in_an_address(uri: str) -> None:
    assert hide_credentials(uri) == clean_text(uri) == uri


@pytest.mark.parametrize(
    "said",
    ["s3%2Fcr%40et/X", "s3/cr@et/X", "s3%2Fcr%40et%2FX", "failed: 's3/cr@et/X'", "Basic bWU6czMvY3JAZXQvWA==", "?k=s3%2fcr%40et%2FX"],
)
def test_the_servers_own_password_is_in_no_text_however_it_is_written(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3%2Fcr%40et/X@host:5000")

    shown = clean_text(f"no: {said}.")

    assert "cr" not in shown.replace("%", "")
    assert shown.startswith("no: ")


@pytest.mark.parametrize("uri", ["http:/me:s3cretSECRET@host", "http:me:s3cretSECRET@host", "me:s3cretSECRET@host:5000"])
def test_a_password_in_an_address_that_is_none_is_in_no_text(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)

    assert "SECRET" not in clean_text(f"found {uri!r}, at /project/{uri}")


@pytest.mark.parametrize("name", text._SECRET_VARIABLES)
def test_a_variable_that_holds_a_secret_is_in_no_text(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "abc+/def=ghi")

    assert clean_text("header abc+/def=ghi, or abc%2B%2Fdef%3Dghi") == "header ***, or ***"


def test_a_password_that_is_an_ordinary_word_spoils_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ml:cafe@db/x")
    digest = "sha256:00cafe00"

    assert clean_text(f"{digest} cafe") == f"{digest} cafe"
    assert clean_text("password=cafe Basic cafe") == "password=*** Basic ***"
    assert clean_text("at x://ml:cafe/y") == "at x://ml:***/y"  # no whole address

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://mlflow:mlflow@db/mlflow")

    assert clean_text("mlflow.db") == "mlflow.db"


def test_a_short_password_stands_only_where_one_would_stand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "test")

    tell_json({"test": {"a=test": 1}, "said": "the test rows; 'password': 'test'"})
    text.tell("test        accuracy 0.9", "test_size=test_size")

    lines = capsys.readouterr().out
    assert json.loads(lines[: lines.index("\n}") + 2]) == {"test": {"a=test": 1}, "said": "the test rows; 'password': '***'"}
    assert lines.splitlines()[-2:] == ["test        accuracy 0.9", "test_size=test_size"]


@pytest.mark.parametrize("word", ["//a:", "a:/", "//a:b@/", "x//", "a://u:p@@"])
def test_a_text_of_megabytes_takes_no_longer_than_a_long_one(word: str) -> None:
    long, whole = text._MOST_CLEANED + len(word), 32 << 20

    shown = [clean_text(word * (size // len(word))) for size in (long, whole)]

    assert shown[0] == shown[1] and len(shown[0]) <= text._MOST_CLEANED


@pytest.mark.parametrize("word", ["a://", "//a:b@", "?a", "&token=a", "\x7f", "a://b?c=d"])
def test_a_document_of_megabytes_in_many_texts_takes_seconds(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.process_time()

    tell_json({"said": [(word * 4096)[:4096]] * 2048})

    shown = json.loads(capsys.readouterr().out)["said"]
    assert time.process_time() - started < 8  # it took 40 s
    assert len(shown) == 2048


def test_of_a_document_no_text_that_may_hold_an_address_is_shown_unsearched(capsys: pytest.CaptureFixture[str]) -> None:
    n_more = text._MOST_SEARCHED // 4000 + 9

    tell_json([*["a://b " + "x" * 4000] * n_more, "https://me:SECRET@host", "plain"])

    *_, address, plain = json.loads(capsys.readouterr().out)
    assert address == text._NOT_SHOWN and plain == "plain"


def test_of_an_address_that_is_cut_off_nothing_is_shown() -> None:
    cut = "x " * ((text._MOST_CLEANED - 20) // 2) + "https://me:" + "SECRET" * 100 + "@host/x"

    assert "SECRET" in cut[: text._MOST_CLEANED] and "SECRE" not in clean_text(cut)


def test_a_secret_by_its_name_is_hidden_without_an_address() -> None:
    assert clean_text("url: /api/x?access_token=SECRET&a=1 Authorization: Bearer SECRET") == (
        "url: /api/x?access_token=***&a=1 Authorization: Bearer ***"
    )


@hypothesis.given(strategies.text())
def test_a_cleaned_text_is_one_line_that_moves_nothing_and_stays_as_it_is(given: str) -> None:
    shown = clean_text(given)

    assert all(unicodedata.category(letter) not in ("Cc", "Zl", "Zp", "Cs") for letter in shown)
    assert not set(shown) & set("\u202e\u2066\u200f\ufeff\u200b")
    assert clean_text(shown) == shown


def test_a_foreign_string_makes_no_line_of_its_own() -> None:
    assert str(Problem("a\nverdict     IDENTICAL", "b\x1b[8m", "c\u2028d\u202e", "")) == (
        "a\\nverdict     IDENTICAL: expected b\\x1b[8m, found c\\u2028d\\u202e."
    )
    assert ConfigError(Problem("a\r", "b", "c", ""), Problem("d\x85", "e", "f", "")).list_sentences() == [
        "a\\r: expected b, found c.",
        "d\\x85: expected e, found f.",
    ]


def test_lines_of_our_own_stay_lines() -> None:
    assert clean_lines("one\ntwo\x1b") == ["one", "two\\x1b"]


def test_json_stays_json_and_shows_no_control(capsys: pytest.CaptureFixture[str]) -> None:
    document = {"a\x9b": ["x\u202ey\n", "https://u:p@host"], "n": 1.5, "none": None}

    tell_json(document)

    shown = capsys.readouterr().out
    assert not set(shown) & set("\x9b\u202e")
    assert json.loads(shown) == {**document, "a\x9b": ["x\u202ey\n", "https://host"]}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("**FINISHED**", "\\*\\*FINISHED\\*\\*"),
        ("[a](https://evil)", "\\[a\\](https\\://evil)"),
        ("<script>", "\\<script\\>"),
        ("a\n# b", "a\\\\n# b"),
        ("# b", "\\# b"),
        ("1. b", "&#49;. b"),
        ("`a`|b", "\\`a\\`\\|b"),
    ],
)
def test_markdown_of_others_is_shown_and_not_obeyed(given: str, shown: str) -> None:
    assert escape_markdown(given) == shown


def test_what_libraries_say_is_cleaned_too(monkeypatch: pytest.MonkeyPatch) -> None:
    factory, formatter, stream = logging.getLogRecordFactory(), warnings.formatwarning, io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("a library")
    logger.addHandler(handler)
    text.guard_other_output()
    try:
        try:
            raise ValueError("https://u:SECRET@host\x1b")
        except ValueError:
            logger.exception("no answer from %s", "https://u:SECRET@host/x\x1b[8m")
        said = warnings.formatwarning("https://u:SECRET@host", UserWarning, "f.py", 1)
    finally:
        logging.setLogRecordFactory(factory)
        warnings.formatwarning = formatter
        logger.removeHandler(handler)

    assert "no answer from https://host/x\\x1b[8m\nTraceback" in stream.getvalue()
    assert "SECRET" not in stream.getvalue() + said
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_that_knows_few_letters_gets_the_others_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)

    text.tell("é")

    assert stream.buffer.getvalue() == b"\\xe9\n"  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_everything_is_printed_in_one_place(path: Path) -> None:
    if path.relative_to(ROOT / "src/samebits").as_posix() in PRINTS_ITSELF:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))

    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    printing = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    printing += [
        call.lineno for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in ("print_exc", "print_exception")
    ]
    printing += [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "write" and ast.unparse(node.value) in ("sys.stdout", "sys.stderr")
    ]

    assert printing == []


def test_a_refused_server_does_not_give_its_password_away(tmp_path: Path) -> None:
    uris = ["http://user:s3cretSECRET@127.0.0.1:1", "postgresql://ml:ab/cdSECRET@127.0.0.1:1/mlflow"]

    said = [run_fresh("verify", "latest", MLFLOW_TRACKING_URI=uri, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0") for uri in uris]

    assert [done.returncode for done in said] == [2, 2]
    assert not any("SECRET" in done.stdout + done.stderr for done in said)


def test_a_text_of_megabytes_fills_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text.tell("x" * 5_000_000)

    assert len(capsys.readouterr().out) < 5000
