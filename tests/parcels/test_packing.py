"""What was computed is put somewhere, however full the first place is, and a signal waits until it is."""

from __future__ import annotations

import datetime
import errno
import signal
from pathlib import Path
from typing import Any

import pytest

from samebits.errors import TrackingError
from samebits.parcels import packing, spool
from samebits.parcels.packing import pack_training
from samebits.parcels.spool import Parcel, list_parcels, open_parcel

NOTE = {"conf_file": "a.yaml", "experiment_name": "a", "started": "2026-11-26T00:00:00+00:00"}
NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture
def parcel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parcel:
    monkeypatch.setattr(spool, "list_places", lambda _: [tmp_path / "first", tmp_path / "second"])
    monkeypatch.setattr(packing.time, "sleep", lambda _: None)
    return open_parcel(tmp_path, NOTE)


def pack(parcel: Parcel, tmp_path: Path) -> tuple[Parcel, dict[str, Any]]:
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

    packed, lineage = pack(parcel, tmp_path)

    assert lineage == {"packed": "second"} and packed.parcel_id == parcel.parcel_id
    assert [found.folder for found in list_parcels(tmp_path)] == [packed.folder]


def test_while_every_place_is_full_somebody_may_make_room(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packing, "_pack", refuse_in("first", "second"))

    def make_room(_: float) -> None:
        monkeypatch.setattr(packing, "_pack", refuse_in("second"))

    monkeypatch.setattr(packing.time, "sleep", make_room)

    packed, _ = pack(parcel, tmp_path)

    assert packed is parcel and parcel.is_whole
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
