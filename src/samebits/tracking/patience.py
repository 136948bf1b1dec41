"""One budget for the server: how long it may stay silent, in all, before it counts as gone and is asked nothing more.

A call to a server or a database may hang for ever, and each library waits and tries again in its own way. So a call is made in a
thread of its own and waited for; what counts is the time since the server last gave or took anything. A store of this machine has no
such limit.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import requests

from samebits.errors import Problem, TrackingError

SILENCE_SECONDS = 30.0
CLOSING_SECONDS = 5.0  # once a run is being ended by a signal or a failure
UNHEARD = "unheard"  # of a thread whose calls say nothing of whether the server answers
_PIECE_BYTES, _TAKEN_UNREAD_BYTES = 1 << 13, 4 << 20  # of a body: a piece of it, and what a system takes for nobody
_BROKEN_STATUS = 500
_ANSWER_BYTES = 128 << 20  # a thousand runs with all that their tags may hold are a tenth of it
_TICK_SECONDS = 0.05
_MOST_DOUBTS = 4  # of one call: a server that answers that alone is no use either
_SILENT = ("ConnectionError", "Timeout", "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError")
T = TypeVar("T")


class ServerGone(TrackingError):
    """The server, or the way to it, gives no answer: what was to be sent can be sent later."""


class Patience:
    """How long a server has been silent, and how long it may be.

    Parameters
    ----------
    limit_seconds
        Infinite for a store that only this machine has.
    looks_alive
        Asked in the middle of a silence whether the server answers what takes it no database: one that does is busy, not gone.
    """

    def __init__(self, limit_seconds: float = math.inf, looks_alive: Callable[[], bool] = lambda: False) -> None:
        self.limit_seconds = limit_seconds
        self.looks_alive = looks_alive
        self.is_gone = False
        self._silent_seconds = 0.0  # in earlier calls, since the last sign of life
        self._last_sign = 0.0
        self._is_inside = threading.local()

    @property
    def is_hurried(self) -> bool:
        """Whether a run is being ended, which waits for nobody."""
        return self.limit_seconds <= CLOSING_SECONDS

    def note_sign_of_life(self) -> None:
        """Count from now on: the server gave or took something."""
        self._silent_seconds = 0.0
        self._last_sign = time.monotonic()

    def renew(self) -> None:
        """Give a server that was silent another chance."""
        self.is_gone = False
        self.note_sign_of_life()

    def hurry(self) -> None:
        """Give the server little time from now on, whatever was waited for before."""
        self.limit_seconds = min(self.limit_seconds, CLOSING_SECONDS)
        self.note_sign_of_life()

    def ask(self, call: Callable[[], T]) -> T:
        """Return what a call gives; a failure of the call's own is raised as it is.

        Raises
        ------
        ServerGone
            Nothing came for as long as the server may stay silent, or it was gone before.
        """
        if self.is_gone:
            raise self._describe("it gave no answer before, so that it is not asked again")
        if math.isinf(self.limit_seconds) or getattr(self._is_inside, "a_call", False):
            return call()
        return self._wait_for(call)

    def _wait_for(self, call: Callable[[], T]) -> T:
        answer: list[T] = []
        errors: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            self._is_inside.a_call = True
            try:
                answer.append(call())
            except BaseException as error:  # raised again by whoever waits
                errors.append(error)
            done.set()

        started, n_doubts, doubted = time.monotonic(), 0, 0.0
        threading.Thread(target=run, daemon=True).start()  # the program ends without it
        while not done.wait(_TICK_SECONDS):
            silence, now = self._count_silence(started), time.monotonic()
            if silence > self.limit_seconds:
                self.is_gone = True
                raise self._describe(f"no answer for {self.limit_seconds:.0f} s")
            is_due = silence > self.limit_seconds / 2 and now > doubted + self.limit_seconds / 4
            if is_due and n_doubts < _MOST_DOUBTS and not self.is_hurried:
                n_doubts, doubted = n_doubts + 1, now
                threading.Thread(target=self._look, name=UNHEARD, daemon=True).start()
        self._silent_seconds = self._count_silence(started)
        if errors:
            raise errors[0]
        return answer[0]

    def _look(self) -> None:
        if self.looks_alive():
            self.note_sign_of_life()

    def _count_silence(self, started: float) -> float:
        """The time between calls, in which a run trains, does not count."""
        return self._silent_seconds + time.monotonic() - max(started, self._last_sign)

    @staticmethod
    def _describe(found: str) -> ServerGone:
        return ServerGone(Problem("tracking server", "an answer", found, "Check the server and the way to it."))


PATIENCE = Patience()  # of this process, as there is one address of a server in its environment


@contextlib.contextmanager
def hurried() -> Any:
    """Give the server little time while a run is ended, and as much as before afterwards."""
    before = PATIENCE.limit_seconds
    PATIENCE.hurry()
    try:
        yield
    finally:
        PATIENCE.limit_seconds = before


def watch_transfers() -> None:
    """Let every further piece of a large body, and what a server that works answers, count as a sign of life.

    A large file on a slow line is no silence. The head of a request, and the first pieces, which the system takes whether or not
    anybody reads them, are none; nor is the page of a server that says it is broken.
    """
    for owner, name, watch in ((http.client.HTTPConnection, "send", _watch_send), (http.client.HTTPResponse, "read", _watch_read)):
        plain = getattr(owner, name)
        if not hasattr(plain, "is_watched"):
            watched = watch(plain)
            watched.is_watched = True  # type: ignore[attr-defined]
            setattr(owner, name, watched)


def _watch_send(plain: Callable[..., Any]) -> Callable[..., Any]:
    def watched(connection: Any, data: Any) -> Any:
        done = plain(connection, data)
        size_bytes = len(data) if isinstance(data, bytes | bytearray | memoryview) else 0
        connection.samebits_sent = getattr(connection, "samebits_sent", 0) + size_bytes
        if size_bytes >= _PIECE_BYTES and connection.samebits_sent > _TAKEN_UNREAD_BYTES:
            _note_transfer()
        return done

    return watched


def _watch_read(plain: Callable[..., Any]) -> Callable[..., Any]:
    def watched(response: Any, *args: Any) -> Any:
        content = plain(response, *args)
        if content and response.status < _BROKEN_STATUS:
            _note_transfer()
        return content

    return watched


def bound_answers() -> None:
    """Hold in memory no answer without end, be it packed small: what is read piece by piece, as a file is, may be large."""
    plain: Any = requests.Response.content
    if not hasattr(plain.fget, "is_bounded"):
        bounded = _bound_content(plain.fget)
        bounded.is_bounded = True  # type: ignore[attr-defined]
        requests.Response.content = property(bounded)  # type: ignore[method-assign,assignment]


def _bound_content(plain: Any) -> Callable[[Any], Any]:
    def read_bounded(response: Any) -> Any:
        if response._content is False and not response._content_consumed and response.raw is not None:
            response._content = b"".join(_count_pieces(response))
        return plain(response)

    return read_bounded


def _count_pieces(response: Any) -> Iterator[bytes]:
    """The pieces are counted as they are expanded."""
    n_bytes = 0
    for piece in response.iter_content(_PIECE_BYTES):
        n_bytes += len(piece)
        if n_bytes > _ANSWER_BYTES:
            response.close()
            raise OSError(errno.EFBIG, f"an answer of more than {_ANSWER_BYTES >> 20} MiB")
        yield piece


def _note_transfer() -> None:
    if threading.current_thread().name != UNHEARD:
        PATIENCE.note_sign_of_life()


def name_cause(error: BaseException) -> str:
    """Return why no answer came, without the names of the classes and the address that libraries put before it."""
    said = " ".join(str(error).split())
    innermost = said.rpartition("Caused by ")[2]
    reason = innermost.rpartition("): ")[2] if "): " in innermost else innermost.partition("failed with exception ")[2] or innermost
    reason = reason.rpartition("Failed to establish a new connection: ")[2]
    phrases = re.findall(r"'([^']*)'", reason) if re.match(r"\w+Error\(", reason) else []
    if phrases:  # errors inside each other, as they are written
        reason = re.sub(r"^\[SSL: \w+\] | \(_ssl\.c:\d+\)$", "", phrases[-1])
    while reason.endswith(("'", '"', ")")) and not (reason.endswith(")") and reason.count("(") == reason.count(")")):
        reason = reason[:-1]
    return reason[:300] or type(error).__name__


def is_silence(error: BaseException) -> bool:
    """Tell whether an error says that no server answered, rather than what one answered."""
    if type(error).__name__ in _SILENT or getattr(error, "error_code", None) == "TEMPORARILY_UNAVAILABLE":
        return True
    said = str(error)
    return said.startswith("API request to") and ("failed with exception" in said or "failed with timeout" in said)
