"""What stands in the spool is never lost by whatever happens to the folder or the process."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from samebits.errors import TrackingError
from samebits.parcels import spool
from samebits.parcels.spool import find_parcel, list_parcels, open_parcel

NOTE = {"conf_file": "a.yaml", "experiment_name": "a", "started": "2026-11-26T00:00:00+00:00"}
DATASET = {"name": "a", "digest": "1", "source_type": "local", "source": "{}", "schema": None, "profile": "{}"}
VALUES = {
    **{"schema": 1, "params": {"a": "1"}, "metrics": [["m", 0.5, 2, 0]], "tags": {"t": "x"}, "dataset": DATASET, "model_tags": {}},
    **{"started": 1, "ended": 2},
}


@pytest.fixture(autouse=True)
def own_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Only these places: what other tests leave in the machine's own is no matter."""
    monkeypatch.setattr(spool, "list_places", lambda _: [tmp_path / "first", tmp_path / "second"])
    return tmp_path / "first"


def test_a_parcel_is_whole_only_once_its_values_are_written(tmp_path: Path) -> None:
    parcel = open_parcel(tmp_path, NOTE)
    assert not parcel.is_whole

    parcel.write_values(VALUES)

    (found,) = list_parcels(tmp_path)
    assert found.is_whole and found.read_values() == VALUES
    assert found.note["conf_file"] == "a.yaml" and found.run_id == parcel.parcel_id


def test_a_parcel_is_held_by_one_process_and_by_nobody_once_that_is_gone(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from samebits.parcels import spool\n"
        "spool.list_places = lambda _: [pathlib.Path(sys.argv[1])]\n"
        f"parcel = spool.open_parcel(pathlib.Path(), {NOTE}); print(parcel.folder, flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "first")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    (parcel,) = list_parcels(tmp_path)
    assert not parcel.hold()

    process.kill()
    process.communicate()

    assert parcel.hold()


def test_a_place_that_is_full_is_passed_over(tmp_path: Path, own_spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = spool.shutil.disk_usage

    def tell_full(path: Path) -> Any:
        found = plain(path)
        return found._replace(free=0) if Path(path).is_relative_to(own_spool) else found

    monkeypatch.setattr(spool.shutil, "disk_usage", tell_full)

    assert open_parcel(tmp_path, NOTE).folder.parent == tmp_path / "second"


def test_where_no_place_takes_a_parcel_each_is_named_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first").write_text("a file", encoding="utf-8")
    (tmp_path / "second").symlink_to(tmp_path / "nowhere")

    with pytest.raises(TrackingError, match=r"spool: expected a folder .* found .*first: File exists; .*second: ") as raised:
        open_parcel(tmp_path, NOTE)

    assert "SAMEBITS_SPOOL" in str(raised.value)
    assert not (tmp_path / "nowhere").exists()


def test_a_parcel_that_its_place_has_no_room_for_goes_to_the_next_and_keeps_its_id(tmp_path: Path) -> None:
    parcel = open_parcel(tmp_path, {**NOTE, "run_id": "f" * 32})

    moved = next(spool.move_parcel(parcel, tmp_path))

    assert moved.folder.parent == tmp_path / "second"
    assert (moved.parcel_id, moved.run_id) == (parcel.parcel_id, "f" * 32)


def test_a_note_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parcel = open_parcel(tmp_path, {**NOTE, "a": 1})

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(json, "dump", refuse)
    with pytest.raises(OSError, match="No space"):
        parcel.write_note(a=2)

    (found,) = list_parcels(tmp_path)
    assert found.note["a"] == 1


def test_a_parcel_goes_by_its_folder_its_id_its_runs_id_or_their_beginning(tmp_path: Path) -> None:
    parcel = open_parcel(tmp_path, {**NOTE, "run_id": "abcdef" + "0" * 26})
    open_parcel(tmp_path, NOTE)

    names = [str(parcel.folder), parcel.parcel_id, parcel.parcel_id[:12], "abcdef", parcel.run_id]

    assert {found.folder for name in names if (found := find_parcel(tmp_path, name))} == {parcel.folder}
    assert find_parcel(tmp_path, "latest") is None and find_parcel(tmp_path, "") is None


def test_the_beginning_of_two_runs_is_refused_with_both(tmp_path: Path) -> None:
    for last in "12":
        open_parcel(tmp_path, {**NOTE, "run_id": "abcd" + last * 28})

    with pytest.raises(TrackingError, match=r"expected one waiting run .* abcd1+, abcd2+|abcd2+, abcd1+"):
        find_parcel(tmp_path, "abcd")


def test_what_is_no_parcel_is_passed_over(tmp_path: Path, own_spool: Path) -> None:
    for name, content in (("a", "{"), ("b", "[]"), ("c", "{}")):
        (own_spool / name).mkdir(parents=True)
        (own_spool / name / "parcel.json").write_text(content, encoding="utf-8")

    assert list_parcels(tmp_path) == []


def test_the_spool_is_where_the_users_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAMEBITS_SPOOL", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert spool.find_spool() == tmp_path / "state/samebits/spool"

    monkeypatch.setenv("SAMEBITS_SPOOL", str(tmp_path / "mine"))
    assert spool.find_spool() == tmp_path / "mine"


def test_a_parcel_is_nobodys_but_the_users(tmp_path: Path) -> None:
    parcel = open_parcel(tmp_path, NOTE)

    assert parcel.folder.stat().st_mode & 0o077 == 0
    assert (parcel.folder / "lock").stat().st_mode & 0o077 == 0
    assert parcel.folder.stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"parcel_id": "' + "a" * 32 + '"}',
        json.dumps({**NOTE, "parcel_id": "../../x", "host": "h", "process": 1}),
    ],
    ids=["torn", "list", "empty", "deep", "bare", "path"],
)
def test_a_damaged_note_hides_no_other_parcel(tmp_path: Path, own_spool: Path, content: str) -> None:
    parcel = open_parcel(tmp_path, NOTE)
    (own_spool / "damaged").mkdir()
    (own_spool / "damaged/parcel.json").write_text(content, encoding="utf-8")

    assert [found.folder for found in list_parcels(tmp_path)] == [parcel.folder]


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        json.dumps({**VALUES, "metrics": None}),
        json.dumps({**VALUES, "metrics": [["m"]]}),
        json.dumps({**VALUES, "metrics": [["m", "0.5", 2, 0]]}),
        json.dumps({**VALUES, "params": {"a": 1}}),
        json.dumps({**VALUES, "tags": {"t": ["x"]}}),
        json.dumps({**VALUES, "dataset": {"name": "a"}}),
        json.dumps({**VALUES, "test_dataset": {"name": "a"}}),
        json.dumps({**VALUES, "run_name": 1}),
        json.dumps({**VALUES, "experiment_tags": {"mlflow.note.content": 1}}),
        json.dumps({**VALUES, "model": {"name": ["a"]}}),
        json.dumps({**VALUES, "model": {"params": {"a": 1}}}),
        json.dumps({**VALUES, "candidates": {"a": 1}}),
        json.dumps({**VALUES, "candidates": [{"name": "a", "run_name": "a", "params": {}, "tags": {}, "metrics": [["m"]]}]}),
        json.dumps({**VALUES, "dataset": {**DATASET, "digest": 1}}),
    ],
)
def test_damaged_values_are_said(tmp_path: Path, content: str) -> None:
    parcel = open_parcel(tmp_path, NOTE)
    (parcel.folder / "values.json").write_text(content, encoding="utf-8")

    with pytest.raises(TrackingError, match="expected a part of a parcel as a run left it"):
        parcel.read_values()


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: path.symlink_to("/etc/passwd"), os.mkfifo], ids=["folder", "link", "pipe"])
def test_a_parcel_whose_lock_is_no_file_is_held_by_nobody_here(tmp_path: Path, make: Any) -> None:
    parcel = open_parcel(tmp_path, NOTE)
    parcel.release()
    (parcel.folder / "lock").unlink()
    make(parcel.folder / "lock")

    (found,) = list_parcels(tmp_path)
    assert found.hold() is (make is os.mkfifo)  # a pipe can be locked, and does not block


def test_a_place_that_cannot_be_looked_at_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "list_places", lambda _: [tmp_path / ("x" * 5000), tmp_path / "second"])

    parcel = open_parcel(tmp_path, NOTE)

    assert [found.folder for found in list_parcels(tmp_path)] == [parcel.folder]


def test_a_spool_in_a_project_is_no_change_of_its_code(tmp_path: Path, own_spool: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    open_parcel(tmp_path, NOTE)

    status = ["git", "-C", str(tmp_path), "status", "--porcelain", "--untracked-files=all"]
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == ""


def test_a_spool_is_named_by_its_whole_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMEBITS_SPOOL", "rel/spool")

    with pytest.raises(TrackingError, match="SAMEBITS_SPOOL: expected an absolute path, found 'rel/spool'"):
        spool.find_spool()


def test_a_place_that_is_a_link_of_the_users_own_is_followed(tmp_path: Path, own_spool: Path) -> None:
    (tmp_path / "larger disk").mkdir()
    own_spool.symlink_to(tmp_path / "larger disk")

    parcel = open_parcel(tmp_path, NOTE)

    assert parcel.folder.parent == own_spool and [found.folder for found in list_parcels(tmp_path)] == [parcel.folder]


def test_a_place_without_locks_is_passed_over_and_said(
    tmp_path: Path, own_spool: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = spool.Parcel.hold
    monkeypatch.setattr(spool.Parcel, "hold", lambda parcel: not parcel.folder.is_relative_to(own_spool) and plain(parcel))

    assert open_parcel(tmp_path, NOTE).folder.parent == tmp_path / "second"
    assert "first: no locks to be had" in capsys.readouterr().err


def test_who_takes_a_parcel_knows_what_was_noted_since_it_was_listed(tmp_path: Path) -> None:
    parcel = open_parcel(tmp_path, NOTE)
    (listed,) = list_parcels(tmp_path)
    parcel.write_note(is_sent=True)
    parcel.release()

    assert listed.hold() and listed.note["is_sent"] is True


def test_what_was_made_is_named_though_its_note_is_damaged(tmp_path: Path) -> None:
    parcel = open_parcel(tmp_path, NOTE)
    parcel.write_values(VALUES)
    (parcel.folder / "parcel.json").write_text("{", encoding="utf-8")

    assert spool.list_damaged(tmp_path) == [parcel.folder]


def test_a_parcel_of_a_later_samebits_is_left_to_that(tmp_path: Path) -> None:
    parcel = open_parcel(tmp_path, NOTE)
    parcel.write_values({**VALUES, "schema": 3})

    with pytest.raises(TrackingError, match="expected a parcel of schema 2 or before, found schema 3"):
        parcel.read_values()


def test_a_parcel_that_was_carried_here_is_brought_in_whole_and_stays_where_it_lay(tmp_path: Path) -> None:
    made = open_parcel(tmp_path, {**NOTE, "run_id": "ab" * 16})
    (made.folder / "artifacts").mkdir()
    (made.folder / "artifacts/a.txt").write_text("a", encoding="utf-8")
    made.write_values(VALUES)
    carried = made.folder.rename(tmp_path / "carried")

    brought = spool.bring_in(carried, tmp_path)

    assert (brought.parcel_id, brought.run_id) == (made.parcel_id, made.run_id)
    assert brought.folder.parent == tmp_path / "first" and brought.is_whole
    assert (brought.folder / "artifacts/a.txt").read_text(encoding="utf-8") == "a" and (carried / "values.json").is_file()


@pytest.mark.parametrize("spoil", [lambda folder: (folder / "values.json").unlink(), lambda folder: os.mkfifo(folder / "pipe")])
def test_what_is_carried_here_in_part_leaves_nothing_in_the_spool(tmp_path: Path, spoil: Any) -> None:
    made = open_parcel(tmp_path, NOTE)
    made.write_values(VALUES)
    carried = made.folder.rename(tmp_path / "carried")
    spoil(carried)

    with pytest.raises(TrackingError, match="expected a parcel that is whole"):
        spool.bring_in(carried, tmp_path)

    assert list_parcels(tmp_path) == []
