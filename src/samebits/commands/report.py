"""`samebits report RUN`: writes a run's page anew, with the proofs gathered since it was made, from what the server holds of it.

Nothing of the record is run, imported or believed to be of its form: what does not fit makes no report, and is said.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from samebits.delivery.offline import connect_for
from samebits.digests import digest_bytes
from samebits.errors import LineageError, Problem, TrackingError, describe_unreadable
from samebits.holdings.looks import ask_looks
from samebits.holdings.runs import RecordedRun, open_recorded_run, settle_reference
from samebits.lineage.manifest import FIGURES_FOLDER, MAX_BYTES, infer_task, read_bounded_json
from samebits.lineage.tracked_values import list_params
from samebits.plain_files import is_plain, read_plain
from samebits.project import expand_home, find_project_root
from samebits.proof.evidence import Found, collect_evidence
from samebits.report.account import EXPLORED, Account, read_predictions
from samebits.report.making import ThisRun, fill_page, is_report, make_report
from samebits.text import tell
from samebits.verdicts import Evidence, Verdict, compute_level

_MOST_TABLE_BYTES = 1 << 30
_SHORT_ID = 8
_SUFFIXES = (".html", ".htm")  # which a browser opens as a page
_MISFITS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)  # what a record of another form raises


def run_report(reference: str, output: str | None, overwrite: bool = False) -> None:
    """Write the page of a run, and print its path.

    Parameters
    ----------
    output
        Path of the file; None for report-ID.html in the current folder.
    overwrite
        Write also over a file that is no such page.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, it is not finished, or its record is none that a report can be made of.
    """
    here, root = Path.cwd(), find_project_root()
    given = _read_output(output, here) if output else None
    client, reference = connect_for(settle_reference(reference), root)
    with open_recorded_run(client, reference) as recorded:
        path = given or here / f"report-{recorded.run_id[:_SHORT_ID]}.html"
        _refuse_other_file(path, overwrite)
        _write_whole(path, _make_page(recorded))
    tell(f"report      {path}")


def _read_output(output: str, here: Path) -> Path:
    """Return where the page goes; a browser opens a file as a page by its suffix alone."""
    path = here / expand_home(output)
    if path.suffix.lower() not in _SUFFIXES and not path.is_dir():
        remedy = f"Name it so: --output {output.rstrip('/')}.html."
        raise TrackingError(Problem(f"--output {output}", "a file that ends in .html or .htm", path.name, remedy))
    return path


def _refuse_other_file(path: Path, overwrite: bool) -> None:
    if path.is_dir() or (path.exists() and not is_plain(path)):
        raise TrackingError(Problem(str(path), "the path of a file", "no regular file", "Name one: --output report.html."))
    if path.exists() and not overwrite and not is_report(_read(path, MAX_BYTES)):
        remedy = "Name another file (--output), or write over it (--overwrite)."
        raise TrackingError(Problem(str(path), "no file, or an earlier report", "a file that is no report of samebits", remedy))


def _write_whole(path: Path, content: bytes) -> None:
    """What stood there stays until the new page is whole."""
    descriptor, name = tempfile.mkstemp(prefix=".report-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        mask = os.umask(0)
        os.umask(mask)
        Path(name).chmod(0o666 & ~mask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _make_page(recorded: RecordedRun) -> bytes:
    lineage = recorded.read_lineage()
    found = collect_evidence(recorded, lineage)
    tags = {**_back_verdict(recorded.tags, found), "level": compute_level(found.evidence).value}
    try:
        page = make_report(_read_account(recorded, lineage)).page
        looks = _count_looks(recorded, lineage)
        return fill_page(page, ThisRun(lineage["run"], lineage["stages"], tags, _describe_proofs(found), looks))
    except _MISFITS as error:
        remedy = "`samebits verify` says what of it is not as it was recorded."
        found_instead = f"one of another form ({type(error).__name__}: {error})"[:200]
        raise LineageError(Problem(recorded.where, "a record that a report can be made of", found_instead, remedy)) from error


def _back_verdict(tags: dict[str, str], found: Found) -> dict[str, str]:
    """Return tags whose verdict a reproduction showed, the latest's in place of one that somebody typed."""
    shown = [str(evidence.verdict) for evidence in found.evidence if evidence.verdict is not None]
    if tags.get("verdict") in shown:
        return tags
    return {**tags, "verdict": next(iter(shown), ""), "verdict_time": ""}


def _count_looks(recorded: RecordedRun, lineage: dict[str, Any]) -> str:
    """Return which place the run has now; a run that was not assessed, or held no rows back, has none."""
    if "assessment" not in lineage["stages"]:
        return ""
    found = ask_looks(recorded.client, lineage["stages"], list_params(lineage))
    return "" if found is None else str(found)


def _read_account(recorded: RecordedRun, lineage: dict[str, Any]) -> Account:
    stages = lineage["stages"]
    explored = {name: _read_json(recorded, lineage, f"{FIGURES_FOLDER}{name}.json") for name in EXPLORED}
    return Account(
        stages,
        {key: value for key, value in stages.get("assessment", {}).items() if key != "digest"},
        read_predictions(_read_held(recorded, lineage, "predictions.csv", _MOST_TABLE_BYTES) or b"", infer_task(stages["metrics"])),
        tuple(lineage.get("remarks", [])),
        _read_json(recorded, lineage, "drift_baseline.json"),
        {name: values for name, values in explored.items() if values},
        any(name.startswith(FIGURES_FOLDER) for name in recorded.files),
    )


def _read_json(recorded: RecordedRun, lineage: dict[str, Any], name: str) -> dict[str, Any]:
    content = _read_held(recorded, lineage, name, MAX_BYTES)
    value = read_bounded_json(content, name) if content is not None else {}
    return value if isinstance(value, dict) else {}


def _read_held(recorded: RecordedRun, lineage: dict[str, Any], name: str, most_bytes: int) -> bytes | None:
    """Return a file of the run, held to its recorded digest: nothing else is told of the run; None where it is not there."""
    path = recorded.files.get(name)
    if path is None:
        return None
    content = _read(path, most_bytes)
    noted, observed = str(lineage["artifacts"].get(name, {}).get("digest")), digest_bytes(content)
    if noted != observed:
        remedy = "`samebits verify` says what else is not as it was recorded."
        raise LineageError(Problem(f"{recorded.where}: {name}", noted, observed, remedy))
    return content


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        return read_plain(path, most_bytes)
    except OSError as error:
        raise LineageError(describe_unreadable(path, error)) from None


def _describe_proofs(found: Found) -> list[str]:
    unread = [f"Could not be read, and counts for nothing: {what}" for what in found.unread]
    return [*map(_describe_evidence, found.evidence), *unread]


def _describe_evidence(evidence: Evidence) -> str:
    by = f", {evidence.by}" if evidence.by else ""
    if evidence.verdict is None:
        return f"Code, table and environment were brought back; nothing was trained{by}"
    facts = ["in an environment rebuilt from the record" if evidence.rebuilt else "in the environment of whoever made it"]
    facts += ["under other conditions"] if evidence.varied else []
    facts += ["on a machine of another class"] if evidence.other_machine else []
    seen = "a run with one changed input came out DIFFERENT" if evidence.control_differs else "a changed input was not seen"
    facts += [seen] if evidence.control_differs is not None else []
    word = "Made again" if evidence.verdict == Verdict.IDENTICAL else "Made again, but not the same"
    return f"{word}: {evidence.verdict}, {', '.join(facts)}{by}"
