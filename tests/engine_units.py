"""What the tests of the engines run on workers: found there by its name."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from samebits.errors import DataError, Problem


def add(shared: int, number: int) -> int:
    return shared + number


def wait_and_add(shared: int, number: int) -> int:
    time.sleep(0.2)
    return shared + number


def draw(shared: int, number: int) -> float:
    random.seed(shared + number)
    return random.random()


def fail(shared: Any, number: int, seconds: float) -> None:
    time.sleep(seconds)
    raise DataError(Problem(f"unit {number}", "luck", "none", ""))


def die_once(shared: str, number: int) -> int:
    """Kill the worker that is the first to come here, as a machine without memory would."""
    try:
        Path(shared).touch(exist_ok=False)  # of two that come at once one alone is the first
    except FileExistsError:
        return number
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def die(shared: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def tell_process(shared: Any, _: int) -> int:
    time.sleep(0.1)
    return os.getpid()


class Unsendable:
    def __reduce__(self) -> Any:
        raise TypeError("not to be sent")


def give_unsendable(shared: Any) -> Unsendable:
    return Unsendable()
