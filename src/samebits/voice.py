"""How a person is told what goes on while a run is made: lines that stay, and in a terminal one that the next is written over.

What is told decides nothing and stands in no record.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from samebits.text import clean_text, warn


@dataclass(frozen=True)
class Voice:
    """By whom a person is told.

    Parameters
    ----------
    say
        Called with each line that must be known: what is kept of the code, and what is not.
    follow
        Called with each line of what was read and how far it is.
    show
        Called with each line that the next one is written over; None where nothing can be.
    """

    say: Callable[[str], None]
    follow: Callable[[str], None]
    show: Callable[[str], None] | None = None


def ignore(line: str) -> None:
    """Tell nobody."""


def show_over(line: str) -> None:
    """Show a line in the terminal on stderr that the next one is written over; an empty one takes it away."""
    columns = shutil.get_terminal_size().columns
    with contextlib.suppress(OSError, ValueError):  # the terminal may be gone
        print(f"\r\x1b[K{clean_text(line)[: columns - 1]}\r", end="", file=sys.stderr, flush=True)


def choose_voice(is_quiet: bool) -> Voice:
    """Return the voice that speaks on stderr, in a terminal or into a pipe."""
    return Voice(warn, ignore) if is_quiet else Voice(warn, warn, show_over if sys.stderr.isatty() else None)


@contextlib.contextmanager
def keep_stdout(as_json: bool) -> Iterator[None]:
    """Let what a config's own classes print, in any process, go to stderr, where stdout is to hold JSON alone."""
    if not as_json:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


SILENT = Voice(ignore, ignore)
