"""The one door to artifacts: whatever is listed, fetched or sent goes through the store that `open_artifacts` gives.

Where a run's artifacts lie is what the server says of it, and who may write there may say any address. MLflow signs in at whatever
host that is with the reader's own password, so that only the tracking server itself is taken for a place, a folder, and the object
stores, whose own libraries sign in: there a key signs a request and is not sent, and a host that is named must be the provider's.
A stranger's bucket learns who asked for it, and gives what is bounded and believed no more than any other bytes.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from urllib.request import url2pathname

from samebits.errors import Problem, TrackingError, describe_unreadable
from samebits.plain_files import read_plain
from samebits.text import hide_credentials
from samebits.tracking.server import explain_failures

_BUCKETS = ("s3", "gs")  # the location names a bucket, and no host
_PROVIDERS = {  # the location names a host, to which session tokens go
    "r2": (".r2.cloudflarestorage.com",),
    "b2": (".backblazeb2.com",),
    "wasbs": (".blob.core.windows.net", ".blob.core.chinacloudapi.cn", ".blob.core.usgovcloudapi.net"),
    "abfss": (".dfs.core.windows.net", ".dfs.core.chinacloudapi.cn", ".dfs.core.usgovcloudapi.net", ".dfs.fabric.microsoft.com"),
}
_PORTS = {"http": 80, "https": 443}
# What programs read in different ways is in no location: a backslash, a space, a control character, a second `@`.
_PLAIN_HOST = re.compile(r"(?:[^\s@\\/\x00-\x20\x7f]*@)?[\w.:\[\]-]*", re.ASCII)


def open_artifacts(location: str, tracking_uri: str) -> Any:
    """Return MLflow's repository of the artifacts at a location, which may be asked.

    Raises
    ------
    TrackingError
        The location is none of the places above, or its store cannot be opened.
    """
    check_location(location, tracking_uri)
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return explain_failures("open its artifacts", lambda: get_artifact_repository(location, tracking_uri))


def check_location(location: str, tracking_uri: str) -> None:
    """Make sure that a location is a folder, the tracking server's own, or an object store's.

    Raises
    ------
    TrackingError
        It is none of them.
    """
    if find_local_folder(location) is None and not _is_ours(location, tracking_uri):
        expected = "a folder, the tracking server's own artifacts, or an object store (s3, gs, r2, b2, wasbs, abfss)"
        remedy = "Nothing was sent there: no other host is given this user's credentials. Serve the artifacts by the tracking server."
        raise TrackingError(Problem("location of artifacts", expected, hide_credentials(location), remedy))


def _is_ours(location: str, tracking_uri: str) -> bool:
    try:
        there, server = urlsplit(location), urlsplit(tracking_uri)
        if _PLAIN_HOST.fullmatch(there.netloc) is None:
            return False
        if there.scheme in _BUCKETS:
            return True
        if there.scheme in _PROVIDERS:
            return (there.hostname or "").endswith(_PROVIDERS[there.scheme])
        if there.scheme == "dbfs":  # of Databricks, whose own server is asked where the location names no other
            return not there.netloc and (tracking_uri == "databricks" or server.scheme == "databricks")
        if server.scheme not in _PORTS:
            return False
        if there.scheme == "mlflow-artifacts":
            return not there.netloc or _find_host(there, server.scheme) == _find_host(server, server.scheme)
        return there.scheme == server.scheme and _find_host(there, server.scheme) == _find_host(server, server.scheme)
    except ValueError:  # no address at all
        return False


def _find_host(address: SplitResult, scheme: str) -> tuple[str, int]:
    return (address.hostname or "", address.port or _PORTS[scheme])


def find_local_folder(location: str) -> Path | None:
    """Return the folder of this machine that a location names; None where it names another store.

    >>> find_local_folder("/srv/1/artifacts"), find_local_folder("file:///srv"), find_local_folder("/a://b"), find_local_folder("s3://b")
    (PosixPath('/srv/1/artifacts'), PosixPath('/srv'), PosixPath('/a:/b'), None)
    """
    try:
        scheme = urlsplit(location).scheme
    except ValueError:
        return None
    if scheme not in ("", "file"):
        return None
    # as MLflow's `local_file_uri_to_path` has it on this kind of system
    return Path(url2pathname(urlsplit(location).path if location.startswith("file:") else location))


def find_own_folder(location: str, owner_id: str) -> Path | None:
    """Return the folder of this machine where a run's or a model's artifacts lie; None where they lie in another store.

    Raises
    ------
    TrackingError
        It is a folder that MLflow would not have named so.
    """
    local = find_local_folder(location)
    if local is not None and local.parts[-2:] != (owner_id, "artifacts"):
        remedy = "Somebody changed its place on the server: verify it from there."
        raise TrackingError(Problem(f"artifacts of {owner_id}", f"a folder …/{owner_id}/artifacts", str(local), remedy))
    return local


def read_artifact(client: Any, run: Any, name: str, most_bytes: int) -> bytes | None:
    """Return one file that lies directly among a run's artifacts; None where there is none of that name.

    Raises
    ------
    TrackingError
        Its place is none of a run's, the store does not give it, or it is larger than that.
    """
    run_id = str(run.info.run_id)
    local = find_own_folder(run.info.artifact_uri, run_id)
    if local is not None:
        is_there = (local / name).is_file() and (local / name).resolve().is_relative_to(local.resolve())
        return _read(local / name, most_bytes) if is_there else None
    repository = open_artifacts(run.info.artifact_uri, client.tracking_uri)
    listed = explain_failures(f"list the artifacts of run {run_id}", repository.list_artifacts)
    sizes = {info.path: info.file_size or 0 for info in listed if not info.is_dir}
    if name not in sizes:
        return None
    if sizes[name] > most_bytes:
        raise TrackingError(Problem(f"run {run_id}: {name}", f"at most {most_bytes} bytes", str(sizes[name]), "It is no such file."))
    with tempfile.TemporaryDirectory(prefix="samebits-artifact-") as folder:
        given = explain_failures(f"give {name} of run {run_id}", lambda: repository.download_artifacts(name, folder))
        return _read(Path(given), most_bytes)


def send_artifact(client: Any, run_id: str, path: Path) -> None:
    """Put a file under its own name directly among a run's artifacts.

    Raises
    ------
    TrackingError
        Their place is none of a run's, or the store does not take it.
    """
    location = str(explain_failures(f"find run {run_id}", lambda: client.get_run(run_id)).info.artifact_uri)
    find_own_folder(location, run_id)
    repository = open_artifacts(location, client.tracking_uri)
    explain_failures(f"take {path.name}", lambda: repository.log_artifact(str(path)))


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        return read_plain(path, most_bytes)
    except OSError as error:
        raise TrackingError(describe_unreadable(path, error)) from None
