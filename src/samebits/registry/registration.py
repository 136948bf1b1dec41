"""A finished run registered: its model as a version, once; then the rule, for which versions of one model stand in a row.

Whatever goes wrong, the run stays as it is: that is said, and `samebits register RUN` does it again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from samebits.errors import ConfigError, LineageError, Problem, SamebitsError, TrackingError
from samebits.holdings.runs import DERIVED_TAGS
from samebits.keys.keeping import Registry
from samebits.lineage.tracked_values import digest_test_rows
from samebits.registry.rule import Decision, Rule, decide, read_rule
from samebits.registry.versions import (
    DECISION_TAG,
    Version,
    describe_version,
    find_holder,
    find_version,
    move_alias,
    read_lineage_of,
    take_version,
)
from samebits.text import escape_markdown, hide_credentials, tell, warn
from samebits.tracking.server import explain_failures, set_tags
from samebits.verdicts import Level

REGISTERED_TAG = "registered"
_MOST_ROUNDS = 5
_WAIT_SECONDS, _POLL_SECONDS = 60.0, 0.05


def register_run(client: Any, run_id: str, lineage: dict[str, Any], level: Level = Level.L0, is_anew: bool = False) -> str | None:
    """Register a finished run's model, apply the rule of its config, and return in a line what came of both.

    Parameters
    ----------
    level
        How far the run is proved.
    is_anew
        Apply the rule again, and register nothing: what a record wants is no reason to, where somebody only proves it.

    Returns
    -------
    str or None
        None where the config registers nothing, nothing is registered yet that should be, or the run was made from another and
        stands for nothing of its own.

    Raises
    ------
    TrackingError
        The server does not take it; what it took already is found again.
    """
    rule = read_rule(lineage)
    if rule is None:
        return None
    run = explain_failures(f"find run {run_id}", lambda: client.get_run(run_id))
    if any(tag in run.data.tags for tag in DERIVED_TAGS):
        return None
    if run.info.status != "FINISHED":
        raise TrackingError(Problem(f"run {run_id}", "a finished run", f"one that is {run.info.status}", "Train it again."))
    with _stand_in_a_row(client, rule.name):
        version = find_version(client, rule.name, run) if is_anew else take_version(client, rule.name, run, _list_tags(lineage))
        if version is None:
            return None
        reason = _apply(client, rule, level, version, run, lineage)
    said = f"{version}, {reason}"
    set_tags(client, run_id, {REGISTERED_TAG: said})
    return said


def say_registration(client: Any, run_id: str, lineage: dict[str, Any]) -> None:
    """Register a finished run's model where its config wants that, and print what came of it, or why nothing did."""
    _say(run_id, lambda: register_run(client, run_id, lineage), lambda said: tell(f"alias  {said}"))


def say_rule_applied(client: Any, run_id: str, lineage: dict[str, Any], level: Level, say: Callable[[str], None]) -> None:
    """Apply the rule again to a run that is registered, now that it is proved to a level, and print what came of it."""
    if hide_credentials(client.tracking_uri) == hide_credentials(os.environ.get("MLFLOW_TRACKING_URI", "")):  # not where it only waits
        _say(run_id, lambda: register_run(client, run_id, lineage, level, is_anew=True), lambda said: say(f"alias       {said}"))


def _say(run_id: str, register: Callable[[], str | None], say: Callable[[str], None]) -> None:
    try:
        said = register()
    except (SamebitsError, OSError) as error:
        warn(f"not registered, do it again by `samebits register {run_id}`: {error}")
        return
    if said is not None:
        say(said)


def name_model(lineage: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a lineage as if its config had said under which name the model is registered, and nothing else of it.

    Raises
    ------
    ConfigError
        It is no name for a registered model.
    """
    try:
        registry = Registry(name=name).model_dump(mode="json")
    except ValueError:
        expected = "a name without slash and colon, of at most 200 letters"
        raise ConfigError(Problem("--name", expected, repr(name)[:80], "Choose another.")) from None
    stages = lineage["stages"]
    config = {**stages["config"], "resolved": {**stages["config"]["resolved"], "registry": registry}}
    return {**lineage, "stages": {**stages, "config": config}}


def require_rule(lineage: dict[str, Any], where: str) -> None:
    """Refuse a run whose config registers nothing.

    Raises
    ------
    LineageError
        It has no registry.name.
    """
    if read_rule(lineage) is None:
        remedy = "Name the model: `samebits register RUN --name NAME`, or registry: {name: …} in the config of the next run."
        raise LineageError(Problem(where, "a run whose config has a registry.name", "one without", remedy))


def _list_tags(lineage: dict[str, Any]) -> dict[str, str]:
    stages = lineage["stages"]
    tags = {"model_digest": stages["model"]["digest"], "data_hash": stages["data"]["digest"]}
    return {**tags, **({"test_rows": rows} if (rows := digest_test_rows(lineage["stages"])) else {})}


def _apply(client: Any, rule: Rule, level: Level, version: Version, run: Any, lineage: dict[str, Any]) -> str:
    """Move the alias if the rule says so, until it is seen that what has it is what should."""
    decision = Decision(False, "")
    former: Version | None = None
    known = version.tags.get(DECISION_TAG, "")
    for _ in range(_MOST_ROUNDS):
        holder = find_holder(client, rule.name, rule.alias)
        if holder is not None and holder.number == version.number:
            known = known if known.startswith(f"{rule.alias}: ") else f"{rule.alias}: moved here by hand"
            break
        champion = None if holder is None else read_lineage_of(client, holder)
        decision = decide(rule, level, lineage, champion, f"version {holder.number}" if holder else "")
        if not decision.moves:
            break
        former = holder
        move_alias(client, version, rule.alias)
    reason = decision.reason or known or f"{rule.alias}: as it was"
    describe_version(client, version, reason, _list_details(run, level, lineage))
    if decision.moves and former is not None and DECISION_TAG in former.tags:
        said = f"no longer {rule.alias}: version {version.number} is better, {reason.partition(': ')[2]}"
        describe_version(client, former, said)
    return reason


def _list_details(run: Any, level: Level, lineage: dict[str, Any]) -> list[str]:
    info = run.info
    stages = lineage["stages"]
    return [
        f"- run [{escape_markdown(str(info.run_name))}](#/experiments/{info.experiment_id}/runs/{info.run_id}), {level}",
        f"- model `{escape_markdown(stages['model']['digest'])}`",
        f"- data `{escape_markdown(stages['data']['digest'])}`",
        f"- again: `samebits reproduce {info.run_id[:8]}`",
    ]


@contextlib.contextmanager
def _stand_in_a_row(client: Any, name: str) -> Iterator[None]:
    """Runs of this user that end at the same moment on one machine register one after the other.

    Of two machines, each looks again after it has moved the alias.
    """
    place = hashlib.sha256(f"{client.tracking_uri}\n{name}".encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir(), f"samebits-registry-{os.getuid()}-{place}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError:  # no room, or another's file: then as of two machines
        yield
        return
    try:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not _try_lock(descriptor) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Another user's file is no lock of ours: whoever made it could hold it for ever."""
    if os.fstat(descriptor).st_uid != os.geteuid():
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
