"""Makes a restored run again: the same `train` that made the original, in the restored environment, as a process of its own."""

from __future__ import annotations

import contextlib
import locale
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from samebits.holdings.runs import RecordedRun
from samebits.restoring.restoration import Restoration
from samebits.signals import ended_with_us, hold_signals
from samebits.tracking.server import explain_failures, name_user

_OTHER_TIME_ZONES = ("Asia/Kathmandu", "America/St_Johns")
_OTHER_LOCALES = ("tr_TR.UTF-8", "de_DE.UTF-8", "C.UTF-8", "C")
_OTHER_UMASKS = (0o077, 0o027)
_STOP_SECONDS = 20


@dataclass(frozen=True)
class Conditions:
    """What is around a rerun.

    Parameters
    ----------
    variables
        Of the environment, put over the caller's.
    said
        Each condition that was varied, in words.
    """

    variables: dict[str, str] = field(default_factory=dict)
    umask: int = -1
    n_jobs: int | None = None
    said: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rerun:
    """A process that trained, or tried to.

    Parameters
    ----------
    failure
        The end of what it said, where it did not exit with 0; else None.
    """

    run_id: str
    seconds: float
    failure: str | None


def vary_conditions(n_jobs: int, site_folders: Sequence[str] = ()) -> Conditions:
    """Return conditions that each differ from those of this process; path and file order are the caller's to vary.

    Parameters
    ----------
    site_folders
        Where the packages of the Python that trains are installed.
    """
    zone = next(zone for zone in _OTHER_TIME_ZONES if zone != os.environ.get("TZ"))
    other_locale = _choose_locale(_list_path_files(site_folders))
    umask = os.umask(0)
    os.umask(umask)
    other_umask = next(mask for mask in _OTHER_UMASKS if mask != umask)
    own_seed = os.environ.get("PYTHONHASHSEED", "")
    hash_seed = str(((int(own_seed) if own_seed.isdecimal() else 0) + 12345) % 2**32)
    other_jobs = 2 if n_jobs == 1 else 1
    variables = {"TZ": zone, "PYTHONHASHSEED": hash_seed, "LC_ALL": other_locale, "LANG": other_locale}
    said = {
        "time zone": zone,
        "locale": other_locale,
        "umask": f"{other_umask:03o}",
        "hash seed": f"{hash_seed} in the shell; the numeric profile pins its own",
        "n_jobs": f"{n_jobs} -> {other_jobs}",
    }
    return Conditions(variables, other_umask, other_jobs, said)


def _list_path_files(site_folders: Sequence[str]) -> list[bytes]:
    """Return what is in the .pth files of some folders, which Python reads by the locale as it starts."""
    return [path.read_bytes() for folder in site_folders for path in sorted(Path(folder).glob("*.pth"))]


def _choose_locale(texts: Sequence[bytes]) -> str:
    """Return a locale that this machine has, this process does not use, and some texts can be read by; else this process's own."""
    before, own = locale.setlocale(locale.LC_ALL), os.environ.get("LC_ALL", os.environ.get("LANG", ""))
    try:
        for name in _OTHER_LOCALES:
            with contextlib.suppress(locale.Error):
                locale.setlocale(locale.LC_ALL, name)
                can_read = all(map(bytes.isascii, texts)) or "UTF-8" in locale.nl_langinfo(locale.CODESET).upper()
                if can_read and name != own:
                    return name
    finally:
        locale.setlocale(locale.LC_ALL, before)
    return own or "C"


def make_rerun(
    recorded: RecordedRun, restoration: Restoration, config: Path, name: str, tags: dict[str, str], conditions: Conditions
) -> Rerun:
    """Train a config in a restored folder, as a run beside the original one on the same server.

    Raises
    ------
    TrackingError
        The server does not take a run.
    """
    run_id = _create_run(recorded, name, tags)
    started = time.monotonic()
    command = [*restoration.program, "train", str(config)]
    environment = {**restoration.list_variables(recorded.client.tracking_uri), **conditions.variables, "MLFLOW_RUN_ID": run_id}
    said = restoration.folder / f"{name}.log"
    with said.open("wb") as output, _marked_killed(recorded, run_id), ended_with_us(_STOP_SECONDS) as processes:
        with hold_signals():
            process = subprocess.Popen(
                command, cwd=restoration.project, env=environment, umask=conditions.umask, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
            )  # fmt: skip
            processes.append(process)
        exit_code = process.wait()
    lines = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    failure = None if exit_code == 0 else f"exit code {exit_code}: {' '.join(lines[-3:])[-600:] or 'it said nothing'}"
    if failure:
        _end_run(recorded, run_id, "FAILED")
    return Rerun(run_id, time.monotonic() - started, failure)


def _create_run(recorded: RecordedRun, name: str, tags: dict[str, str]) -> str:
    info = recorded.run.info
    own = {
        "mlflow.parentRunId": info.run_id,
        "mlflow.user": name_user(),
        "mlflow.source.name": f"samebits reproduce {info.run_id}",
        "mlflow.source.type": "LOCAL",
    }
    run_name = f"{name} of {info.run_name}"
    made = explain_failures(
        "create a run", lambda: recorded.client.create_run(info.experiment_id, tags={**own, **tags}, run_name=run_name)
    )
    return str(made.info.run_id)


@contextlib.contextmanager
def _marked_killed(recorded: RecordedRun, run_id: str) -> Iterator[None]:
    """A run whose rerun was ended does not stay RUNNING."""
    try:
        yield
    except BaseException:
        _end_run(recorded, run_id, "KILLED")
        raise


def _end_run(recorded: RecordedRun, run_id: str, status: str) -> None:
    with contextlib.suppress(Exception):  # why it ended is what is reported
        if recorded.client.get_run(run_id).info.status == "RUNNING":
            recorded.client.set_terminated(run_id, status)
