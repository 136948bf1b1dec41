"""What becomes of parcels that a full disk, a cleaner or a stranger has been at, and of the sound one beside them."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broken_runs import BrokenRuns
from warm_program import Ended

from samebits.digests import digest_file

pytestmark = pytest.mark.xdist_group("faults")


@pytest.fixture(scope="module")
def runs(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokenRuns]:
    made = BrokenRuns(tmp_path_factory.mktemp("damaged"), server, silence_seconds=3, verifies=False)
    yield made
    made.close()


@pytest.fixture(scope="module")
def waiting(runs: BrokenRuns) -> Path:
    """The folder of a parcel that waits."""
    return runs.leave_waiting("kept")


def change_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


def change_lineage(parcel: Path, **changes: object) -> None:
    change_json(parcel / "lineage.json", **changes)
    noted = digest_file(parcel / "lineage.json")
    tags = json.loads((parcel / "values.json").read_text(encoding="utf-8"))["tags"]
    change_json(parcel / "values.json", tags={**tags, "lineage_digest": noted})


def link_to(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def make_folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


SECRET = Path("/etc/passwd")
DAMAGES: dict[str, Callable[[Path], object]] = {
    "no model": lambda parcel: shutil.rmtree(parcel / "model"),
    "no predictions": lambda parcel: (parcel / "artifacts/predictions.csv").unlink(),
    "other predictions": lambda parcel: (parcel / "artifacts/predictions.csv").write_text("row\n", encoding="utf-8"),
    "a link in a file's place": lambda parcel: link_to(parcel / "artifacts/predictions.csv", Path("/etc/passwd")),
    "a link beside the files": lambda parcel: link_to(parcel / "artifacts/more", Path("/etc/passwd")),
    "no lineage": lambda parcel: (parcel / "lineage.json").unlink(),
    "a lineage that is none": lambda parcel: (parcel / "lineage.json").write_bytes(b"\xff"),
    "no values": lambda parcel: (parcel / "values.json").unlink(),
    "values without any": lambda parcel: (parcel / "values.json").write_text("{}", encoding="utf-8"),
    "values of another kind": lambda parcel: change_json(parcel / "values.json", metrics=None),
    "values that are no texts": lambda parcel: change_json(parcel / "values.json", params={"a": [1]}),
    "values of a later samebits": lambda parcel: change_json(parcel / "values.json", schema=2),
    "a commit that no lineage names": lambda parcel: (parcel / "archive/code/0123").mkdir(parents=True),
    "no lock": lambda parcel: (parcel / "lock").unlink(),
    "metrics that are none": lambda parcel: change_json(parcel / "values.json", metrics=[1]),
    "a metric without a number": lambda parcel: change_json(parcel / "values.json", metrics=[["a", "b", 1, 1]]),
    "a param that is no text": lambda parcel: change_json(parcel / "values.json", params={"a": {"b": 1}}),
    "a dataset of other fields": lambda parcel: change_json(parcel / "values.json", dataset={"bogus": 1}),
    "a beginning beyond all time": lambda parcel: change_json(parcel / "values.json", started=10**40),
    "a schema without an archive": lambda parcel: change_lineage(parcel, schema=1, archive=None),
    "a link among the bundles": lambda parcel: link_to(make_folder(parcel / "archive/code" / ("a" * 40)) / "commit.bundle", SECRET),
    "a link among other entries": lambda parcel: link_to(make_folder(parcel / "archive/drill/x") / "id_rsa", SECRET),
    "a link in a table's place": lambda parcel: link_to(make_folder(parcel / "archive/data") / ("a" * 64), SECRET.parent),
    "a file among the bundles": lambda parcel: make_folder(parcel / "archive/code" / ("a" * 40)).joinpath("x").touch(),
    "a lock that is a link": lambda parcel: link_to(parcel / "lock", Path("/etc/passwd")),
}
NOTE = {"parcel_id": "a" * 32, "experiment_name": "a", "conf_file": "a", "started": "2026", "host": "a", "process": 1}
NOTES = {
    "cut": '{"parcel_id": "',
    "another kind": "[]",
    "an id alone": json.dumps({"parcel_id": "a" * 32}),
    "too deep": "[" * 100_000,
    "odd tags": json.dumps({**NOTE, "tags": {"a": 5}}),
    "an odd name": json.dumps({**NOTE, "run_name": {"a": 1}}),
    "an odd server": json.dumps({**NOTE, "server": 5}),
    "a run's id that is none": json.dumps({**NOTE, "server_run_id": {"a": 1}}),
    "half a letter": json.dumps({**NOTE, "conf_file": "\ud800"}),
    "odd kinds": json.dumps({"parcel_id": "a" * 32, "run_id": [], "server": {}, "experiment_name": 3, "started": None}),
}


def spoil(runs: BrokenRuns, waiting: Path, spoil_one: Callable[[Path], object]) -> tuple[str, Path, Path]:
    """Return the name of a case in whose spool a spoilt parcel lies beside a sound one, and the two."""
    name = f"damaged-{uuid.uuid4().hex[:8]}"
    spool = runs.folder / name / "spool"
    (runs.folder / name / "tmp").mkdir(parents=True)
    for folder in (spool / "a", spool / "b"):
        shutil.copytree(waiting, folder)
        change_json(folder / "parcel.json", parcel_id=uuid.uuid4().hex)
    spoil_one(spool / "a")
    return name, spool / "a", spool / "b"


def hold_to_words(ended: Ended) -> None:
    assert ended.name_traceback() is None
    assert ended.exit_code in (0, 2, 75)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_parcel_is_not_delivered_and_stays_and_the_sound_one_goes(runs: BrokenRuns, waiting: Path, damage: str) -> None:
    name, damaged, sound = spoil(runs, waiting, DAMAGES[damage])

    status, pushed = runs.run("status", name=name), runs.run("push", name=name)

    hold_to_words(status)
    hold_to_words(pushed)
    assert (pushed.exit_code, damaged.exists(), sound.exists()) == (75, True, False)
    assert b"root:" not in pushed.stdout + pushed.stderr


@pytest.mark.parametrize("note", NOTES)
def test_a_parcel_whose_note_cannot_be_read_stands_in_no_other_ones_way(runs: BrokenRuns, waiting: Path, note: str) -> None:
    name, damaged, sound = spoil(runs, waiting, lambda parcel: (parcel / "parcel.json").write_text(NOTES[note], encoding="utf-8"))

    status, pushed = runs.run("status", name=name), runs.run("push", name=name)
    trained = runs.run("train", "config.json", name=name)

    hold_to_words(status)
    hold_to_words(pushed)
    assert (damaged.exists(), sound.exists()) == (True, False)
    assert trained.exit_code == 0, trained.stderr.decode()
