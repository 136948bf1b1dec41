"""`samebits worker ADDRESS`: pins the numeric profile, and runs units for a Dask scheduler until that is gone."""

from __future__ import annotations

import gc
import os
import sys

from samebits.engines.opening import refuse_missing_dask
from samebits.errors import Interrupted
from samebits.numerics.profile import ProfileName, check_kernels, pin_profile, read_kernels
from samebits.project import find_project_root, list_code_folders
from samebits.text import warn
from samebits.voice import ignore


def run_worker(address: str, profile: ProfileName, quiet: bool) -> None:
    """Be a worker of one unit at a time.

    Raises
    ------
    SamebitsError
        Dask is not installed, this machine cannot keep the profile, or no scheduler answers.
    """
    try:
        _work(address, profile, quiet)
    except Interrupted:
        if not quiet:  # else whoever started it has ended it
            raise


def _work(address: str, profile: ProfileName, quiet: bool) -> None:
    refuse_missing_dask("samebits worker")
    pin_profile(profile)
    root = find_project_root()
    os.chdir(root)
    sys.path += list_code_folders(root)
    gc.freeze()  # what was imported stays
    gc.enable()
    check_kernels(profile, read_kernels())
    from samebits.engines.serving import serve

    serve(address, ignore if quiet else warn)
