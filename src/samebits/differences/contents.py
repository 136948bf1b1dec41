"""What differs inside what two lineages only digest: code as a patch, data by rows, models by fitted content, predictions by row.

Each part needs both sides at hand; where one is not, the reason is returned in its place, never nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from samebits.differences.predictions import compare_predictions
from samebits.errors import SamebitsError
from samebits.history.checkout import diff_trees, write_tree
from samebits.history.fetching import fetch_commit
from samebits.holdings.archive import Archive
from samebits.holdings.code_search import list_all_code_sources
from samebits.holdings.data_search import find_recorded_data, list_unread
from samebits.keys.table import Read
from samebits.lineage.manifest import MODEL_FILE, PATCH_FILE, digest_stage, infer_task
from samebits.plain_files import read_plain

_MOST_BYTES = 4 << 30  # of a file that is read whole
_MOST_PATCH_BYTES = 64 << 20  # a recorded one has at most 10 MiB of changes


@dataclass
class Side:
    """One of two runs.

    Parameters
    ----------
    files
        Its artifacts at hand, by their path on the server.
    archive
        Of its experiment; None where no server was asked.
    """

    name: str
    lineage: dict[str, Any]
    files: dict[str, Path] = field(default_factory=dict)
    archive: Archive | None = None
    status: str = "FINISHED"

    def digest(self, stage: str) -> str | None:
        """Return a stage's digest; None where the run's schema does not know the stage."""
        return digest_stage(self.lineage, stage)


def compare_contents(left: Side, right: Side, folders: Sequence[Path], is_trusted: bool = False) -> dict[str, Any]:
    """Return what differs inside each stage whose digests differ: by part, plain values, or `not_compared` with the reason.

    Parameters
    ----------
    folders
        Project folders in which commits and tables are looked for.
    is_trusted
        Whether the places that the lineages name are asked too.
    """
    parts: dict[str, Callable[[], Any]] = {
        "code": lambda: _compare_code(left, right, folders, is_trusted),
        "data": lambda: _compare_data(left, right, folders, is_trusted),
        "model": lambda: _compare_models(left, right),
        "predictions": lambda: _compare_predictions(left, right),
    }
    return {stage: _attempt(compare) for stage, compare in parts.items() if left.digest(stage) != right.digest(stage)}


def _attempt(compare: Callable[[], Any]) -> Any:
    try:
        return compare()
    except SamebitsError as error:
        return {"not_compared": " ".join(str(error).split())}
    except OSError as error:
        return {"not_compared": f"{error.filename}: {error.strerror or error}"}


def _compare_code(left: Side, right: Side, folders: Sequence[Path], is_trusted: bool) -> dict[str, Any]:
    stages = [side.lineage["stages"]["code"] for side in (left, right)]
    if not all(stage["commit"] for stage in stages):
        return {"not_compared": "a side has no commit"}
    for side, stage in zip((left, right), stages, strict=True):
        if stage["patch"]["size_bytes"] and PATCH_FILE not in side.files:
            return {"not_compared": f"the uncommitted patch of {side.name} is not at hand: name the run instead of its file"}
    for side in (left, right):
        if PATCH_FILE in side.files:
            read_plain(side.files[PATCH_FILE], _MOST_PATCH_BYTES)
    with tempfile.TemporaryDirectory(prefix="samebits-diff-") as scratch:
        trees = [_build_tree(side, Path(scratch, name), folders, is_trusted) for name, side in (("left", left), ("right", right))]
        left_folder, right_folder = Path(scratch, "left"), Path(scratch, "right")
        alternates = left_folder / ".git/objects/info/alternates"
        alternates.parent.mkdir(parents=True, exist_ok=True)
        alternates.write_text(f"{right_folder / '.git/objects'}\n", encoding="utf-8")
        patch = diff_trees(left_folder, *trees)
    files = [line.split(" b/", 1)[-1] for line in patch.splitlines() if line.startswith("diff --git ")]
    return {"files": files, "patch": patch}


def _build_tree(side: Side, folder: Path, folders: Sequence[Path], is_trusted: bool) -> str:
    stage = side.lineage["stages"]["code"]
    sources = list_all_code_sources(stage, folders, side.archive, folder.with_name(f"{folder.name}-archive"), is_trusted)
    fetch_commit(folder, stage["commit"], sources, stage.get("remote"), is_checked_out=False)
    return write_tree(folder, side.files.get(PATCH_FILE))


def _compare_data(left: Side, right: Side, folders: Sequence[Path], is_trusted: bool) -> dict[str, Any]:
    from samebits.differences.tables import compare_tables, read_plain_table

    with tempfile.TemporaryDirectory(prefix="samebits-diff-") as scratch:
        frames = []
        for name, side in (("left", left), ("right", right)):
            folder = Path(scratch, name)
            folder.mkdir()
            found = find_recorded_data(side.lineage["stages"]["data"], list(folders), side.archive, folder, is_trusted)
            if found.path is None:
                unread = [] if is_trusted else list_unread(side.lineage["stages"]["data"], list(folders))
                hint = f"; not asked, since only the run names it: {', '.join(unread)} (--recorded-places does)" if unread else ""
                return {"not_compared": f"the table of {side.name} ({side.digest('data')}) is at hand nowhere{hint}"}
            frames.append(read_plain_table(found.path, Read.model_validate(_read_data_config(side)["read"])))
    return asdict(compare_tables(frames[0], frames[1], _read_data_config(left)["drop"]))


def _read_data_config(side: Side) -> dict[str, Any]:
    config: dict[str, Any] = side.lineage["stages"]["config"]["resolved"]["data"]
    return config


def _compare_models(left: Side, right: Side) -> dict[str, Any]:
    absent = [side.name for side in (left, right) if MODEL_FILE not in side.files]
    if absent:
        return {"not_compared": f"the model of {' and '.join(absent)} is not at hand: name the run instead of its file"}
    from samebits.differences.models import compare_models
    from samebits.model.file import load_model

    models = [load_model(read_plain(side.files[MODEL_FILE], _MOST_BYTES), by_name=True) for side in (left, right)]
    found = compare_models(*models)
    found.sort(key=lambda difference: "columns" in difference.path.split("."))  # the estimator before what prepares its columns
    return {"differences": [asdict(difference) for difference in found]}


def _compare_predictions(left: Side, right: Side) -> dict[str, Any]:
    absent = [side.name for side in (left, right) if "predictions.csv" not in side.files]
    if absent:
        return {"not_compared": f"the predictions of {' and '.join(absent)} are not at hand: name the run instead of its file"}
    contents = [read_plain(side.files["predictions.csv"], _MOST_BYTES) for side in (left, right)]
    found = compare_predictions(contents[0], contents[1], infer_task(left.lineage["stages"]["metrics"]))
    return {**asdict(found), "flip_examples": [flip._asdict() for flip in found.flip_examples]}
