"""Trains one config, and says how many seconds of it went into asking before the training and into listing back after it.

python timed_guards.py CONF
"""

import sys
import time
from collections.abc import Callable
from typing import Any

from samebits.__main__ import main
from samebits.delivery import open_run, orphans, sending

BEFORE = [(open_run, "check_server"), (open_run, "check_store"), (orphans, "close_orphans")]
AFTER = [(sending.ArtifactStore, "_list_missing"), (sending, "_list_missing_values")]
GUARDS = [*BEFORE, *AFTER]
SPENT = {name: 0.0 for _, name in GUARDS}


def watch(owner: Any, name: str) -> None:
    plain: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return plain(*args, **options)
        finally:
            SPENT[name] += time.perf_counter() - started

    setattr(owner, name, timed)


if __name__ == "__main__":
    for owner, name in GUARDS:
        watch(owner, name)
    exit_code = main(["train", *sys.argv[1:]])
    print("guards", *(f"{name}={seconds:.4f}" for name, seconds in SPENT.items()))
    sys.exit(exit_code)
