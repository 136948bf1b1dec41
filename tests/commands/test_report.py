"""`samebits report`: the page again, with what was proved since; and no other file written over."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from conftest import ROOT, SMALL, merge, run_samebits
from recorded_runs import make_once, open_client, train

from samebits.commands.report import run_report
from samebits.errors import LineageError, TrackingError
from samebits.holdings.runs import open_recorded_run
from samebits.lineage.manifest import FIGURES_FOLDER, PAGE_FILE
from samebits.lineage.report_page import digest_page
from samebits.proof.verification import check_record

pytestmark = pytest.mark.xdist_group("report")


@pytest.fixture(scope="module")
def told(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return a store and the one run in it, which has a report; made once for all workers."""

    def record(folder: Path) -> list[str]:
        shutil.copy(empty_store, folder)
        changes = {"name": "told", "models": {"decision_tree": {"max_depth": 3}}, "report": "full"}
        (folder / "told.yaml").write_text(yaml.safe_dump({**merge(SMALL, changes), "report": "full"}), encoding="utf-8")
        store = f"sqlite:///{folder}/mlflow.db"
        return [store, train(folder / "told.yaml", store)]

    store, run_id = make_once("told", tmp_path_factory.getbasetemp(), record)
    return store, run_id


@pytest.fixture
def page(told: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the page made again in an empty folder, which is the current one."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", told[0])
    monkeypatch.chdir(tmp_path)
    run_report(told[1], None)
    return tmp_path / f"report-{told[1][:8]}.html"


def read_page(told: tuple[str, str]) -> bytes:
    with open_recorded_run(open_client(told[0]), told[1]) as recorded:
        return recorded.files[PAGE_FILE].read_bytes()


def test_a_page_made_again_is_the_recorded_one_but_for_what_it_says_of_this_run(told: tuple[str, str], page: Path) -> None:
    recorded, again = read_page(told), page.read_bytes()

    assert digest_page(again) == digest_page(recorded)
    assert told[1].encode() in again and b"Learning curve" in again and b"Partial dependence" in again
    assert oct(page.stat().st_mode & 0o777) == oct(0o666 & ~read_umask())


def read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_page_is_made_again_with_the_proofs_gathered_since(told: tuple[str, str], page: Path) -> None:
    client = open_client(told[0])
    client.set_tag(told[1], "verified", "IDENTICAL")
    client.set_tag(told[1], "verified_time", "2031-01-02T00:00:00+00:00")
    client.set_tag(told[1], "level", "L3 portable")  # which nothing shows
    client.set_tag(told[1], "verdict", "IDENTICAL")
    client.set_tag(told[1], "verdict_time", "2032-01-02T00:00:00+00:00")

    run_report(told[1], str(page))

    assert b"IDENTICAL on 2031-01-02" in page.read_bytes()
    assert b"L3 portable, of levels" not in page.read_bytes() and b"2032-01-02" not in page.read_bytes()


def test_a_file_of_somebody_elses_is_not_written_over(told: tuple[str, str], page: Path) -> None:
    other = page.with_name("other.html")
    other.write_text("<p>mine</p>", encoding="utf-8")

    with pytest.raises(TrackingError, match=r"other\.html: expected no file, or an earlier report, found a file that is no report"):
        run_report(told[1], str(other))
    assert other.read_text(encoding="utf-8") == "<p>mine</p>"
    run_report(told[1], str(other), overwrite=True)
    assert digest_page(other.read_bytes()) == digest_page(page.read_bytes())
    with pytest.raises(TrackingError, match="expected the path of a file"):
        run_report(told[1], str(page.parent))
    assert sorted(path.name for path in page.parent.glob("*report*")) == [page.name]


@pytest.mark.parametrize("name", ["rep_told", "rep.v2", "rep.pdf"])
def test_a_file_that_no_browser_opens_is_refused_with_a_name_to_use(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        TrackingError, match=rf"{re.escape(name)}: expected a file that ends in \.html or \.htm.*{re.escape(name)}\.html\."
    ):
        run_report("0" * 32, str(tmp_path / name))
    assert not list(tmp_path.iterdir())


def test_a_page_of_a_run_without_pictures_names_no_files(told: tuple[str, str], tmp_path: Path) -> None:
    from samebits.commands.report import _make_page

    with copy_artifacts(told, tmp_path) as recorded:
        assert b"figures/roc.png" in _make_page(recorded)
        for name in [name for name in recorded.files if name.startswith(FIGURES_FOLDER)]:
            del recorded.files[name]
        assert b"figures/" not in _make_page(recorded)


def test_a_folder_that_is_not_there_is_said(told: tuple[str, str], tmp_path: Path) -> None:
    done = run_samebits("report", told[1], "--output", str(tmp_path / "no/such/file.html"), MLFLOW_TRACKING_URI=told[0])

    assert done.returncode == 2 and "No such file or directory" in done.stderr and "Traceback" not in done.stderr


def copy_artifacts(told: tuple[str, str], folder: Path) -> Any:
    """Return the recorded run with copies of its files."""
    recorded = open_recorded_run(open_client(told[0]), told[1])
    for name, path in recorded.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        recorded.files[name] = Path(shutil.copy(path, folder / name))
    return recorded


@pytest.mark.parametrize("change", [b"0.9", b"<h2"])
def test_verify_finds_what_was_changed_in_a_page_or_a_picture(told: tuple[str, str], tmp_path: Path, change: bytes) -> None:
    with copy_artifacts(told, tmp_path) as recorded:
        assert [check.name for check in check_record(recorded) if not check.passed] == []
        path = recorded.files[PAGE_FILE]
        path.write_bytes(path.read_bytes().replace(change, b"1" + change[1:], 1))
        picture = recorded.files[f"{FIGURES_FOLDER}roc.png"]
        picture.write_bytes(picture.read_bytes() + b" ")

        wrong = [check.name for check in check_record(recorded) if not check.passed]

    assert {
        f"artifact {PAGE_FILE}",
        f"artifact {FIGURES_FOLDER}roc.png",
        f"{PAGE_FILE}: but for what it says of this run alone",
    } == set(wrong)


def test_a_record_of_another_form_makes_no_report_and_no_traceback(told: tuple[str, str], tmp_path: Path) -> None:
    from samebits.commands.report import _make_page

    with copy_artifacts(told, tmp_path) as recorded:
        lineage = json.loads(recorded.lineage_bytes)
        lineage["stages"]["assessment"]["groups"] = {"sex": [7]}
        recorded.lineage_bytes = json.dumps(lineage).encode()
        with pytest.raises(LineageError, match="a record that a report can be made of"):
            _make_page(recorded)


def test_an_older_run_is_told_by_what_it_has(told: tuple[str, str], tmp_path: Path) -> None:
    from samebits.commands.report import _make_page

    golden = json.loads((ROOT / "tests/goldens/lineage_2.json").read_text(encoding="utf-8"))
    with copy_artifacts(told, tmp_path) as recorded:
        for name in [name for name in recorded.files if name.startswith(FIGURES_FOLDER)]:
            del recorded.files[name]
        golden["artifacts"] = json.loads(recorded.lineage_bytes)["artifacts"]
        recorded.lineage_bytes = json.dumps(golden).encode()

        page = _make_page(recorded).decode("utf-8")

    assert "How good is it?" in page and golden["run"]["run_id"] in page


def test_no_report_is_made_of_files_that_are_not_the_recorded_ones(told: tuple[str, str], tmp_path: Path) -> None:
    from samebits.commands.report import _make_page

    with copy_artifacts(told, tmp_path) as recorded:
        path = recorded.files["predictions.csv"]
        path.write_bytes(path.read_bytes().replace(b"0.", b"1.", 1))

        with pytest.raises(LineageError, match=r"predictions\.csv: expected sha256:"):
            _make_page(recorded)


def test_a_run_without_test_rows_has_no_place_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from samebits.commands import report

    monkeypatch.setattr(report, "ask_looks", lambda *_: None)
    monkeypatch.setattr(report, "list_params", lambda _: {})

    assert report._count_looks(SimpleNamespace(client=None), {"stages": {"assessment": {}}}) == ""  # type: ignore[arg-type]
