"""Where the artifacts of one run, or of one model, lie: files are sent there, and listed back with their sizes before that counts."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from samebits.errors import Problem, TrackingError
from samebits.holdings.artifacts import open_artifacts
from samebits.text import hide_credentials
from samebits.tracking.address import is_remote
from samebits.tracking.server import explain_failures

_UPLOADS = 4  # at a time, where a network lies between


class ArtifactStore:
    """Where the artifacts of one run, or of one model, lie.

    Parameters
    ----------
    location
        Its URI, as the server names it.
    """

    def __init__(self, location: str, tracking_uri: str) -> None:
        self.location = location
        self._repository = open_artifacts(location, tracking_uri)
        self._n_uploads = _UPLOADS if is_remote(location) else 1

    def send(self, files: dict[str, Path], is_anew: bool) -> None:
        """Upload files, by their path in the store, and have them listed back with their sizes.

        Parameters
        ----------
        is_anew
            Some may be there from an earlier try: those are not sent again.

        Raises
        ------
        TrackingError
            The store does not take them, or says that it did and does not have them.
        """
        missing = self._list_missing(files) if is_anew else files
        self._upload(missing)
        wrong = self._list_missing(files)
        if wrong:  # once more: a gateway may have answered in the store's place
            self._upload(wrong)
            wrong = self._list_missing(files, is_last=True)
        if wrong:
            remedy = "Check what stands between here and the store: a proxy, a login page, a full disk."
            found = f"an answer that it has them, and not the files: {', '.join(sorted(wrong)[:5])}"
            raise TrackingError(Problem(hide_credentials(self.location), "an artifact store that keeps what it took", found, remedy))

    def _upload(self, files: dict[str, Path]) -> None:
        def upload(name: str) -> None:
            self._repository.log_artifact(str(files[name]), str(Path(name).parent) if "/" in name else None)

        self._each("take artifacts", upload, sorted(files))

    def _each(self, action: str, call: Callable[[str], Any], names: list[str]) -> list[Any]:
        def call_all() -> list[Any]:
            pool = ThreadPoolExecutor(self._n_uploads)  # waited for by nobody once the server is given up
            try:
                return list(pool.map(call, names))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)  # what failed for good once need not be tried with each further file

        if self._n_uploads == 1 or len(names) < 2:
            return [explain_failures(action, partial(call, name)) for name in names]
        return explain_failures(action, call_all)

    def _list_missing(self, files: dict[str, Path], is_last: bool = False) -> dict[str, Path]:
        """Return the files that the store does not list, or lists with another size.

        MLflow tells no size of an empty file, and some stores tell none at all: those are believed in the end.
        """
        folders = sorted({str(Path(name).parent) for name in files})
        listings = self._each(
            "list artifacts", lambda folder: self._repository.list_artifacts(None if folder == "." else folder), folders
        )
        sizes = {info.path: info.file_size for listing in listings for info in listing if not info.is_dir}
        is_sizeless = is_last and not any(sizes.values())
        return {
            name: path
            for name, path in files.items()
            if name not in sizes or ((sizes[name] or 0) != path.stat().st_size and not (is_sizeless and sizes[name] is None))
        }
