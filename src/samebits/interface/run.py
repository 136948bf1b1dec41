"""A recorded run as a value: what it is, how good, its tables, its record, fetched when it is first asked for.

What a run says of itself is taken from its lineage, not from what somebody may have changed on the server since; each file is held
to its recorded digest as it is read. `samebits.verify(run)` holds everything to it.
"""

from __future__ import annotations

import io
import re
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samebits.digests import digest_bytes
from samebits.errors import LineageError, Problem, describe_unreadable
from samebits.interface.child import ask_module
from samebits.interface.display import MOST_PICTURE_BYTES, MOST_PICTURES, show_backtest, show_page, show_run
from samebits.lineage.manifest import FILE_NAME, MAX_BYTES, read_lineage, take_held_back
from samebits.lineage.tracked_values import list_params
from samebits.plain_files import read_plain

if TYPE_CHECKING:
    import pandas as pd

REPORT = "report.html"
_MOST_BYTES = 8 << 30
_PICTURE = re.compile(r"figures/[^/]+\.png")


class Page(str):
    """An HTML page, which a notebook shows in a frame of its own."""

    def _repr_html_(self) -> str:
        return show_page(self)


class Run:
    """One recorded run.

    Parameters
    ----------
    run_id
        Its id.
    answer
        What `samebits train --json` printed of it, where it was trained just now.
    """

    def __init__(self, run_id: str, answer: dict[str, Any] | None = None) -> None:
        self.id = run_id
        self.answer = answer or {}
        self._known: dict[str, Any] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def lineage(self) -> dict[str, Any]:
        """Its lineage: the record that everything else is held to."""
        return read_lineage(self.read_lineage(), f"run {self.id}: {FILE_NAME}")

    def read_lineage(self) -> bytes:
        """Return the bytes of its lineage, which its digest is of."""
        return _read(self.paths[FILE_NAME], MAX_BYTES)

    @property
    def windows(self) -> list[Run]:
        """Of a backtest that was trained just now, the runs of its windows; else none."""
        return [Run(str(window["run_id"])) for window in self.answer.get("windows", [])]

    @property
    def metrics(self) -> dict[str, float]:
        """Its metrics on the test rows, or on the rows that the folds left out where none were held back; of a backtest, the means."""
        if "backtest" in self.answer:
            return dict(self.answer["backtest"]["mean"])
        return dict(take_held_back(self.lineage["stages"]["metrics"])[1])

    @property
    def params(self) -> dict[str, str]:
        """Its params as MLflow has them: the keys of the config that a reader compares, by their dotted names."""
        return list_params(self.lineage)

    @property
    def tags(self) -> dict[str, str]:
        """Its tags as they stand on the server, where anybody may change them; the verdicts of later proofs are among them."""
        return dict(self._fetch()["tags"])

    @property
    def files(self) -> list[str]:
        """The paths of its artifacts; the model's are below `model/`."""
        return sorted(self._fetch()["files"])

    @property
    def paths(self) -> dict[str, Path]:
        """Where each of its artifacts lies on this machine, by its path in the run."""
        return {name: Path(path) for name, path in self._fetch()["files"].items()}

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """What the best candidate said of the test rows, or of the folds' where none were held back; by the row's number."""
        import pandas as pd

        table = pd.read_csv(io.BytesIO(self.read_file("predictions.csv")), keep_default_na=False, na_values=[""])
        return table.set_index("row")

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Its whole table in canonical form, each row under the number that predictions have; found by its digest.

        Raises
        ------
        DataError
            Nothing has these bytes any more.
        """
        from samebits.interface.tables import read_frame

        found = ask_module("interface.fetching", self.id, self._open_folder(), "table")
        return read_frame(self.lineage, [Path(path) for path in found["tables"]])

    @property
    def is_own(self) -> bool:
        """Whether this user made it on this machine, and its record is unchanged: then its code is the user's own."""
        return bool(self._fetch()["is_own"])

    def read_file(self, name: str) -> bytes:
        """Return an artifact's bytes, held to the digest that the lineage has of them.

        Raises
        ------
        LineageError
            There is no such artifact, or it has other bytes.
        """
        record = self.lineage["artifacts"].get(name)
        if record is None or name not in self._fetch()["files"]:
            raise LineageError(Problem(f"run {self.id}: {name}", "an artifact of the run", "none of that name", "See its files."))
        content = _read(Path(self._fetch()["files"][name]), _MOST_BYTES)
        if (observed := digest_bytes(content)) != record["digest"]:
            remedy = "`samebits verify` says what else is not as it was."
            raise LineageError(Problem(f"run {self.id}: {name}", record["digest"], observed, remedy))
        return content

    def report(self) -> Page:
        """Return its report as an HTML page, which a notebook shows.

        Raises
        ------
        LineageError
            It has none.
        """
        if REPORT not in self.lineage["artifacts"]:
            remedy = f"The config's report: key says whether one is made; `samebits report {self.id}` makes it later."
            raise LineageError(Problem(f"run {self.id}", f"a {REPORT} among its artifacts", "none", remedy))
        return Page(self.read_file(REPORT).decode("utf-8", "replace"))

    def refresh(self) -> Run:
        """Forget what was fetched, so that what is asked for next is as it stands on the server then; return this run."""
        self._known, self._folder = None, None
        for name in ("lineage", "predictions", "frame"):
            self.__dict__.pop(name, None)
        return self

    def _repr_html_(self) -> str:
        if "backtest" in self.answer:
            return show_backtest(self.id, self.answer["backtest"], [window.id for window in self.windows])
        known, artifacts = self._fetch(), self.lineage["artifacts"]
        names = [
            name for name in sorted(artifacts) if _PICTURE.fullmatch(name) and artifacts[name]["size_bytes"] <= MOST_PICTURE_BYTES
        ]
        pictures = {name: self.read_file(name) for name in names[:MOST_PICTURES]}
        return show_run(self.id, known["name"], known["tags"], self.lineage, pictures)

    def _fetch(self) -> dict[str, Any]:
        if self._known is None:
            self._known = dict(ask_module("interface.fetching", self.id, self._open_folder()))
        return self._known

    def _open_folder(self) -> str:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="samebits-run-", ignore_cleanup_errors=True)
        return self._folder.name


def find_run(reference: str) -> Run:
    """Return the run that words mean: an id or its beginning, `latest`, a model's address, or the path of a lineage.json.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    run = Run(reference)
    run.id = str(run._fetch()["run_id"])
    return run


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        return read_plain(path, most_bytes)
    except OSError as error:
        raise LineageError(describe_unreadable(path, error)) from None
