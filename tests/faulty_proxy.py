"""A proxy before a real tracking server that counts a run's requests and fails at the one that a test chose, in the way it chose.

It stands between a program and a server that are both real: what is broken is only what lies between them, as on a bad day.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import http.client
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Self
from urllib.parse import urlsplit

RESTART_SECONDS = 1.0  # for which a server that is refused once does not listen
_OF_ONE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "proxy-connection"}
_BODILESS = (204, 304)
_LOGIN_PAGE = b"<!doctype html><html><title>Sign in</title><form action=/login></form></html>"


class Kind(enum.Enum):
    """What happens instead of an answer."""

    REFUSE = "refuse"  # nobody listens any more
    RESET = "reset"
    ERROR = "error 500"
    HANG = "hang"  # accepted, read, never answered
    BLACK_HOLE = "black hole"  # not even accepted
    LIE = "lie"  # 200, and nothing stored
    LOGIN = "login page"  # 200, of a gateway
    LOSE = "lost answer"  # stored, and not told
    HOLLOW = "hollow"  # taken without what was in it, as by a full disk, and answered
    CUT = "cut answer"  # stored, and half of it told
    SLOW = "slow"


@dataclass(frozen=True)
class Fault:
    """A kind of failure and the request that it strikes.

    Parameters
    ----------
    at
        Which of the requests that match, from 1.
    lasts
        Whether every later one that matches is struck too.
    matching
        Searched in "METHOD /path".
    """

    kind: Kind
    at: int = 1
    lasts: bool = False
    matching: str = ""


@dataclass(frozen=True)
class Request:
    """One request as it came in: `number` counts from 1 since the proxy was cleared."""

    number: int
    method: str
    path: str
    headers: http.client.HTTPMessage
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What the server said: nothing of it depends on the connection that it came by."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


class FaultyProxy:
    """Stands at `uri` before the server at `upstream` until it is left.

    Parameters
    ----------
    faults
        What to do at which request; without any, everything is passed on. May be changed at any time.
    struck
        Those of them that have struck since the proxy was cleared.
    before, after
        Called with each request before the server has it, and when the server has answered and the client does not know it yet:
        for what a test does at that moment, such as a signal.
    slow_seconds
        How long a slow answer takes.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = str(urlsplit(upstream).netloc)
        self.faults: Sequence[Fault] = ()
        self.struck: set[Fault] = set()
        self.before: Callable[[Request], None] | None = None
        self.after: Callable[[Request], None] | None = None
        self.slow_seconds = 1.0
        self.requests: list[Request] = []
        self._matched: dict[Fault, int] = {}
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._connections: set[socket.socket] = set()
        self._fillers: list[socket.socket] = []
        self._listener = self._listen(0)
        self._port = int(self._listener.getsockname()[1])

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._stop_listening()
        self._drop_connections()

    def clear(self) -> None:
        """Pass everything on again, and count from 1."""
        self.faults, self.before, self.after = (), None, None
        self._released.set()  # those who hang
        self._drop_connections()
        with self._lock:
            self._released = threading.Event()
            self.requests, self._matched, self.struck = [], {}, set()
        self._listen_again()

    def _listen(self, port: int, backlog: int = 128) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(backlog)
        if backlog:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        return listener

    def _listen_again(self) -> None:
        self._stop_listening()
        self._listener = self._listen(self._port)

    def _stop_listening(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        self._listener.close()

    def _drop_connections(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._connections.add(connection)
        try:
            with connection, connection.makefile("rb") as reading, contextlib.suppress(OSError, http.client.HTTPException):
                while (request := self._read(reading)) is not None and self._handle(connection, request):
                    pass
        finally:
            self._connections.discard(connection)

    def _read(self, reading: BinaryIO) -> Request | None:
        words = reading.readline().decode("latin-1").split()
        if len(words) != 3:
            return None
        headers = http.client.parse_headers(reading)
        body = _read_body(reading, headers)
        if len(body) < int(headers.get("Content-Length", 0)):  # who sent it is gone
            return None
        with self._lock:
            request = Request(len(self.requests) + 1, words[0], words[1], headers, body)
            self.requests.append(request)
        return request

    def _handle(self, connection: socket.socket, request: Request) -> bool:
        """Answer, or do what the fault says; True where the connection goes on."""
        if self.before:
            self.before(request)
        fault = self._choose_fault(request)
        kind = fault.kind if fault is not None else None
        if kind in _INSTEAD:
            _INSTEAD[kind](self, connection, request)
            return False
        if kind in _FALSE_ANSWERS:
            connection.sendall(_write_answer(_FALSE_ANSWERS[kind], request))
            return True
        if kind is Kind.SLOW:
            self._released.wait(self.slow_seconds)
        passed = dataclasses.replace(request, body=b"") if kind is Kind.HOLLOW else request
        written = _write_answer(self._forward(passed), request)
        if self.after:
            self.after(request)
        if kind in (Kind.LOSE, Kind.CUT):
            connection.sendall(written[: len(written) // 2] if kind is Kind.CUT else b"")
            return False
        connection.sendall(written)
        return True

    def _choose_fault(self, request: Request) -> Fault | None:
        """Return the first fault that strikes a request; each counts all that match it."""
        chosen = None
        with self._lock:
            for fault in [fault for fault in self.faults if re.search(fault.matching, str(request))]:
                number = self._matched[fault] = self._matched.get(fault, 0) + 1
                if chosen is None and (number >= fault.at if fault.lasts else number == fault.at):
                    chosen = fault
                    self.struck.add(fault)
        return chosen

    def _forward(self, request: Request) -> Answer:
        with contextlib.closing(http.client.HTTPConnection(self._upstream)) as server:
            server.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name.lower() not in _OF_ONE_CONNECTION:
                    server.putheader(name, value)
            server.putheader("Content-Length", str(len(request.body)))
            server.endheaders(request.body)
            found = server.getresponse()
            headers = [(name, value) for name, value in found.getheaders() if name.lower() not in _OF_ONE_CONNECTION]
            return Answer(found.status, found.reason, headers, found.read())

    def _refuse(self, connection: socket.socket, _: Request) -> None:
        self._stop_listening()
        _reset(connection)
        self._drop_connections()
        if self.faults and not any(fault.lasts for fault in self.faults):
            threading.Timer(RESTART_SECONDS, self._listen_again).start()

    def _hang(self, *_: object) -> None:
        self._released.wait()

    def _swallow(self, *_: object) -> None:
        """Leave the port to a listener whose queue is full: the system drops whoever asks to be let in."""
        self._stop_listening()
        self._listener = self._listen(self._port, backlog=0)
        for _number in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self._port))
            self._fillers.append(filler)
        self._released.wait()

    def _reset(self, connection: socket.socket, _: Request) -> None:
        _reset(connection)


def _read_body(reading: BinaryIO, headers: http.client.HTTPMessage) -> bytes:
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        return b"".join(_read_chunks(reading))
    return reading.read(int(headers.get("Content-Length", 0)))


def _read_chunks(reading: BinaryIO) -> Iterator[bytes]:
    while size := int(reading.readline().split(b";")[0], 16):
        yield reading.read(size)
        reading.readline()
    while reading.readline().strip():  # what may stand after the last chunk
        pass


def _write_answer(answer: Answer, request: Request) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in answer.headers)]
    has_body = request.method != "HEAD" and answer.status not in _BODILESS
    lines.append(f"Content-Length: {len(answer.body) if has_body else 0}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (answer.body if has_body else b"")


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # closed without a farewell
    connection.close()


_INSTEAD = {
    Kind.REFUSE: FaultyProxy._refuse,
    Kind.RESET: FaultyProxy._reset,
    Kind.HANG: FaultyProxy._hang,
    Kind.BLACK_HOLE: FaultyProxy._swallow,
}
_JSON = [("Content-Type", "application/json")]
_FALSE_ANSWERS = {
    Kind.ERROR: Answer(500, "Internal Server Error", _JSON, json.dumps({"error_code": "INTERNAL_ERROR", "message": "no"}).encode()),
    Kind.LIE: Answer(200, "OK", _JSON, b"{}"),
    Kind.LOGIN: Answer(200, "OK", [("Content-Type", "text/html")], _LOGIN_PAGE),
}
