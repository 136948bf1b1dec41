"""What the tests of the proofs share: one recorded run of a small config, and forged reruns of it."""

from __future__ import annotations

import copy
import fcntl
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from conftest import PROGRAM, ROOT, SMALL, clean_environment, merge, run_fresh, run_samebits
from forged_training import leave_forgery

from samebits.interface.run import Run

FORGERY_PROGRAM = Path(__file__).with_name("forged_training.py")


def train(config: Path, store: str, *words: str, **env: str) -> str:
    """Train a config through the command line and return the run's id."""
    done = run_samebits("train", *words, str(config), MLFLOW_TRACKING_URI=store, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1]


@dataclass(frozen=True)
class ShippedRun:
    """A finished run of a shipped config, in a store that holds what was made of it and nothing else."""

    store: str
    run_id: str


def make_once(name: str, scratch: Path, make: Callable[[Path], Any]) -> Any:
    """Return a value that JSON can hold, made by the first test of all workers that asks for it.

    Parameters
    ----------
    scratch
        The session's folder of this worker.
    make
        Called with a new folder that stays as long as the session's others.
    """
    shared = scratch.parent if "PYTEST_XDIST_WORKER" in os.environ else scratch
    folder = shared / f"once-{name}"
    with (shared / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made.json").exists():
            shutil.rmtree(folder, ignore_errors=True)  # of an earlier try that failed
            folder.mkdir()
            (folder / "made.json").write_text(json.dumps(make(folder)), encoding="utf-8")
    return json.loads((folder / "made.json").read_text(encoding="utf-8"))


def record_shipped(name: str, empty_store: Path, scratch: Path) -> ShippedRun:
    """Return the session's one run of confs/NAME.yaml."""

    def record(folder: Path) -> list[str]:
        shutil.copy(empty_store, folder)
        done = run_fresh(f"confs/{name}.yaml", MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db")
        assert done.returncode == 0, done.stderr
        return [f"sqlite:///{folder}/mlflow.db", done.stdout.split()[1]]

    return ShippedRun(*make_once(f"shipped-{name}", scratch, record))


@functools.cache
def share_value(run_id: str) -> Run:
    """Return one value of a run for all tests of this worker that leave it as it is: it is fetched once, by a process of its own."""
    return Run(run_id)


def copy_value(run_id: str) -> Run:
    """Return a value of a run that is a test's own, and needs no fetching any more."""
    copied = Run(run_id)
    copied._known = copy.deepcopy(share_value(run_id)._fetch())
    return copied


def record_offline(scratch: Path, spool: Path) -> Path:
    """Return a parcel in a spool, a copy of the session's one run that was made without a server."""

    def record(folder: Path) -> str:
        config = folder / "offline.yaml"
        changes = {"name": "offline", "models": {"decision_tree": {"max_depth": 3}, "dummy": {}}, "tracking": {"offline": True}}
        config.write_text(yaml.safe_dump(merge(SMALL, changes)), encoding="utf-8")
        done = run_samebits("train", str(config), SAMEBITS_SPOOL=str(folder / "spool"), MLFLOW_TRACKING_URI="http://127.0.0.1:1")
        assert done.returncode == 75, done.stderr
        return str(folder / "spool" / done.stdout.split()[1])

    original = Path(make_once("offline", scratch, record))
    return Path(shutil.copytree(original, spool / original.name))


def open_client(store: str) -> Any:
    return mlflow.MlflowClient(tracking_uri=store)


def forge(monkeypatch: pytest.MonkeyPatch, folder: Path, original: str, forgery: str, store: str) -> None:
    """Make the next reproduction in this process take what a forger leaves for what the restored program would have left."""
    from samebits.commands import reproduce
    from samebits.restoring import rerun

    def make_rerun(recorded: Any, _: Any, __: Path, name: str, tags: dict[str, str], ___: Any) -> rerun.Rerun:
        run_id = rerun._create_run(recorded, name, tags)
        leave_forgery(recorded.client, run_id, original, forgery, folder)
        recorded.client.set_terminated(run_id)
        return rerun.Rerun(run_id, 0.0, None)

    forge_program(monkeypatch, folder, original, forgery, store)
    monkeypatch.setattr(reproduce, "make_rerun", make_rerun)


def forge_program(monkeypatch: pytest.MonkeyPatch, folder: Path, original: str, forgery: str, store: str) -> None:
    """Make the next reproduction in this process run the forger's program instead of the restored one."""
    from samebits.commands import reproduce
    from samebits.restoring.restoration import Restoration

    package = folder / "forged" / "src" / "samebits"
    package.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(FORGERY_PROGRAM, package / "__main__.py")
    wishes = {"FORGED_FROM": original, "FORGED_FILES": str(folder), "FORGERY": forgery}  # no variable of the caller's reaches it
    first = f"import os, sys; sys.path[0] = {str(ROOT / 'src')!r}; os.environ.update({wishes!r})\n"
    (package / "__main__.py").write_text(first + FORGERY_PROGRAM.read_text(encoding="utf-8"), encoding="utf-8")

    def restore(lineage: Any, recorded: Any, into: Path, *_: Any) -> Restoration:
        return Restoration(into, project=package.parent.parent, data=into, said={"code": "forged"})

    monkeypatch.setattr(reproduce, "restore_run", restore)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(Path.cwd())


def clone_project(folder: Path) -> tuple[Path, Path]:
    """Return a remote and a working clone of this project, with what is being changed now committed."""
    remote, work = folder / "remote.git", folder / "work"
    git("clone", "-q", "--bare", str(ROOT), str(remote))
    git("clone", "-q", str(remote), str(work))
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in filter(None, os.fsdecode(listed).split("\0")):
        if (ROOT / name).is_file():
            (work / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, work / name)
    git("add", "-A", cwd=work)
    git("commit", "-qm", "now", "--allow-empty", cwd=work)
    return remote, work


def git(*words: str, cwd: Path | None = None) -> None:
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", *words], cwd=cwd, env={**os.environ, **identity}, check=True, capture_output=True)


def run_in(project: Path, *words: str, store: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM[0], str(project / "src" / "samebits"), *words]
    return subprocess.run(
        command, env=clean_environment(MLFLOW_TRACKING_URI=store, **env), cwd=project, capture_output=True, encoding="utf-8"
    )


class CountingClient:
    """A client that knows how many runs its server read."""

    def __init__(self, client: Any) -> None:
        self._client, self.n_read = client, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def search_runs(self, *args: Any, **options: Any) -> Any:
        found = self._client.search_runs(*args, **options)
        self.n_read += len(found)
        return found


class RememberingClient:
    """A client that asks its server each question once: for a test that changes nothing there, however often it looks."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._answers: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        def ask(*args: Any, **options: Any) -> Any:
            question = repr((name, args, options))
            if question not in self._answers:
                self._answers[question] = getattr(self._client, name)(*args, **options)
            return self._answers[question]

        return ask
