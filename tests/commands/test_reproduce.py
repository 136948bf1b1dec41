"""Attacks on `samebits reproduce`: what must never come out IDENTICAL, and what must be made again from nothing but the run's id."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import HANG_SECONDS, PROGRAM, ROOT, SMALL, clean_environment, merge, run_samebits, wait_until
from recorded_runs import clone_project, forge, forge_program, git, open_client, run_in, train

from samebits.commands.reproduce import run_reproduce
from samebits.proof.reproduction import Wishes
from samebits.verdicts import Verdict

pytestmark = pytest.mark.xdist_group("reproduce")


@pytest.fixture(scope="module")
def original(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("original") / "small.yaml"
    path.write_text(
        yaml.safe_dump(merge(SMALL, {"name": "reproduce", "models": {"decision_tree": {"max_depth": 3}}})), encoding="utf-8"
    )
    return train(path, store)


def test_an_honest_copy_is_identical(original: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forger's tools themselves: without a forgery nothing is found."""
    for number, make in enumerate((forge, forge_program)):
        make(monkeypatch, tmp_path / str(number), original, "none", store)

        assert run_reproduce(original, Wishes()) == Verdict.IDENTICAL
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("forgery", "verdict", "said"),
    [
        ("crash after writing", Verdict.INCONCLUSIVE, "failed: exit code 1: Traceback: a crash after everything was written"),
        ("nothing made", Verdict.INCONCLUSIVE, "the rerun made nothing that counts"),
        ("missing artifact", Verdict.DIFFERENT, "metrics.json: missing"),
        ("extra artifact", Verdict.DIFFERENT, "extra.csv: one too many"),
        ("truncated artifact", Verdict.DIFFERENT, "predictions.csv: not equal"),
        ("truncated and recorded so", Verdict.DIFFERENT, "the chains of digests part at: predictions"),
        ("other model, same lineage", Verdict.DIFFERENT, "model/model.skops: not equal"),
    ],
)
def test_a_rerun_that_is_not_whole_is_never_identical(
    original: str,
    store: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    forgery: str,
    verdict: Verdict,
    said: str,
) -> None:
    (forge_program if forgery == "crash after writing" else forge)(monkeypatch, tmp_path, original, forgery, store)

    observed = run_reproduce(original, Wishes())

    printed = capsys.readouterr().out
    assert observed == verdict
    assert said in printed
    assert f"verdict     {verdict}" in printed
    assert open_client(store).get_run(original).data.tags["verdict"] == verdict


def test_a_control_that_comes_out_the_same_voids_the_proof(
    original: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that gives the same outputs whatever its inputs: the comparison would prove nothing."""
    forge(monkeypatch, tmp_path, original, "none", store)

    observed = run_reproduce(original, Wishes(control=True))

    printed = capsys.readouterr().out
    assert observed == Verdict.INCONCLUSIVE
    assert "not DIFFERENT: the proof is void" in printed and "did not come out DIFFERENT, so nothing is proved" in printed


def test_a_drill_that_brought_everything_back_is_level_1_and_no_verdict(
    store: str, write_config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = train(write_config({"name": "drill", "models": {"dummy": {}}}), store)
    forge(monkeypatch, tmp_path, run_id, "none", store)

    observed = run_reproduce(run_id, Wishes(restore_only=True))

    tags = open_client(store).get_run(run_id).data.tags
    assert observed == Verdict.INCONCLUSIVE
    assert tags["level"] == "L1 restorable"
    assert "restored_time" in tags and "verdict" not in tags


def test_a_run_whose_own_record_was_damaged_is_not_made_again(
    store: str, write_config: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = train(write_config({"name": "damaged record", "models": {"dummy": {}}}), store)
    forge(monkeypatch, tmp_path, run_id, "none", store)
    client = open_client(store)
    info = client.get_run(run_id).info
    artifact = Path(info.artifact_uri.removeprefix("file://")) / "config/resolved.json"
    artifact.write_bytes(artifact.read_bytes()[:-1])

    observed = run_reproduce(run_id, Wishes())

    printed = capsys.readouterr().out
    assert observed == Verdict.INCONCLUSIVE
    assert "artifact config/resolved.json: recorded sha256:" in printed and "the record itself is not what it was" in printed
    assert [run.info.run_id for run in client.search_runs([info.experiment_id])] == [run_id]


def test_two_runs_that_both_failed_are_never_identical(store: str, write_config: Callable[..., Path]) -> None:
    path = write_config({"name": "both-failed", "data": {"digest": "sha256:" + "0" * 64}})
    assert run_samebits(str(path), MLFLOW_TRACKING_URI=store).returncode == 2
    client = open_client(store)
    (failed,) = client.search_runs([client.get_experiment_by_name("both-failed").experiment_id])

    for words in (["reproduce", failed.info.run_id], ["verify", failed.info.run_id], ["diff", failed.info.run_id, failed.info.run_id]):
        done = run_samebits(*words, MLFLOW_TRACKING_URI=store)
        assert done.returncode == 2, words
        assert "a finished run with its lineage.json, found none, in a run that ended as FAILED" in done.stderr


HELPER = """
from sklearn.tree import DecisionTreeClassifier

class Shallow(DecisionTreeClassifier):
    def fit(self, X, y):
        self.max_depth = 2
        return super().fit(X, y)
"""


def test_a_dirty_run_whose_checkout_is_gone_is_made_again_from_the_remote(store: str, tmp_path: Path) -> None:
    """With an untracked helper module, a changed tracked file and a config that lies nowhere else."""
    _, work = clone_project(tmp_path)
    git("push", "-q", "origin", "HEAD", cwd=work)
    (work / "helper.py").write_text(HELPER, encoding="utf-8")
    (work / "README.md").write_text("changed\n", encoding="utf-8")
    models = {"shallow": {"class": "helper.Shallow"}, "dummy": {}}
    config = merge(SMALL, {"name": "dirty", "allow": ["helper"], "models": models, "data": {"path": "data/raw/wdbc.csv"}})
    (work / "mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    trained = run_in(work, "train", "mine.yaml", store=store)
    assert trained.returncode == 0, trained.stderr
    run_id = trained.stdout.split()[1]
    shutil.rmtree(work)

    done = run_samebits("reproduce", run_id[:12], "--varied", "--control", "--json", MLFLOW_TRACKING_URI=store)

    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "IDENTICAL"
    assert report["parting_stage"] is None
    assert "from remote" in report["restored"]["code"] and "2 uncommitted files on top" in report["restored"]["code"]
    assert report["control"]["differs"] is True
    assert report["level"] == "L2 repeatable"
    client = open_client(store)
    original, rerun = client.get_run(run_id), client.get_run(report["run_id"])
    assert original.data.tags["level"] == "L2 repeatable"
    assert original.data.tags["reproduced_by"] == rerun.info.run_id
    assert rerun.data.tags["reproduces"] == rerun.data.tags["mlflow.parentRunId"] == run_id
    assert rerun.data.tags["mlflow.note.content"].startswith("**IDENTICAL** to run [")
    assert rerun.data.tags["inputs_digest"] == original.data.tags["inputs_digest"]
    data = json.loads(run_samebits("lineage", rerun.info.run_id, MLFLOW_TRACKING_URI=store).stdout)["stages"]["data"]
    assert "data in another order" in data["location"] and "samebits ändere Ordner-" in data["location"]
    assert run_samebits("verify", rerun.info.run_id, MLFLOW_TRACKING_URI=store).returncode == 0


def test_an_unpushed_commit_is_brought_back_from_the_archive(store: str, tmp_path: Path) -> None:
    remote, work = clone_project(tmp_path)
    config = merge(SMALL, {"name": "unpushed", "models": {"dummy": {}}, "data": {"path": "data/raw/wdbc.csv"}})
    (work / "mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    git("add", "-A", cwd=work)
    git("commit", "-qm", "unpushed", cwd=work)
    trained = run_in(work, "train", "mine.yaml", store=store)
    assert trained.returncode == 0, trained.stderr
    shutil.rmtree(work)

    done = run_samebits("reproduce", trained.stdout.split()[1], "--restore-only", "--keep", "--here", MLFLOW_TRACKING_URI=store)

    assert "from the experiment's archive" in done.stdout
    assert done.returncode == 2  # nothing was trained, so nothing is IDENTICAL
    kept = Path(done.stdout.split("kept        ")[1].splitlines()[0])
    assert (kept / "checkout/mine.yaml").is_file()
    shutil.rmtree(kept)
    shutil.rmtree(remote)


def test_what_cannot_be_restored_is_named_each_part_with_what_to_do(store: str, tmp_path: Path) -> None:
    """A commit over the archive's reach, a table that is nowhere, a changed file over the patch's cap: all said at once."""
    remote, work = clone_project(tmp_path)
    (work / "big.bin").write_bytes(os.urandom(11 << 20))
    table = tmp_path / "table.csv"
    shutil.copyfile(ROOT / "data/raw/wdbc.csv", table)
    changes = {"name": "gone", "models": {"dummy": {}}, "data": {"path": str(table), "archive": "never"}}
    (work / "mine.yaml").write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")
    git("push", "-q", "origin", "HEAD", cwd=work)
    trained = run_in(work, "train", "mine.yaml", store=store)
    assert trained.returncode == 0, trained.stderr
    run_id = trained.stdout.split()[1]
    original = table.read_bytes()
    table.write_bytes(original.replace(b"17.99", b"17.98", 1))
    shutil.rmtree(work)

    done = run_samebits("reproduce", run_id, MLFLOW_TRACKING_URI=store)

    assert done.returncode == 2
    assert "changed file big.bin: expected sha256:" in done.stdout and "commit it for later runs" in done.stdout
    assert f"data {table}: expected sha256:" in done.stdout and "SAMEBITS_DATA_STORE" in done.stdout
    shutil.rmtree(remote)
    again = run_samebits("reproduce", run_id, MLFLOW_TRACKING_URI=store)
    assert "one that a repository or the archive holds" in again.stdout and "Push the commit" in again.stdout
    runs = open_client(store).search_runs([open_client(store).get_run(run_id).info.experiment_id])
    assert [run.info.run_id for run in runs] == [run_id]  # nothing half done


def test_a_python_or_a_package_that_is_gone_is_named(original: str, store: str, tmp_path: Path) -> None:
    from samebits.errors import ProvenanceError
    from samebits.restoring.rebuild import rebuild_environment

    lock = ROOT / "uv.lock"
    project = tmp_path / "project"
    project.mkdir()
    for name in ("pyproject.toml", "uv.lock"):
        shutil.copyfile(ROOT / name, project / name)
    here = {"python": ".".join(map(str, __import__("sys").version_info[:3])), "packages": {"numpy": "0.0.1"}}

    with pytest.raises(
        ProvenanceError, match=r"Python 3\.11\.99: expected the recorded Python, found not installed .*uv python install"
    ):
        rebuild_environment({"python": "3.11.99", "packages": {}}, project, lock, tmp_path / "a")
    with pytest.raises(ProvenanceError, match=r"expected a recorded uv\.lock, found none"):
        rebuild_environment(here, project, None, tmp_path / "b")
    with pytest.raises(ProvenanceError, match=r"expected the recorded packages, found numpy .* \(recorded 0\.0\.1\)"):
        rebuild_environment(here, project, lock, tmp_path / "c")
    broken = tmp_path / "broken.lock"
    text = lock.read_text(encoding="utf-8").replace('name = "joblib"\nversion = "', 'name = "joblib"\nversion = "999.', 1)
    broken.write_text(text, encoding="utf-8")
    with pytest.raises(ProvenanceError, match=r"every package of the recorded uv\.lock"):
        rebuild_environment(here, project, broken, tmp_path / "d")


def test_an_interrupted_reproduction_is_inconclusive_and_leaves_nothing_running(store: str, write_config: Callable[..., Path]) -> None:
    path = write_config({"name": "interrupted-reproduction", "models": {"random_forest": {"n_estimators": 300}}})
    run_id = train(path, store)
    process = subprocess.Popen(
        [*PROGRAM, "reproduce", run_id, "--here"], env=clean_environment(MLFLOW_TRACKING_URI=store), cwd=ROOT, stdout=subprocess.PIPE,
        encoding="utf-8",
    )  # fmt: skip
    client = open_client(store)
    experiment_id = client.get_run(run_id).info.experiment_id
    (rerun, *_) = wait_until(lambda: [run for run in client.search_runs([experiment_id]) if run.data.tags.get("reproduces")], process)
    trainer = wait_until(lambda: list_processes_of(rerun.info.run_id), process)[0]
    os.kill(trainer, signal.SIGSTOP)  # so that it cannot be done before it is asked to stop

    process.send_signal(signal.SIGTERM)
    wait_until(lambda: is_asked_to_end(trainer), process)
    with contextlib.suppress(ProcessLookupError):
        os.kill(trainer, signal.SIGCONT)
    printed, _ = process.communicate(timeout=HANG_SECONDS)

    assert process.returncode == 2
    assert "verdict     INCONCLUSIVE" in printed and "stopped by signal 15" in printed
    assert client.get_run(rerun.info.run_id).info.status == "KILLED"
    assert list_processes_of(rerun.info.run_id) == []


def is_asked_to_end(process_id: int) -> bool:
    """Tell whether SIGTERM waits for a stopped process, or has ended it."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8")
    except OSError:
        return True
    return "State:\tZ" in status or bool(int(status.split("ShdPnd:")[1].split()[0], 16) >> (signal.SIGTERM - 1) & 1)


def test_a_signal_that_comes_while_a_rerun_is_being_started_waits_until_it_can_be_ended() -> None:
    from samebits.signals import hold_signals

    known: list[str] = []
    before = signal.signal(signal.SIGTERM, lambda *_: known.append("asked to stop"))
    try:
        with hold_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            known.append("started")
        assert known == ["started", "asked to stop"]
        signal.raise_signal(signal.SIGTERM)
        assert known == ["started", "asked to stop", "asked to stop"]
    finally:
        signal.signal(signal.SIGTERM, before)


def list_processes_of(run_id: str) -> list[int]:
    """Return the processes that were told to train into a run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"MLFLOW_RUN_ID={run_id}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def test_typed_tags_are_no_evidence(original: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a drill that was not made nor somebody else's reproduction raises a level."""
    from samebits.holdings.runs import open_recorded_run
    from samebits.proof.evidence import collect_evidence

    forge(monkeypatch, tmp_path, original, "none", store)
    assert run_reproduce(original, Wishes()) == Verdict.IDENTICAL
    client = open_client(store)
    (rerun, *_) = [run for run in client.search_runs([client.get_run(original).info.experiment_id]) if run.data.tags.get("reproduces")]
    other = train_small(store, tmp_path, "typed")
    client.set_tag(rerun.info.run_id, "reproduces", other)
    client.set_tag(other, "restored_time", "2026-11-25")
    client.set_tag(other, "verdict", "IDENTICAL")

    with open_recorded_run(client, other) as recorded:
        assert collect_evidence(recorded, recorded.read_lineage()).evidence == []


def train_small(store: str, folder: Path, name: str) -> str:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(merge(SMALL, {"name": name, "models": {"dummy": {}}})), encoding="utf-8")
    return train(path, store)


def test_every_condition_that_is_varied_differs_from_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    from samebits.restoring.rerun import vary_conditions

    before = {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "", "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"}
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    umask = os.umask(0o077)
    try:
        found = vary_conditions(1)
    finally:
        os.umask(umask)

    assert set(found.variables) == set(before)
    assert not set(found.variables.items()) & set(before.items())
    assert (found.umask, found.n_jobs) == (0o027, 2)


def test_a_locale_in_which_python_could_not_start_is_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An editable install writes its folder's name into a file that Python reads by the locale."""
    from samebits.restoring.rerun import vary_conditions

    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    (tmp_path / "editable.pth").write_text("/home/ändere Ordner/src\n", encoding="utf-8")

    assert vary_conditions(1, [str(tmp_path)]).variables["LC_ALL"].endswith("UTF-8")
    (tmp_path / "editable.pth").write_text("/home/src\n", encoding="utf-8")
    assert vary_conditions(1, [str(tmp_path)]).variables["LC_ALL"] != "C.UTF-8"


def test_the_files_of_a_table_are_written_in_the_reverse_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from samebits.restoring.restoration import Restoration
    from samebits.restoring.restored_config import copy_data_in_other_order

    (tmp_path / "table").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "table" / name).write_text(f"x\n{name}\n", encoding="utf-8")
    restoration = Restoration(tmp_path / "fresh", data=tmp_path / "table")
    written: list[str] = []
    copy = shutil.copyfile
    monkeypatch.setattr(shutil, "copyfile", lambda source, target: written.append(Path(target).name) or copy(source, target))

    copy_data_in_other_order(restoration)

    assert written == ["b.csv", "a.csv"]
    assert {path.name: path.read_bytes() for path in restoration.data.iterdir()} == {"a.csv": b"x\na.csv\n", "b.csv": b"x\nb.csv\n"}
    assert restoration.data != tmp_path / "table"
