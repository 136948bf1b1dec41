"""`samebits train --reuse`: hands back the finished run with the same inputs instead of training again.

Only what can be known without a numeric library is read, so that it takes about a second: the request is digested, the run with
that digest is looked up, and its artifacts are held to its lineage before it is believed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from samebits.config.documents import Document
from samebits.config.loading import load_document
from samebits.errors import ConfigError, DataError, SamebitsError
from samebits.holdings.runs import DERIVED_TAGS, open_recorded_run, search_runs
from samebits.proof.verification import check_record
from samebits.provenance.code import identify_code
from samebits.provenance.environment import read_environment
from samebits.provenance.modules import identify_modules
from samebits.sources.bringing import bring_inputs
from samebits.steps.stage import find_steps
from samebits.table.files import digest_table
from samebits.text import warn
from samebits.tracking.server import connect_to_read
from samebits.training.stages import digest_request

T = TypeVar("T")
_FEW = 5  # runs that are asked for at once: mostly the first one verifies


def find_reusable_run(document: Document, root: Path) -> tuple[str, dict[str, Any]] | None:
    """Return the id and lineage of a finished, sound run with the same inputs; None where there is none to hand back.

    Raises
    ------
    TrackingError, ProvenanceError
        The server cannot be searched, or Git cannot read the repository.
    """
    return look_for_request(document, root, find_finished_run)


def look_for_request(document: Document, root: Path, find: Callable[[Any, str], T | None]) -> T | None:
    """Return what a look on the server finds for what a config asks; None where that is not in order, or nothing is found.

    Parameters
    ----------
    find
        Called with the client and the digest of the request.

    Raises
    ------
    TrackingError, ProvenanceError
        The server cannot be searched, or Git cannot read the repository.
    """
    request_digest = _digest_request(document, root)
    if request_digest is None:
        return None
    here = Path.cwd()
    try:
        return find(connect_to_read(root), request_digest)
    finally:
        os.chdir(here)


def _digest_request(document: Document, root: Path) -> str | None:
    """None where the config or the table is not in order: training says in words what is wrong. None, too, where a step would run."""
    try:
        loaded = load_document(document)
        steps = find_steps(loaded, root)
        if steps is None:
            return None
        loaded = bring_inputs(loaded, root)
    except (ConfigError, DataError):
        return None
    named = loaded.list_named().values()
    digests = {name: digest_table(loaded.find(name, root)) for name, _ in named}
    data_digest = digests[loaded.config.data.path]
    if data_digest is None or any(pin not in (None, digests[name]) for name, pin in named):
        return None
    code = identify_modules(identify_code(root, loaded.config.code.keep), loaded.config.allow, root)
    environment = read_environment(root, loaded.config.further_packages)
    return digest_request(loaded, code, environment, steps, data_digest, root)


def find_finished_run(client: Any, request_digest: str) -> tuple[str, dict[str, Any]] | None:
    """Return the id and lineage of a finished run that was made of a request, and verifies; None where there is none.

    Raises
    ------
    TrackingError
        The server cannot be searched.
    """
    condition = f"tags.request_digest = '{request_digest}' AND attributes.status = 'FINISHED'"
    for run in search_runs(client, condition, page_size=_FEW):
        run_id = str(run.info.run_id)
        if any(tag in run.data.tags for tag in DERIVED_TAGS):
            continue
        if "nondeterminism" in run.data.tags:
            warn(f"run {run_id} has the same inputs but is not handed back: {run.data.tags['nondeterminism']}")
            continue
        try:
            with open_recorded_run(client, run_id) as recorded:
                wrong = [check.name for check in check_record(recorded) if not check.passed]
                if not wrong:
                    return run_id, recorded.read_lineage()
        except SamebitsError as error:
            wrong = [str(error)]
        warn(f"run {run_id} has the same inputs but does not verify, and is not handed back: {', '.join(wrong[:3])}")
    return None
