"""A small project of its own, with recorded runs whose files a test may exchange and seal again as one who may write to the server would.

To seal is to make every digest above a change anew, the tags on the server too: what a reader then stumbles over is the content itself.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import mlflow
from conftest import ROOT
from recorded_runs import git

from samebits.digests import digest_bytes, digest_value
from samebits.lineage.manifest import (
    FILE_NAME,
    INPUT_STAGES,
    MODEL_FILE,
    OUTPUT_STAGES,
    PATCH_FILE,
    digest_stages,
    find_contradictions,
)
from samebits.lineage.tracked_values import list_tags

_TAKEN = ("src", "data/raw", "confs", "MLproject", "pyproject.toml", "uv.lock", "python_env.yaml", "requirements.txt", ".gitignore")
_MALFORMED = (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError)


def make_project(folder: Path, files: dict[str, str] | None = None) -> Path:
    """Return a repository of one commit with what a run of samebits needs, and files of a test's; nothing of this project's past."""
    listed = subprocess.run(["git", "ls-files", "--", *_TAKEN], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    for name in listed.stdout.split("\n"):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for name, text in (files or {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    git("init", "-q", "-b", "main", cwd=folder)
    git("add", "-A", cwd=folder)
    git("commit", "-qm", "now", cwd=folder)
    return folder


@dataclass(frozen=True)
class StrangeRun:
    """A run on a store of this machine's, with its files where they lie.

    Parameters
    ----------
    files
        Each artifact's path on this machine by its path on the server; the model's under `model/`.
    sound
        The bytes of the lineage and of the files that a test may exchange, as they were recorded.
    """

    database: Path
    run_id: str
    files: dict[str, Path]
    sound: dict[str, bytes]

    def replace(self, name: str, content: bytes) -> None:
        """Exchange a file, and say so nowhere."""
        self.files[name].write_bytes(content)

    def seal(self, lineage: dict[str, Any]) -> None:
        """Make the digests of a lineage anew as far as its form allows, and leave it on the server with its tags."""
        with contextlib.suppress(*_MALFORMED):  # past sealing: as it is, then
            _renew(lineage, self.files)
        self.leave(json.dumps(lineage, ensure_ascii=True).encode())

    def leave(self, content: bytes, noted: bool = True) -> None:
        """Leave bytes as the lineage, with the tags that follow from them where `noted`."""
        self.files[FILE_NAME].write_bytes(content)
        if not noted:
            return
        tags = {"lineage_digest": digest_bytes(content)}
        with contextlib.suppress(*_MALFORMED):
            tags |= list_tags(json.loads(content), content)
        with sqlite3.connect(self.database) as database:
            for name, value in tags.items():
                text = str(value).encode("utf-8", "replace").decode()
                database.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?", (text[:8000], self.run_id, name))

    def restore(self) -> None:
        """Put everything back as it was recorded."""
        for name, content in self.sound.items():
            self.files[name].write_bytes(content)
        self.leave(self.sound[FILE_NAME])


def _renew(lineage: dict[str, Any], files: dict[str, Path]) -> None:
    stages, artifacts = lineage["stages"], lineage["artifacts"]
    for name, record in artifacts.items():
        if name in files:
            content = files[name].read_bytes()
            record.update(digest=digest_bytes(content), size_bytes=len(content))
    stages["model"]["file_digest"] = artifacts[MODEL_FILE]["digest"]
    if PATCH_FILE in artifacts:
        stages["code"]["patch"].update(artifacts[PATCH_FILE])
    for _ in range(2):  # what a digest covers may be a digest
        for name, _, observed in find_contradictions(lineage):
            if name.startswith("stages.") and name.endswith(".digest") and name.count(".") == 2 and observed is not None:
                stages[name.split(".")[1]]["digest"] = observed
    lineage["inputs_digest"] = digest_stages(stages, INPUT_STAGES)
    lineage["outputs_digest"] = digest_stages(stages, OUTPUT_STAGES)
    digest_value(lineage)


def open_strange_run(database: Path, run_id: str) -> StrangeRun:
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{database}")
    run = client.get_run(run_id)
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    folders = {"": Path(urlsplit(run.info.artifact_uri).path), "model/": Path(urlsplit(model.artifact_location).path)}
    files = {
        f"{prefix}{path.relative_to(folder).as_posix()}": path
        for prefix, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file()
    }
    changeable = [name for name in (FILE_NAME, MODEL_FILE, PATCH_FILE) if name in files]
    return StrangeRun(database, run_id, files, {name: files[name].read_bytes() for name in changeable})
