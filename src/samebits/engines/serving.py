"""One worker of a Dask cluster, which this process is while the scheduler lives: one unit at a time, without a nanny.

A nanny would give it another hash seed than the one that is pinned. What keeps it running is whatever started it: a batch system, a
container, or `engine: {dask: local}`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import dask
from distributed import Worker

from samebits.engines.on_worker import note_start
from samebits.errors import ConfigError, Problem

_FIND_SECONDS = 60


def serve(address: str, tell: Callable[[str], None]) -> None:
    """Run units for a scheduler until it is gone.

    Raises
    ------
    ConfigError
        No scheduler answers there.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set({"distributed.worker.http.routes": [], "distributed.worker.profile.enabled": False}):
        try:
            asyncio.run(_serve(address, tell))
        except (OSError, ValueError, TimeoutError, RuntimeError, TypeError) as error:
            found = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            remedy = "Start it (dask scheduler), mend the address, or set Dask's TLS keys."
            raise ConfigError(Problem(address, "a Dask scheduler", found, remedy)) from None


async def _serve(address: str, tell: Callable[[str], None]) -> None:
    # memory_limit: nothing of a unit is moved to disk, and no worker pauses in the middle of one
    worker = Worker(address, nthreads=1, memory_limit=0, dashboard=False, death_timeout=_FIND_SECONDS)
    note_start(worker)
    async with worker:
        tell(f"worker {worker.address} of {address}; it ends with its scheduler")
        await worker.finished()
