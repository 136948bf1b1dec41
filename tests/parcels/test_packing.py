"""What was computed is put somewhere, however full the first place is, and a signal waits until it is."""

from __future__ import annotations

import datetime
import errno
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from samebits.errors import Problem, ProvenanceError, TrackingError
from samebits.parcels import packing, spool
from samebits.parcels.packing import pack_training
from samebits.parcels.parcel import Parcel
from samebits.parcels.spool import list_parcels, open_parcel
from samebits.table.reading import Source

NOTE = {"conf_file": "a.yaml", "experiment_name": "a", "started": "2026-11-26T00:00:00+00:00"}
NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parcel:
    monkeypatch.setattr(spool, "list_places", lambda _: [tmp_path / "first", tmp_path / "second"])
    monkeypatch.setattr(packing.time, "sleep", lambda _: None)
    return open_parcel(tmp_path, NOTE)


def pack(parcel: Parcel, tmp_path: Path) -> dict[str, Any]:
    return pack_training(parcel, None, NOW, tmp_path)  # type: ignore[arg-type]


def refuse_in(*places: str, number: int = errno.ENOSPC) -> Any:
    """Return what packs a parcel in part, and fails where its place is one of these."""

    def pack_in_part(parcel: Parcel, *_: Any) -> dict[str, Any]:
        (parcel.folder / "artifacts").mkdir()
        (parcel.folder / "artifacts/a.csv").write_text("a", encoding="utf-8")
        if parcel.folder.parent.name in places:
            raise OSError(number, "it does not fit")
        parcel.write_values({})
        return {"packed": parcel.folder.parent.name}

    return pack_in_part


def test_another_place_takes_what_the_first_has_no_room_for(parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_pack", refuse_in("first"))

    lineage = pack(parcel, tmp_path)

    assert lineage == {"packed": "second"} and parcel.folder.parent.name == "second"
    assert [found.folder for found in list_parcels(tmp_path)] == [parcel.folder]


def test_while_every_place_is_full_somebody_may_make_room(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packing, "_pack", refuse_in("first", "second"))

    def make_room(_: float) -> None:
        monkeypatch.setattr(packing, "_pack", refuse_in("second"))

    monkeypatch.setattr(packing.time, "sleep", make_room)

    pack(parcel, tmp_path)

    assert parcel.is_whole and parcel.folder.parent.name == "first"
    assert "no folder has room for what the run made" in capsys.readouterr().err
    assert len(list_parcels(tmp_path)) == 1


def test_a_limit_that_time_does_not_lift_is_said_at_once(parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "_pack", refuse_in("first", "second", number=errno.EFBIG))
    monkeypatch.setattr(packing.time, "sleep", lambda _: pytest.fail("waited for what does not come"))

    with pytest.raises(TrackingError, match=r"first: it does not fit; .*second: it does not fit\. Make room") as raised:
        pack(parcel, tmp_path)

    assert "ulimit -f" in str(raised.value)


def test_a_signal_waits_until_the_parcel_is_whole(parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = refuse_in()

    def be_interrupted(parcel: Parcel, *_: Any) -> dict[str, Any]:
        signal.raise_signal(signal.SIGINT)
        return dict(plain(parcel))

    monkeypatch.setattr(packing, "_pack", be_interrupted)

    with pytest.raises(KeyboardInterrupt):
        pack(parcel, tmp_path)

    assert parcel.is_whole


def test_a_refusal_of_the_system_is_one_whatever_a_library_makes_of_it(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = refuse_in("first")

    def wrap(place: Parcel, *_: Any) -> dict[str, Any]:
        try:
            return dict(plain(place))
        except OSError as error:
            raise ValueError("could not be copied") from error

    monkeypatch.setattr(packing, "_pack", wrap)

    assert pack(parcel, tmp_path) == {"packed": "second"}


def test_a_table_that_is_gone_costs_its_archive_and_not_the_training(parcel: Parcel, tmp_path: Path) -> None:
    source = Source(tmp_path / "gone.csv", "sha256:" + "0" * 64, 10, n_rows=1)

    assert packing._keep_table(parcel, source, "auto") == "gone meanwhile"


def test_a_commit_that_cannot_be_bundled_costs_its_archive_and_not_the_training(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(reason: str) -> Any:
        def bundle(*_: Any) -> None:
            raise ProvenanceError(Problem("repository", "a bundle", reason, "Push it."))

        return bundle

    monkeypatch.setattr(packing, "bundle_commit", refuse("bad object"))
    assert packing._bundle(parcel, tmp_path, "f" * 40) == "could not be bundled"

    monkeypatch.setattr(packing, "bundle_commit", refuse("error: No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        packing._bundle(parcel, tmp_path, "f" * 40)


def test_a_mistake_in_how_a_run_is_told_loses_no_training(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: Any) -> None:
        raise KeyError("word")

    monkeypatch.setattr(packing, "fill_page", fail)
    files = {packing.PAGE_FILE: b"page"}

    assert packing._fill_report(SimpleNamespace(files=files, stages={}), {}, None) == files  # type: ignore[arg-type]
    assert "the report does not say which run it is of" in capsys.readouterr().err
