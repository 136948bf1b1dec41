"""What a run left, brought where another process reads it: a program of its own, since it settles where the server is.

It prints one JSON document. Files that lie in a folder of this machine stay there; what is fetched goes into the caller's folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from samebits.delivery.offline import connect_for
from samebits.digests import digest_bytes
from samebits.errors import EXIT_REFUSED, DataError, LineageError, Problem, SamebitsError
from samebits.holdings.data_search import find_recorded_data
from samebits.holdings.runs import RecordedRun, open_recorded_run, settle_reference
from samebits.lineage.manifest import FILE_NAME
from samebits.project import find_project_root
from samebits.text import guard_other_output, tell_json
from samebits.trust.own_runs import is_own_run


def fetch_run(reference: str, folder: Path, with_table: bool) -> dict[str, Any]:
    """Return what is known of a run, and the path of each of its files, or of its table.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, it is not finished, or its lineage is not the one that its tag says.
    DataError
        The table is wanted, and nothing has its digest any more.
    """
    tempfile.tempdir = str(folder)  # where all that is fetched stays for the caller, who deletes it
    root = find_project_root()
    client, reference = connect_for(settle_reference(reference), root)
    recorded = open_recorded_run(client, reference)
    lineage, digest = recorded.read_lineage(), digest_bytes(recorded.lineage_bytes)
    if (noted := recorded.tags.get("lineage_digest", digest)) != digest:
        raise LineageError(Problem(recorded.where, noted, digest, "`samebits verify` says what else is not as it was."))
    is_own = is_own_run(str(lineage["run"].get("run_id")), digest)
    if with_table:
        return {"tables": [str(path) for path in _find_tables(lineage, recorded, root, folder, is_own)]}
    (folder / FILE_NAME).write_bytes(recorded.lineage_bytes)
    return {
        "run_id": recorded.run_id,
        "name": str(recorded.run.info.run_name or ""),
        "tags": recorded.tags,
        "is_own": is_own,
        "files": {**{name: str(path) for name, path in recorded.files.items()}, FILE_NAME: str(folder / FILE_NAME)},
    }


def _find_tables(lineage: dict[str, Any], recorded: RecordedRun, root: Path, folder: Path, is_own: bool) -> list[Path]:
    stage = lineage["stages"]["data"]
    found = []
    for one in [stage, *([stage["test"]] if "test" in stage else [])]:
        scratch = Path(tempfile.mkdtemp(dir=folder, prefix="table-"))
        place = find_recorded_data(one, [root], recorded.archive, scratch, is_own)
        if place.path is None:
            remedy = "Put the table back, or name a folder that keeps it in SAMEBITS_DATA_STORE."
            raise DataError(Problem(f"run {recorded.run_id}: table", f"a table with {one['digest']}", "none", remedy))
        found.append(place.path)
    return found


def run_fetching(words: list[str]) -> int:
    """Print what `fetch_run` returns, or why it does not, and return the exit code."""
    reference, folder, *wishes = words
    guard_other_output()
    try:
        tell_json(fetch_run(reference, Path(folder), "table" in wishes))
    except SamebitsError as error:
        tell_json({"error": error.as_document()})
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(run_fetching(sys.argv[1:]))
