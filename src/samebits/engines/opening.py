"""The door of this wing: the engine that a config names, opened for one training and closed after it, whatever ends that.

`local` is a scheduler in this process, reached by nobody but who has the key made for it, and workers of this machine. An address is
a cluster that somebody else started; TLS and its keys are Dask's own configuration. Nothing of Dask is imported without an engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import joblib

from samebits.engines.units import Engine
from samebits.errors import ConfigError, Problem, ProvenanceError
from samebits.keys.config import Config
from samebits.text import clean_text
from samebits.voice import Voice

if TYPE_CHECKING:
    from samebits.engines.admission import Request

CONNECT_SECONDS = 30.0
_KEY = "engine.dask"
_LOCAL = "local"


def check_engine(config: Config) -> None:
    """Refuse at once an engine that is not installed, or an address where no scheduler answers.

    Raises
    ------
    ConfigError, ProvenanceError
        One of these.
    """
    if config.engine is None:
        return
    refuse_missing_dask(_KEY)
    if config.engine.dask == _LOCAL:
        return
    parts = urlsplit(config.engine.dask)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ConfigError(_describe_silence(config.engine.dask, error)) from None
    find_scheduler(config.engine.dask, CONNECT_SECONDS)


def refuse_missing_dask(where: str) -> None:
    """Refuse where Dask is not installed.

    Raises
    ------
    ProvenanceError
        The extra is missing.
    """
    if importlib.util.find_spec("distributed") is None:
        remedy = "Install the extra: uv add 'samebits[dask]'; in a checkout: uv sync --inexact --extra dask."
        raise ProvenanceError(Problem(where, "the package distributed", "not installed", remedy))


def find_scheduler(address: str, seconds: float) -> None:
    """Refuse an address at which no Dask scheduler says that it is one, within a time; Dask's client waits for an answer for ever.

    Raises
    ------
    ConfigError
        Nobody listens there, or a server of another kind, or one that wants other TLS keys.
    """
    import dask
    from distributed import Security

    if dask.config.get("distributed.client.security-loader", None):  # whose keys Dask's client alone asks for
        return
    try:
        keys = Security().get_connection_args("client")
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(_describe_silence(address, error)) from None
    if address.startswith("tls://") and keys["ssl_context"] is None:
        raise ConfigError(_describe_silence(address, "no TLS keys in Dask's configuration"))
    try:
        identity = asyncio.run(asyncio.wait_for(_ask_identity(address, seconds, keys), seconds))
    except Exception as error:  # what a server of another kind sends is read as lengths, frames and messages
        raise ConfigError(_describe_silence(address, _name_answer(error, seconds))) from None
    if "workers" not in identity:
        raise ConfigError(_describe_silence(address, f"a Dask {str(identity.get('type')).lower()}"))


async def _ask_identity(address: str, seconds: float, keys: dict[str, Any]) -> dict[str, Any]:
    from distributed.comm.core import connect
    from distributed.core import send_recv

    comm = await connect(address, seconds, **keys)
    try:
        return dict(await send_recv(comm, op="identity"))
    finally:
        comm.abort()


def _name_answer(error: Exception, seconds: float) -> object:
    from distributed.comm.core import CommClosedError

    if isinstance(error.__cause__, ssl.SSLError):
        return error.__cause__
    match error:
        case CommClosedError():
            return "a server that closes the connection"
        case TimeoutError():
            return f"a server that gives no answer within {seconds:g} s"
        case OSError():
            return error
    return "a server of another kind"


def _describe_silence(address: str, found: object) -> Problem:
    reason = " ".join(str(getattr(found, "strerror", None) or found).split()).rstrip(".") or type(found).__name__
    remedy = "Start it (dask scheduler), mend the address, or set Dask's TLS keys."
    return Problem(_KEY, f"a Dask scheduler at {address}", clean_text(reason), remedy)


@contextlib.contextmanager
def open_engine(config: Config, request: Request | None, voice: Voice) -> Iterator[Engine | None]:
    """Hand out the config's engine with a worker that is fit, or None where it names none; close it at the end, within seconds.

    Raises
    ------
    ConfigError, ProvenanceError
        It cannot be reached, or no worker of it can be what this process is.
    """
    if config.engine is None or request is None:
        yield None
        return
    from samebits.engines.dask_engine import DaskEngine

    with contextlib.ExitStack() as stack:
        stack.enter_context(_keep_quiet())
        if config.engine.dask == _LOCAL:
            n_jobs = joblib.effective_n_jobs(config.n_jobs)
            client, own = _open_local(stack, n_jobs, request)
        else:
            client, own = _connect(stack, config.engine.dask), None
        engine = DaskEngine(client, clean_text(config.engine.dask), request, voice, own)
        stack.callback(engine.end)
        engine.wait_for_workers()
        yield engine


def _connect(stack: contextlib.ExitStack, address: str) -> Any:
    from distributed import Client

    find_scheduler(address, CONNECT_SECONDS)
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, RuntimeError, TypeError) as error:  # it has gone since; keys of a loader do not fit
        raise ConfigError(_describe_silence(address, error)) from None
    stack.callback(_close, client)
    return client


def _open_local(stack: contextlib.ExitStack, n: int, request: Request) -> tuple[Any, Any]:
    import dask
    from distributed import Client, LocalCluster, Security

    from samebits.engines.local_workers import LocalWorkers

    security = Security.temporary()
    with dask.config.set({"distributed.scheduler.http.routes": []}):  # which would be told to whoever asks
        cluster = LocalCluster(
            n_workers=0, host="127.0.0.1", protocol="tls://", security=security, silence_logs=False,
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        )  # fmt: skip
    stack.callback(_close, cluster)
    client = Client(cluster, set_as_default=False)
    stack.callback(_close, client)
    own = LocalWorkers(cluster.scheduler_address, security, n, request.root)
    stack.callback(own.end)  # first of all: they may be in the middle of a unit
    return client, own


def _close(closed: Any) -> None:
    with contextlib.suppress(Exception):  # a scheduler that is gone was said, and nothing is left to lose
        closed.close(timeout=5)


@contextlib.contextmanager
def _keep_quiet() -> Iterator[None]:
    """Keep Dask's own log to itself: what stands in the way is said in a sentence."""
    import distributed  # noqa: F401  its loggers are made here

    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
