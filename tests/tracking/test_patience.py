"""A server may stay silent only so long, whatever it is asked and however often."""

from __future__ import annotations

import gzip
import io
import threading
import time

import pytest
import requests
import urllib3

from samebits.errors import TrackingError
from samebits.tracking import patience as module
from samebits.tracking.patience import Patience, ServerGone, name_cause


def test_an_answer_is_handed_on_and_so_is_a_failure() -> None:
    patience = Patience(3600)

    assert patience.ask(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        patience.ask(lambda: 1 // 0)


def test_a_call_without_an_answer_ends_and_no_further_one_is_made() -> None:
    patience = Patience(0.1)
    never, asked = threading.Event(), []

    with pytest.raises(ServerGone, match="no answer for 0 s"):
        patience.ask(never.wait)
    with pytest.raises(ServerGone, match="not asked again"):
        patience.ask(lambda: asked.append(1))

    never.set()
    assert asked == []
    patience.renew()
    assert patience.ask(lambda: 7) == 7


@pytest.mark.parametrize("is_alive", [True, False])
def test_a_server_that_says_its_version_is_busy_and_waited_for_but_not_for_ever(
    is_alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSING_SECONDS", 0.0)
    never, looks = threading.Event(), []
    patience = Patience(0.4, lambda: looks.append(1) or is_alive)  # type: ignore[func-returns-value]
    busy = threading.Timer(0.8, never.set)
    busy.start()

    if is_alive:
        assert patience.ask(never.wait)
    else:
        with pytest.raises(ServerGone):
            patience.ask(never.wait)
    busy.join()

    with pytest.raises(ServerGone):
        patience.ask(threading.Event().wait)
    assert len(looks) <= 2 * module._MOST_DOUBTS


def test_once_a_run_is_being_ended_nobody_is_asked_whether_he_is_alive() -> None:
    looks: list[int] = []
    patience = Patience(3600, lambda: looks.append(1) or True)  # type: ignore[func-returns-value]
    patience.hurry()
    patience.limit_seconds = 0.2

    with pytest.raises(ServerGone):
        patience.ask(threading.Event().wait)

    assert looks == []


def test_silence_adds_up_over_calls_that_fail_and_not_over_the_time_between() -> None:
    """Each call is shorter than the limit; together they are longer."""
    patience = Patience(3600)
    never = threading.Event()

    def fail() -> None:
        never.wait(0.05)
        raise ConnectionError

    for _ in range(3):
        with pytest.raises(ConnectionError):
            patience.ask(fail)
    time.sleep(0.2)

    assert patience._silent_seconds >= 0.15
    patience.limit_seconds = patience._silent_seconds
    with pytest.raises(ServerGone):
        patience.ask(never.wait)
    never.set()


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            "HTTPConnectionPool(host='x', port=5): Max retries exceeded with url: /v (Caused by NameResolutionError(\"HTTPConnection"
            "(host='x', port=5): Failed to resolve 'x' ([Errno -2] Name or service not known)\"))",
            "Failed to resolve 'x' ([Errno -2] Name or service not known)",
        ),
        (
            "HTTPConnectionPool(host='x', port=5): Max retries exceeded with url: /v (Caused by NewConnectionError('HTTPConnection"
            "(host='x', port=5): Failed to establish a new connection: [Errno 111] Connection refused'))",
            "[Errno 111] Connection refused",
        ),
        (
            "HTTPSConnectionPool(host='x', port=5): Max retries exceeded with url: /v (Caused by SSLError(SSLCertVerificationError(1, "
            "'[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate (_ssl.c:1006)')))",
            "certificate verify failed: self-signed certificate",
        ),
        (
            "HTTPConnectionPool(host='x', port=5): Max retries exceeded with url: /v (Caused by ProtocolError('Connection aborted.', "
            "ConnectionResetError(104, 'Connection reset by peer')))",
            "Connection reset by peer",
        ),
    ],
)
def test_the_cause_of_silence_is_a_whole_phrase_without_what_libraries_wrap_it_in(said: str, cause: str) -> None:
    assert name_cause(ConnectionError(said)) == cause


def test_a_sign_of_life_starts_the_count_anew() -> None:
    patience = Patience(3600)
    with pytest.raises(ConnectionError):
        patience.ask(lambda: (_ for _ in ()).throw(ConnectionError()))

    patience.note_sign_of_life()

    assert patience._silent_seconds == 0


def test_a_local_store_is_waited_for_in_the_callers_own_thread() -> None:
    assert Patience().ask(threading.get_ident) == threading.get_ident()
    assert issubclass(ServerGone, TrackingError)


def answer_packed(n_bytes: int) -> requests.Response:
    """Return an answer of zeros that is a thousandth as large on its way."""
    response = requests.Response()
    response.status_code = 200
    body = io.BytesIO(gzip.compress(bytes(n_bytes)))
    response.raw = urllib3.HTTPResponse(body, headers={"Content-Encoding": "gzip"}, preload_content=False)
    return response


def test_an_answer_without_end_is_none_however_small_it_is_packed_and_a_file_may_be_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ANSWER_BYTES", 3 << 20)
    module.bound_answers()

    assert len(answer_packed(3 << 20).content) == 3 << 20
    with pytest.raises(OSError, match="an answer of more than 3 MiB"):
        print(answer_packed(600 << 20).content)
    assert sum(map(len, answer_packed(4 << 20).iter_content(1 << 16))) == 4 << 20
