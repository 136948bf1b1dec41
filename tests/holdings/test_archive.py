from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from conftest import ROOT, SMALL, merge, run_samebits
from recorded_runs import clone_project, git, run_in

from samebits.digests import digest_file, digest_folder
from samebits.errors import TrackingError
from samebits.holdings.archive import Archive, name_data_entry
from samebits.holdings.data_search import find_recorded_data
from samebits.parcels.packing import _keep_table
from samebits.parcels.spool import open_parcel
from samebits.table.reading import Source

TABLE = ROOT / "data/raw/wine.csv"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(str(tmp_path / "experiment"), f"sqlite:///{tmp_path}/mlflow.db")


def describe(path: Path, digest: str) -> dict[str, Any]:
    return {"path": path.name, "location": str(path), "digest": digest}


def test_an_entry_is_there_only_once_it_is_whole(archive: Archive, tmp_path: Path) -> None:
    name = name_data_entry(digest_file(TABLE))
    assert not archive.holds(name)

    archive.put(name, {"wine.csv": TABLE})

    assert archive.holds(name)
    (tmp_path / "experiment/samebits-archive" / name / "manifest.json").unlink()
    assert not archive.holds(name) and archive.fetch(name, tmp_path) is None


def test_a_table_is_kept_once_per_digest(archive: Archive, tmp_path: Path) -> None:
    name = name_data_entry(digest_file(TABLE))
    archive.put(name, {"wine.csv": TABLE})
    archive.put(name, {"another name.csv": TABLE})

    assert [path.name for path in (tmp_path / "experiment/samebits-archive" / name / "files").iterdir()] == ["wine.csv"]


@pytest.mark.parametrize("is_folder", [False, True])
def test_what_was_archived_comes_back_to_the_bit(archive: Archive, tmp_path: Path, is_folder: bool) -> None:
    table = tmp_path / "table.csv"
    if is_folder:
        (table / "2026").mkdir(parents=True)
        for name in ("a.csv", "2026/b.csv"):
            shutil.copyfile(TABLE, table / name)
    else:
        shutil.copyfile(TABLE, table)
    digest = digest_folder(table) if is_folder else digest_file(table)
    files = {"a.csv": table / "a.csv", "2026/b.csv": table / "2026/b.csv"} if is_folder else {"table.csv": table}
    archive.put(name_data_entry(digest), files)
    table.rename(tmp_path / "moved away")
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    found = find_recorded_data(describe(table, digest), [tmp_path], archive, scratch)

    assert found.path is not None and found.place == "the experiment's archive"
    assert (digest_folder if is_folder else digest_file)(found.path) == digest
    assert is_folder or found.path.name == "table.csv"


@pytest.mark.parametrize("layout", ["{0}", "sha256/{0}", "{1}/{2}", "{1}/{3}/{0}"])
def test_a_store_that_names_files_by_their_digest_is_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    digest = digest_file(TABLE)
    hexadecimal = digest.removeprefix("sha256:")
    place = tmp_path / "store" / layout.format(hexadecimal, hexadecimal[:2], hexadecimal[2:], hexadecimal[2:4])
    place.parent.mkdir(parents=True)
    shutil.copyfile(TABLE, place)
    monkeypatch.setenv("SAMEBITS_DATA_STORE", f"{tmp_path / 'nothing'}:{tmp_path / 'store'}")

    found = find_recorded_data(describe(tmp_path / "wine.csv", digest), [tmp_path], None, tmp_path)

    assert found.path == place


def test_other_bytes_in_a_place_are_never_taken_for_the_table(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the recorded path, in the store under the digest's name, and in the archive: all three are digested again."""
    digest = digest_file(TABLE)
    wrong = tmp_path / "wine.csv"
    wrong.write_text("other", encoding="utf-8")
    store = tmp_path / "store"
    store.mkdir()
    shutil.copyfile(wrong, store / digest.removeprefix("sha256:"))
    monkeypatch.setenv("SAMEBITS_DATA_STORE", str(store))
    archive.put(name_data_entry(digest), {"wine.csv": wrong})
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    found = find_recorded_data(describe(wrong, digest), [tmp_path], archive, scratch)

    assert found.path is None
    assert set(found.other_bytes) == {str(wrong), "the experiment's archive"}


def test_a_table_that_changed_while_a_run_trained_is_not_archived_under_the_old_ones_name(tmp_path: Path) -> None:
    path = tmp_path / "wine.csv"
    shutil.copyfile(TABLE, path)
    source = Source(path, digest_file(path), path.stat().st_size, n_rows=1)
    parcel = open_parcel(tmp_path, {})

    path.write_bytes(path.read_bytes() + b"1")

    assert _keep_table(parcel, source, "auto") == "changed meanwhile"
    assert list((parcel.folder / "archive").rglob("*.csv")) == []
    parcel.let_go()


def test_a_table_and_a_commit_over_the_cap_are_named_as_not_archived_with_what_to_do(store: str, tmp_path: Path) -> None:
    """A table of 60 MB, most of it in one column that is dropped, and a commit with a file of 60 MB: no other place has either."""
    _, work = clone_project(tmp_path)
    table = pd.read_csv(ROOT / "data/raw/wdbc.csv").assign(note=lambda frame: [str(row) * 40_000 for row in frame.index % 10])
    table = pd.concat([table] * 3, ignore_index=True)
    table.to_csv(work / "large.csv", index=False)
    (work / "large.bin").write_bytes(os.urandom(60_000_000))
    data = {"path": "large.csv", "drop": ["id", "note"]}
    (work / "mine.yaml").write_text(
        yaml.safe_dump(merge(SMALL, {"name": "large", "models": {"dummy": {}}, "data": data})), encoding="utf-8"
    )
    git("add", "-A", cwd=work)
    git("commit", "-qm", "large", cwd=work)

    done = run_in(work, "train", "mine.yaml", store=store)

    assert done.returncode == 0, done.stderr
    assert "larger than the 50 MB" in done.stderr and "data push" in done.stderr and "data.archive: always" in done.stderr
    assert "bundle is larger than the 50 MB" in done.stderr and "push it" in done.stderr
    run_id = done.stdout.split()[1]
    shutil.rmtree(work)
    verified = run_samebits("verify", run_id, MLFLOW_TRACKING_URI=store)
    assert verified.returncode == 2
    assert "UNKNOWN  data: " in verified.stdout and "found nowhere" in verified.stdout and "UNKNOWN  commit: " in verified.stdout
    again = run_samebits("reproduce", run_id, "--here", MLFLOW_TRACKING_URI=store)
    assert again.returncode == 2 and "Archive: over the cap" in again.stdout


@pytest.fixture(params=["a folder", "a server"])
def either(request: pytest.FixtureRequest, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The archive, as a folder of this machine and as a store of which only sizes are known."""
    if request.param == "a server":
        monkeypatch.setattr(archive, "_folder", None)
    return archive


@pytest.mark.parametrize("damage", ["cut", "gone", "emptied", "manifest cut"])
@pytest.mark.parametrize("name_now", ["wine.csv", "renamed.csv"])
def test_a_damaged_entry_is_mended_by_whoever_has_the_bytes(either: Archive, tmp_path: Path, damage: str, name_now: str) -> None:
    name = name_data_entry(digest_file(TABLE))
    either.put(name, {"wine.csv": TABLE})
    entry = tmp_path / "experiment/samebits-archive" / name
    kept = entry / "files/wine.csv"
    {
        "cut": lambda: kept.write_bytes(kept.read_bytes()[:100]),
        "gone": kept.unlink,
        "emptied": lambda: kept.write_bytes(b""),
        "manifest cut": lambda: (entry / "manifest.json").write_text("{", encoding="utf-8"),
    }[damage]()

    again = either.put(name, {name_now: TABLE})

    assert again == ([] if damage == "manifest cut" else [name_now if damage == "gone" else "wine.csv"])
    (tmp_path / "to").mkdir()
    assert either.is_whole(name, tmp_path / "to")
    assert either.put(name, {name_now: TABLE}) == []


def test_a_changed_byte_is_mended_where_the_store_is_a_folder(archive: Archive, tmp_path: Path) -> None:
    name = name_data_entry(digest_file(TABLE))
    archive.put(name, {"wine.csv": TABLE})
    kept = tmp_path / "experiment/samebits-archive" / name / "files/wine.csv"
    kept.write_bytes(kept.read_bytes().replace(b"1", b"2", 1))
    assert not archive.is_sound(name)

    assert archive.put(name, {"wine.csv": TABLE}) == ["wine.csv"]
    assert archive.is_sound(name) and digest_file(kept) == digest_file(TABLE)


@pytest.mark.parametrize("place", [".", "files", "files/wine.csv", "manifest.json"])
@pytest.mark.parametrize("kind", ["a link", "a pipe", "the other kind"])
def test_nothing_is_written_through_what_stands_in_an_entrys_place(archive: Archive, tmp_path: Path, place: str, kind: str) -> None:
    name, outside = name_data_entry(digest_file(TABLE)), tmp_path / "outside"
    archive.put(name, {"wine.csv": TABLE})
    odd = tmp_path / "experiment/samebits-archive" / name / place
    shutil.move(odd, outside)
    if kind == "a link":
        odd.symlink_to(outside)
    elif kind == "a pipe":
        os.mkfifo(odd)
    elif outside.is_dir():
        odd.touch()
    else:
        odd.mkdir()
    before = digest_folder(outside) if outside.is_dir() else digest_file(outside)

    archive.put(name, {"wine.csv": TABLE})

    assert archive.is_sound(name) and not odd.is_symlink()
    assert (digest_folder(outside) if outside.is_dir() else digest_file(outside)) == before


def test_a_whole_entry_is_asked_for_in_few_calls(either: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = name_data_entry(digest_file(TABLE))
    either.put(name, {"wine.csv": TABLE})
    calls = []
    real = either._repository.list_artifacts
    monkeypatch.setattr(either._repository, "list_artifacts", lambda path=None: calls.append(path) or real(path))
    monkeypatch.setattr(either._repository, "log_artifact", None)

    either.put(name, {"wine.csv": TABLE})

    assert len(calls) == 2


@pytest.mark.parametrize("inside", ["../../../../outside", "/etc/passwd", "linked"])
def test_a_manifest_leads_nowhere_outside(archive: Archive, tmp_path: Path, inside: str) -> None:
    name = name_data_entry(digest_file(TABLE))
    archive.put(name, {"wine.csv": TABLE})
    entry = tmp_path / "experiment/samebits-archive" / name
    (tmp_path / "experiment/outside").write_text("x", encoding="utf-8")
    if inside == "linked":  # MLflow itself does not give it
        (entry / "files/linked").symlink_to("/etc/passwd")
    target = (entry / "files" / inside).resolve()
    (entry / "manifest.json").write_text(json.dumps({inside: digest_file(target)}), encoding="utf-8")

    (tmp_path / "to").mkdir()
    assert not archive.is_sound(name)
    with contextlib.suppress(TrackingError):
        assert not archive.is_whole(name, tmp_path / "to")
