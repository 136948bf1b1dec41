"""The archive: tables, and commits that no remote holds, kept once each beside an experiment's artifacts on the tracking server.

An entry is a folder of files under a name that says its content (`data/<hex of the digest>`, `code/<commit>`), with a manifest
written last: an entry without one was never finished and does not count. What is fetched is for the caller to hold to its digest.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from samebits.digests import PREFIX, digest_file
from samebits.tracking.server import explain_failures

CAP_BYTES = 50_000_000
_FOLDER = "samebits-archive"
_MANIFEST = "manifest.json"
T = TypeVar("T")


class Archive:
    """The archive of one experiment.

    Parameters
    ----------
    location
        The experiment's artifact location.
    tracking_uri
        Of the server, which may stand between this program and the location.
    """

    def __init__(self, location: str, tracking_uri: str) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        self._repository: Any = get_artifact_repository(location, tracking_uri)

    def holds(self, name: str) -> bool:
        """Tell whether an entry is there, whole.

        Raises
        ------
        TrackingError
            The store does not answer; so for every call below.
        """
        found = self._ask(f"list {name}", lambda: self._repository.list_artifacts(f"{_FOLDER}/{name}"))
        return any(Path(info.path).name == _MANIFEST for info in found)

    def put(self, name: str, files: dict[str, Path]) -> None:
        """Keep files, by their path inside the entry, unless the entry is there."""
        if self.holds(name):
            return
        for path_inside, path in sorted(files.items()):
            self._upload(path, Path(f"{_FOLDER}/{name}/files", path_inside).parent.as_posix())
        manifest = {path_inside: digest_file(path) for path_inside, path in files.items()}
        with tempfile.TemporaryDirectory(prefix="samebits-archive-") as scratch:
            written = Path(scratch, _MANIFEST)
            written.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            self._upload(written, f"{_FOLDER}/{name}")

    def fetch(self, name: str, folder: Path) -> Path | None:
        """Return the folder with an entry's files, brought into a folder of the caller's; None where there is no such entry."""
        if not self.holds(name):
            return None
        whole = f"{_FOLDER}/{name}"
        return Path(self._ask(f"give {name}", lambda: self._repository.download_artifacts(whole, str(folder)))) / "files"

    def is_whole(self, name: str, folder: Path) -> bool:
        """Tell whether an entry's files, brought into a folder, are those that its manifest names."""
        fetched = self.fetch(name, folder)
        if fetched is None:
            return False
        try:
            manifest = json.loads((fetched.parent / _MANIFEST).read_bytes())
            return bool(manifest) and all(digest_file(fetched / path) == digest for path, digest in manifest.items())
        except (OSError, ValueError, AttributeError, TypeError):
            return False

    def _upload(self, path: Path, folder: str) -> None:
        self._ask(f"take {path.name}", lambda: self._repository.log_artifact(str(path), folder))

    def _ask(self, action: str, call: Callable[[], T]) -> T:
        return explain_failures(f"{action} in the archive", call)


def name_data_entry(digest: str) -> str:
    """Return the name under which a table is kept."""
    return f"data/{digest.removeprefix(PREFIX)}"


def name_code_entry(commit: str) -> str:
    """Return the name under which a commit is kept."""
    return f"code/{commit}"


def name_drill_entry(run_id: str) -> str:
    """Return the name under which it is kept that a run was brought back, nothing trained."""
    return f"drill/{run_id}"
