"""What must be so before hours are trained: the artifact store takes, gives and deletes, and this process may write.

Everything here takes well under two seconds where all is well.
"""

from __future__ import annotations

import contextlib
import resource
import secrets
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from samebits.errors import Problem, TrackingError
from samebits.holdings.artifacts import open_artifacts
from samebits.parcels.spool import FREE_BYTES
from samebits.text import hide_credentials, warn
from samebits.tracking.address import find_scheme, is_remote
from samebits.tracking.drivers import find_missing_driver
from samebits.tracking.server import explain_failures

LEAST_FILE_BYTES = 64 << 20  # that a limit on the size of files must allow
_AMPLE_BYTES = 1 << 30  # below which it is said
_FOLDER, _PROBE = "samebits-archive", "preflight-{}.txt"  # beside what is archived: no run's own files
_CONTENT = "Written, read and deleted again before a training, to see that its results can be kept here.\n"


def check_limits() -> None:
    """Make sure that this process may write files as large as a model.

    Raises
    ------
    TrackingError
        A limit of the shell's or the batch system's forbids it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    if hard == resource.RLIM_INFINITY or hard >= _AMPLE_BYTES:
        return
    if hard >= LEAST_FILE_BYTES:
        warn(f"no file may be larger than {hard >> 20} MiB here (ulimit -f): a larger model could not be kept")
        return
    expected = f"files of {LEAST_FILE_BYTES >> 20} MiB to be allowed"
    raise TrackingError(Problem("this process", expected, f"a limit of {hard} bytes", "Lift it: ulimit -f unlimited."))


def check_store(location: str, tracking_uri: str, scratch: Path) -> None:
    """Make sure that an artifact store takes a small file, gives it back, and deletes it, where it lets this user delete.

    Parameters
    ----------
    location
        Of the experiment's artifacts.
    scratch
        A folder for the file.

    Raises
    ------
    TrackingError
        It does not, or its driver is not installed.
    """
    if missing := find_missing_driver(location):
        raise TrackingError(missing)
    _check_room(location)
    repository = open_artifacts(location, tracking_uri)
    probe = _PROBE.format(secrets.token_hex(8))  # of many runs at once, none may delete what another is about to fetch
    path, back = scratch / probe, scratch / "back"
    path.write_text(_CONTENT, encoding="utf-8")
    back.mkdir(exist_ok=True)
    name = f"{_FOLDER}/{probe}"
    explain_failures("take artifacts", lambda: repository.log_artifact(str(path), _FOLDER))
    given = explain_failures("give artifacts", lambda: repository.download_artifacts(name, str(back)))
    if Path(given).read_text(encoding="utf-8", errors="replace") != _CONTENT:
        where = hide_credentials(location)
        raise TrackingError(Problem(where, "an artifact store that gives what it took", "other bytes", "Check what stands before it."))
    with contextlib.suppress(TrackingError):  # who may write need not be allowed to delete: then it stays
        explain_failures("delete artifacts", lambda: repository.delete_artifacts(name))


def _check_room(location: str) -> None:
    """A store that is a folder of this machine must have room; of any other it is not known."""
    if is_remote(location):
        return
    folder = Path(unquote(urlsplit(location).path) if find_scheme(location) == "file" else location)
    there = next((parent for parent in (folder, *folder.parents) if parent.is_dir()), Path("/"))
    if shutil.disk_usage(there).free < FREE_BYTES:
        expected = f"{FREE_BYTES >> 20} MiB free for what a run leaves"
        raise TrackingError(Problem(str(folder), expected, "a full disk", "Make room, or record elsewhere (MLFLOW_TRACKING_URI)."))
