"""What becomes of parcels that a full disk, a cleaner or a stranger has been at, and of the sound one beside them."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import run_samebits
from recorded_runs import open_client, record_offline

from samebits.digests import digest_file

pytestmark = pytest.mark.xdist_group("verify")


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
    "another lineage": lambda parcel: change_json(parcel / "lineage.json", schema=1),
    "another table": lambda parcel: next((parcel / "archive/data").rglob("*.csv")).write_text("a,b\n", encoding="utf-8"),
    "no values": lambda parcel: (parcel / "values.json").unlink(),
    "values without any": lambda parcel: (parcel / "values.json").write_text("{}", encoding="utf-8"),
    "values of another kind": lambda parcel: change_json(parcel / "values.json", metrics=None),
    "values that are no texts": lambda parcel: change_json(parcel / "values.json", params={"a": [1]}),
    "values of a later samebits": lambda parcel: change_json(parcel / "values.json", schema=3),
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


def write_note(note: str) -> Callable[[Path], object]:
    return lambda parcel: (parcel / "parcel.json").write_text(note, encoding="utf-8")


def spoil_each(parcel: Path, spool: Path, ways: dict[str, Callable[[Path], object]]) -> None:
    """Put into a spool a copy of a parcel for each way to spoil it, and a sound one before and after them."""
    for name in ("0 sound", *ways, "z sound"):
        shutil.copytree(parcel, spool / name)
        change_json(spool / name / "parcel.json", parcel_id=uuid.uuid4().hex)
        ways.get(name, Path.exists)(spool / name)


def test_damaged_parcels_are_not_delivered_and_stay_and_are_in_nobodys_way(
    own_store: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, write_config: Callable[..., Path]
) -> None:
    ways = DAMAGES | {f"note: {name}": write_note(note) for name, note in NOTES.items()}
    spool = tmp_path / "spool"
    spoil_each(record_offline(tmp_path_factory.getbasetemp(), tmp_path / "original"), spool, ways)
    variables = {"SAMEBITS_SPOOL": str(spool), "MLFLOW_TRACKING_URI": own_store}
    config = write_config({"models": {"decision_tree": {}}, "cv": {"n_splits": 2}})

    listed, pushed = run_samebits("status", **variables), run_samebits("push", **variables)
    trained = run_samebits("train", str(config), **variables)

    said = listed.stdout + listed.stderr + pushed.stdout + pushed.stderr
    assert (listed.returncode, pushed.returncode, trained.returncode) == (0, 75, 0), said + trained.stderr
    assert "Traceback" not in said and "root:" not in said
    assert pushed.stdout.count("run    ") == 2  # each sound one
    assert {path.name for path in spool.iterdir() if path.is_dir()} == set(ways)
    unsaid = [name for name in DAMAGES if f"{spool / name}: " not in pushed.stderr and f"{spool / name}/" not in pushed.stderr]
    assert unsaid == []
    client = open_client(own_store)
    runs = client.search_runs([client.get_experiment_by_name("offline").experiment_id])
    assert len([run for run in runs if "candidate_name" not in run.data.tags]) == 2  # nor is a run begun for another
    assert len(runs) == 6  # of two candidates each
