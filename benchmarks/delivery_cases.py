"""Cases of the benchmark with a real tracking server behind HTTP: whole runs, what waits in the spool, and what guards it."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from measuring import LABELS, compare, make_environment, measure, print_ratio

ROOT = Path(__file__).resolve().parent.parent
HERE = Path(__file__).parent
SAMEBITS = [sys.executable, "-m", "samebits"]
N_WAITING = 50
_SERVER = """
import sys; sys.path.insert(0, sys.argv[1])
from conftest import _kill, start_server
from pathlib import Path
uri, process = start_server(Path(sys.argv[2]))
print(uri, process.pid, flush=True)
sys.stdin.read()
_kill(process)
"""


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The address of a real tracking server with a store of its own."""
    command = [sys.executable, "-c", _SERVER, str(ROOT / "tests"), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        yield process.stdout.readline().split()[0]
        process.stdin.close()


def compare_http(folder: Path, runs: int) -> None:
    """A whole small run against the plain script, both over HTTP."""
    plain = [sys.executable, str(HERE / "plain_script.py"), str(ROOT / "data/raw/wdbc.csv"), "diagnosis", "M"]
    with serve(folder) as uri:
        ours = [*SAMEBITS, str(ROOT / "confs/training.yaml")]
        compare("whole run over HTTP", ours, [*plain, uri, "small"], folder, runs, **place(folder, uri))


def compare_push(folder: Path, runs: int) -> None:
    """One waiting run pushed, against the same params, metrics, tags, files and model logged by MLflow's own calls."""
    compare_delivery("push of a run", folder, runs, n_waiting=1)


def compare_spool(folder: Path, runs: int) -> None:
    """As `push`, for fifty runs that wait."""
    pairs = compare_delivery(f"push of {N_WAITING} runs", folder, max(1, runs // 2), N_WAITING)
    print_ratio("  a run of them", LABELS["wall"], [(ours / N_WAITING, theirs / N_WAITING) for ours, theirs in pairs])


def compare_delivery(title: str, folder: Path, runs: int, n_waiting: int) -> list[tuple[float, float]]:
    kept, spool, plain = folder / "kept", folder / "spool", folder / "plain"
    with serve(folder) as uri:
        wait(folder, kept)

        def fill() -> None:
            """Each turn delivers the same runs under ids of their own."""
            for place in (spool, plain):
                shutil.rmtree(place, ignore_errors=True)
                fill_spool(kept, place, n_waiting)

        ours, theirs = [*SAMEBITS, "push"], [sys.executable, str(HERE / "plain_delivery.py"), str(plain)]
        pairs = compare(title, ours, theirs, folder, runs, fill, **place(folder, uri))
    return [(ours.wall, theirs.wall) for ours, theirs in pairs]


def place(folder: Path, uri: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": uri, "SAMEBITS_SPOOL": str(folder / "spool")}


def wait(folder: Path, spool: Path) -> None:
    """Train one small run without a server, and leave it in a spool."""
    text = (ROOT / "confs/training.yaml").read_text(encoding="utf-8")
    config = folder / "offline.yaml"
    config.write_text(re.sub(r"offline: false", "offline: true", text), encoding="utf-8")
    environment = {**make_environment(folder), "SAMEBITS_SPOOL": str(spool)}
    done = subprocess.run([*SAMEBITS, str(config)], env=environment, cwd=folder, capture_output=True, text=True)
    if len(list(spool.glob("*/values.json"))) != 1:
        sys.exit(f"nothing waits in {spool}:\n{done.stderr[-2000:]}")


def fill_spool(kept: Path, spool: Path, n_waiting: int) -> None:
    """Copy the one run that is kept, so many times, each under an id of its own."""
    source = next(kept.glob("*/values.json")).parent
    for _ in range(n_waiting):
        parcel_id = uuid.uuid4().hex
        shutil.copytree(source, spool / parcel_id)
        note = json.loads((source / "parcel.json").read_text(encoding="utf-8"))
        (spool / parcel_id / "parcel.json").write_text(json.dumps({**note, "parcel_id": parcel_id}), encoding="utf-8")


def measure_guards(folder: Path, runs: int) -> None:
    """Print what share of a small run over HTTP goes into the preflight and into listing back."""
    with serve(folder) as uri:
        environment = {**make_environment(folder), **place(folder, uri)}
        command = [sys.executable, str(HERE / "timed_guards.py"), str(ROOT / "confs/training.yaml")]
        measured = [measure(command, environment, folder) for _ in range(runs + 1)][1:]
    guards = [sum(map(float, re.findall(r"=([0-9.]+)", one.said.rpartition("guards ")[2]))) for one in measured]
    share = statistics.median(guard / one.wall for guard, one in zip(guards, measured, strict=True))
    wall = statistics.median(one.wall for one in measured)
    print(
        f"{'preflight, listing back':26} wall s    guards   {statistics.median(guards):9.2f}   run   {wall:9.2f}   share {share:6.1%}"
    )


DELIVERY_CASES = {"http": compare_http, "push": compare_push, "spool": compare_spool, "guards": measure_guards}
