"""Digests the content of a stored model in a process of its own, while the rest of a run is being verified.

Loading scikit-learn takes as long as everything else together. Only scikit-learn's own classes and samebits' are let in: what a
config once allowed is no reason to run a package's code here.
"""

from __future__ import annotations

import sys
from pathlib import Path

from samebits.errors import LineageError


def run_model_check() -> None:
    """Read a model file's path from standard input and print the digest of the model in it, or why there is none."""
    from samebits.model.file import load_model
    from samebits.model.fingerprint import digest_model

    path = Path(sys.stdin.readline().rstrip("\n"))
    if not path.name:
        return
    try:
        print(digest_model(load_model(path.read_bytes())))
    except (LineageError, OSError) as error:
        print(f"not loaded: {' '.join(str(error).split())}")
    except Exception as error:  # a hostile or damaged file may make a library raise anything
        print(f"not loaded: {type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    run_model_check()
