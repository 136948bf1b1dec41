# ruff: noqa: E402 - what is imported lies in the folder of the tests
"""Breaks a run at each of its requests in each way, and by signals, and says of each what was lost: nothing, it should.

python benchmarks/break_runs.py [once] [lasting] [signals] [pushes] [--every N] [--first N] [--only NAME]
"""

from __future__ import annotations

import argparse
import collections
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from broken_runs import LASTING, TRANSIENT, BrokenRuns, Outcome, signal_at
from conftest import _kill, start_server
from faulty_proxy import Fault, Kind

SIGNALS = {"TERM": (signal.SIGTERM,), "INT INT": (signal.SIGINT, signal.SIGINT), "KILL": (signal.SIGKILL,)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", default=list(_GROUPS), help=f"any of {', '.join(_GROUPS)}")
    parser.add_argument("--every", type=int, default=1, help="take each Nth request only")
    parser.add_argument("--first", type=int, default=1, help="begin at this request")
    parser.add_argument("--only", action="append", help="take only the kinds whose name begins so")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server ends too
    with tempfile.TemporaryDirectory(prefix="samebits-break-") as folder:
        (Path(folder) / "server").mkdir()
        uri, server = start_server(Path(folder) / "server")
        try:
            runs = BrokenRuns(Path(folder), uri, verifies=False)
            n_failed = sum(
                break_all(runs, group, options.first, options.every, tuple(options.only or [""])) for group in options.groups
            )
        finally:
            _kill(server)
    sys.exit(1 if n_failed else 0)


def break_all(runs: BrokenRuns, group: str, first: int, every: int, only: tuple[str, ...]) -> int:
    """Break runs in all the ways of a group, print what came of each kind, and return how many lost something."""
    runs.train()  # what only the first run of a store does
    sound = runs.train()
    if sound.wrong:
        sys.exit(f"the sound run: {sound.wrong}")
    exits: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    longest: dict[str, float] = collections.defaultdict(float)
    n_failed = n_tried = n_waited = 0
    started = time.monotonic()
    print(f"{group}: {sound.n_requests} requests a run, {sound.ended.seconds:.1f} s", flush=True)
    for name, at, act in _GROUPS[group](runs, range(first, sound.n_requests + 1, every)):
        if not name.startswith(only):
            continue
        outcome = act()
        exits[name][outcome.ended.exit_code] += 1
        longest[name] = max(longest[name], outcome.ended.seconds)
        n_tried, n_failed, n_waited = n_tried + 1, n_failed + bool(outcome.wrong), n_waited + outcome.waited
        if outcome.wrong:
            how = f"exit {outcome.ended.exit_code}, {outcome.ended.seconds:.1f} s"
            print(f"  {time.monotonic() - started:5.0f} s: {name} at {at}: {how}: {outcome.wrong}", flush=True)
    for name, counts in exits.items():
        print(f"  {name:22} exit codes {dict(sorted(counts.items()))}, at most {longest[name]:.1f} s")
    print(f"{group}: {n_tried} runs broken, {n_waited} waited in the spool, {n_failed} lost something", flush=True)
    return n_failed


def list_once(runs: BrokenRuns, numbers: range) -> Iterator[tuple[str, int, Callable[[], Outcome]]]:
    for kind in TRANSIENT:
        for number in numbers:
            yield f"{kind.value}, once", number, lambda kind=kind, number=number: runs.train(Fault(kind, number))


def list_lasting(runs: BrokenRuns, numbers: range) -> Iterator[tuple[str, int, Callable[[], Outcome]]]:
    for kind in LASTING:
        for number in numbers:
            yield f"{kind.value}, for good", number, lambda kind=kind, number=number: runs.train(Fault(kind, number, lasts=True))


def list_signals(runs: BrokenRuns, numbers: range) -> Iterator[tuple[str, int, Callable[[], Outcome]]]:
    for name, signals in SIGNALS.items():
        for number in numbers:
            yield name, number, lambda signals=signals, number=number: runs.train(after=signal_at(runs, number, *signals))
        yield f"{name} in training", 0, lambda signals=signals: runs.train_and_signal(signals)
    for number in numbers:  # while the server gives no answer
        yield (
            "TERM, server hangs",
            number,
            lambda number=number: runs.train(Fault(Kind.HANG, number, lasts=True), signal_at(runs, number, signal.SIGTERM)),
        )


def list_pushes(runs: BrokenRuns, numbers: range) -> Iterator[tuple[str, int, Callable[[], Outcome]]]:
    for kind in (Kind.RESET, Kind.LIE, Kind.LOSE):
        for number in numbers:
            yield f"push, {kind.value}", number, lambda kind=kind, number=number: runs.push(Fault(kind, number))
    for name, signals in SIGNALS.items():
        for number in numbers:
            yield f"push, {name}", number, lambda signals=signals, number=number: runs.push(after=signal_at(runs, number, *signals))


_GROUPS = {"once": list_once, "lasting": list_lasting, "signals": list_signals, "pushes": list_pushes}

if __name__ == "__main__":
    main()
