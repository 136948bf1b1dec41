"""Digests the content of a stored model in a process of its own, while the rest of a run is being verified.

Loading scikit-learn takes as long as everything else together. Only scikit-learn's own classes and samebits' are let in: what a
config once allowed is no reason to run a package's code here. The process may take only so much memory and time, and writes no file.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from samebits.errors import LineageError
from samebits.plain_files import read_plain

MEMORY_BYTES = 4 << 30  # and beside it
MEMORY_RATIO = 8  # so many times the file's own size
SECONDS = 120  # of the processor, and beside it
SECONDS_PER_MEBIBYTE = 30
MOST_FILE_BYTES = 8 << 30


def run_model_check() -> None:
    """Read a model file's path from standard input and print the digest of the model in it, or why there is none."""
    from samebits.model.file import load_model
    from samebits.model.fingerprint import digest_model

    path = Path(sys.stdin.readline().rstrip("\n"))
    if not path.name:
        return
    try:
        limit_process(path.stat().st_size)
        print(digest_model(load_model(read_plain(path, MOST_FILE_BYTES), by_name=True)))
    except MemoryError:
        print("not loaded: it takes more memory than a model of its size can need")
    except (LineageError, OSError) as error:
        print(f"not loaded: {' '.join(str(error).split())}")
    except Exception as error:  # a hostile or damaged file may make a library raise anything
        print(f"not loaded: {type(error).__name__}: {' '.join(str(error).split())}")


def limit_process(size_bytes: int) -> None:
    """Let this process take no more than a model file of a size can need, and write into no file."""
    seconds = SECONDS + SECONDS_PER_MEBIBYTE * (size_bytes >> 20)
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES + MEMORY_RATIO * size_bytes,
        resource.RLIMIT_CPU: seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in limits.items():
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    run_model_check()
