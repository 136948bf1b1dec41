"""The archive: tables, and commits that no remote holds, kept once each beside an experiment's artifacts on the tracking server.

An entry is a folder of files under a name that says its content (`data/<hex of the digest>`, `code/<commit>`), with a manifest
written last: an entry without one was never finished and does not count. What is fetched is for the caller to hold to its digest.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from samebits.digests import PREFIX, digest_bytes, digest_file
from samebits.errors import LineageError
from samebits.holdings.artifacts import check_location, find_local_folder, open_artifacts
from samebits.holdings.downloads import count_listed
from samebits.lineage.manifest import MAX_BYTES, is_inner_path, read_bounded_json
from samebits.plain_files import read_plain
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
        check_location(location, tracking_uri)
        self._location, self._tracking_uri = location, tracking_uri
        self._folder = find_local_folder(location)
        self._listed: dict[str, dict[str, int | None]] = {}

    @cached_property
    def _repository(self) -> Any:
        """Opened when it is asked first: who reads a run alone needs none."""
        return open_artifacts(self._location, self._tracking_uri)

    def holds(self, name: str) -> bool:
        """Tell whether an entry is there, whole.

        Raises
        ------
        TrackingError
            The store does not answer; so for every call below.
        """
        self._listed.pop(f"{_FOLDER}/{name}", None)
        return _MANIFEST in self._list_sizes(f"{_FOLDER}/{name}")

    def put(self, name: str, files: dict[str, Path]) -> list[str]:
        """Keep files, by their path inside the entry; of an entry that is there, what is not as it should be is written again.

        Where the store is a folder of this machine, its files are held to their digests; elsewhere to their sizes as they are listed,
        since to fetch them would cost as much as to send them: their content is for `verify`.

        Returns
        -------
        list
            The files of an entry that was there which had to be written again, by their path inside.
        """
        self._clear_way(name, "files", is_folder=True)
        was_there = self.holds(name)
        files = self._rename_as_kept(name, files) if was_there else files
        kept = {path_inside for path_inside, path in files.items() if was_there and self._is_kept(name, path_inside, path)}
        missing = sorted(set(files) - kept)
        for path_inside in missing:
            self._clear_way(name, f"files/{path_inside}")
            self._upload(files[path_inside], f"{_FOLDER}/{name}/files/{path_inside}")
        content = _format_manifest({path_inside: digest_file(path) for path_inside, path in files.items()})
        if missing or not self._is_manifest_kept(name, content):
            self._clear_way(name, _MANIFEST)
            self._upload_bytes(content, f"{_FOLDER}/{name}/{_MANIFEST}")
        self._listed.clear()
        return missing if was_there else []

    def is_sound(self, name: str) -> bool:
        """Tell whether an entry is there and nothing in it is known to be damaged, without fetching any of it.

        Where the store is a folder of this machine, its files are held to its manifest; elsewhere none may be empty.
        """
        if not self.holds(name):
            return False
        if self._folder is not None:
            return _follows_manifest(self._folder / _FOLDER / name, name)
        sizes = self._list_sizes(f"{_FOLDER}/{name}/files")
        return bool(sizes) and 0 not in sizes.values()

    def _clear_way(self, name: str, path_inside: str, is_folder: bool = False) -> None:
        """Take away what no entry has in it and stands in the way: MLflow would write through a link, wherever that leads."""
        if self._folder is None:
            return
        path, parts = self._folder / _FOLDER / name, PurePosixPath(path_inside).parts
        for depth, part in enumerate(("", *parts)):
            path = path / part
            is_right = path.is_dir() if is_folder or depth < len(parts) else path.is_file()
            if path.is_symlink() or (path.exists() and not is_right):
                self._ask(f"mend {name}", partial(shutil.rmtree, path) if path.is_dir() and not path.is_symlink() else path.unlink)

    def _rename_as_kept(self, name: str, files: dict[str, Path]) -> dict[str, Path]:
        """One file is kept once under whatever name it had first; the names in a folder are part of its digest."""
        kept = list(self._list_sizes(f"{_FOLDER}/{name}/files"))
        return dict(zip(kept, files.values(), strict=True)) if len(kept) == len(files) == 1 else files

    def _is_kept(self, name: str, path_inside: str, path: Path) -> bool:
        place = PurePosixPath(_FOLDER, name, "files", path_inside)
        if self._folder is not None:
            return _has_digest(self._folder / place, digest_file(path))
        return self._list_sizes(str(place.parent)).get(place.name) == path.stat().st_size

    def _is_manifest_kept(self, name: str, content: bytes) -> bool:
        """Elsewhere its size says enough: all digests have one length."""
        if self._folder is not None:
            return _has_digest(self._folder / _FOLDER / name / _MANIFEST, digest_bytes(content))
        return self._list_sizes(f"{_FOLDER}/{name}").get(_MANIFEST) == len(content)

    def _list_sizes(self, folder: str) -> dict[str, int | None]:
        """Return the sizes in a folder, listed once."""
        if folder not in self._listed:
            found = self._ask(f"list {folder}", lambda: self._repository.list_artifacts(folder))
            self._listed[folder] = {PurePosixPath(info.path).name: info.file_size for info in found}
        return self._listed[folder]

    def fetch(self, name: str, folder: Path) -> Path | None:
        """Return the folder with an entry's files, brought into a folder of the caller's; None where there is no such entry.

        Raises
        ------
        TrackingError
            There is more of it than there is room for.
        """
        if not self.holds(name):
            return None
        whole = f"{_FOLDER}/{name}"
        with count_listed(self._repository, folder):
            fetched = Path(self._ask(f"give {name}", lambda: self._repository.download_artifacts(whole, str(folder))))
        _remove_links(fetched)
        return fetched / "files"

    def is_whole(self, name: str, folder: Path) -> bool:
        """Tell whether an entry's files, brought into a folder, are those that its manifest names."""
        fetched = self.fetch(name, folder)
        if fetched is None:
            return False
        return _follows_manifest(fetched.parent, name)

    def _upload(self, path: Path, place: str) -> None:
        """Send a file under the name of its place; MLflow sends it under its own."""
        *folders, name = place.split("/")
        if path.name == name:
            self._ask(f"take {name}", lambda: self._repository.log_artifact(str(path), "/".join(folders)))
            return
        with tempfile.TemporaryDirectory(prefix="samebits-archive-") as scratch:
            self._upload(Path(shutil.copyfile(path, Path(scratch, name))), place)

    def _upload_bytes(self, content: bytes, place: str) -> None:
        with tempfile.TemporaryDirectory(prefix="samebits-archive-") as scratch:
            path = Path(scratch, place.rpartition("/")[2])
            path.write_bytes(content)
            self._upload(path, place)

    def _ask(self, action: str, call: Callable[[], T]) -> T:
        return explain_failures(f"{action} in the archive", call)


def _format_manifest(manifest: dict[str, str]) -> bytes:
    return (json.dumps(manifest, indent=2, sort_keys=True) + "\n").encode("utf-8")


def _follows_manifest(entry: Path, name: str) -> bool:
    try:
        manifest = read_bounded_json(read_plain(entry / _MANIFEST, MAX_BYTES), name)
        return bool(manifest) and all(is_inner_path(path) and _has_digest(entry / "files" / path, manifest[path]) for path in manifest)
    except (OSError, LineageError, AttributeError, TypeError):
        return False


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return not path.is_symlink() and digest_file(path) == digest
    except OSError:
        return False


def _remove_links(folder: Path) -> None:
    """A store that is a folder of this machine gives links as they are: none of what it keeps is one."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            path.unlink()


def name_data_entry(digest: str) -> str:
    """Return the name under which a table is kept."""
    return f"data/{digest.removeprefix(PREFIX)}"


def name_code_entry(commit: str) -> str:
    """Return the name under which a commit is kept."""
    return f"code/{commit}"


def name_drill_entry(run_id: str) -> str:
    """Return the name under which it is kept that a run was brought back, nothing trained."""
    return f"drill/{run_id}"
