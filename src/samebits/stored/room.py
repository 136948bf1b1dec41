"""Room in memory: how much there is, what of a table fits into it, and what is said of one that does not."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

from samebits.errors import DataError, Problem

COPIES = 10  # of a table that an ordinary run may hold at once: measured 4 to 10, the most where medians of short numbers are imputed
_CELL_BYTES = 8
_HOPELESS = 2  # times what is available: no table is held in half of its own file
_GB = 1e9
_M_MMAP_THRESHOLD, _LARGE_BYTES = -3, 1 << 20  # the first of glibc's malloc.h
_LARGE_FILE_BYTES = 20 << 20


def read_available_bytes() -> int:
    """Return what Linux says is available, and its control group allows; elsewhere all that the machine has."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path, key, unit in (("/proc/meminfo", "MemAvailable:", 1024), ("/sys/fs/cgroup/memory.max", "", 1)):
        try:
            text = Path(path).read_text(encoding="ascii")
            found.append(int(text.partition(key)[2].split()[0]) * unit if key else int(text) * unit)
        except (OSError, ValueError, IndexError):
            continue
    return min(found)


def is_large(files: Iterable[Path]) -> bool:
    """Tell whether files hold a table so large that it is worth a tenth of a second to be sparing with memory."""
    return sum(path.stat().st_size for path in files) > _LARGE_FILE_BYTES


def return_memory_at_once() -> None:
    """Let the C library give arrays of a megabyte back to the system when they are freed.

    glibc keeps ever larger ones for the next to come (mallopt(3), M_MMAP_THRESHOLD), which of large tables is a fifth of the peak.
    """
    with contextlib.suppress(OSError, AttributeError):  # of another C library
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def count_rows_that_fit(n_columns: int) -> int:
    """Return about how many rows of so many columns an ordinary run has room for, to two digits."""
    found: int = read_available_bytes() // (COPIES * _CELL_BYTES * max(1, n_columns))
    unit = int(10 ** max(0, len(str(found)) - 2))
    return found // unit * unit


def judge_room(files: Iterable[Path]) -> str | None:
    """Return what is to be said before files are read into memory that may be too small for them, or None.

    Raises
    ------
    DataError
        It is too small, whatever is in them.
    """
    paths = list(files)
    size, room = sum(path.stat().st_size for path in paths), read_available_bytes()
    remedy = "batches: {rows: 500000} reads it from disk in parts, for models that can learn so"
    if size > _HOPELESS * room:
        found = f"{size / _GB:.1f} GB"
        raise DataError(
            Problem(str(paths[0].parent), f"a table for the {room / _GB:.1f} GB of memory that are free", found, f"Write {remedy}.")
        )
    if size * COPIES > room:
        there = f"the table has {size / _GB:.1f} GB, and a run may hold {COPIES} times as much; {room / _GB:.1f} GB are free"
        return f"{there}: {remedy}"
    return None
