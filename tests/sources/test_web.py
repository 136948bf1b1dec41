"""Tables of the web and of the Hugging Face hub: redirects, broken lines, tokens that go to the hub alone, and words for refusals."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from samebits.digests import digest_bytes
from samebits.errors import DataError
from samebits.holdings.data_search import find_recorded_data
from samebits.sources.bringing import bring_named
from samebits.transfers import transfer

TABLE = b"x,y\n" + b"1,2\n" * 5000


@dataclass
class Site:
    """A server of files: what it has, what it was asked, and how it behaves."""

    address: str = ""
    tag: str | None = '"v1"'
    status: int = 200
    breaks_at: list[int] = field(default_factory=list)
    redirect: str | None = None
    asked: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)


def make_handler(site: Site) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def answer(self, with_body: bool) -> None:
            site.asked.append((self.command, self.path, self.headers["Range"], self.headers["Authorization"]))
            if site.redirect is not None and self.path.startswith("/datasets"):
                self.send_response(302)
                self.send_header("Location", f"{site.redirect}/cdn/x.csv")
                self.send_header("ETag", str(site.tag))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-")) if self.headers["Range"] else 0
            self.send_response(site.status if site.status != 200 else 206 if start else 200)
            self.send_header("Content-Length", str(len(TABLE) - start if site.status == 200 else 0))
            if site.tag is not None:
                self.send_header("ETag", site.tag)
            self.end_headers()
            if with_body and site.status == 200:
                end = site.breaks_at.pop(0) if site.breaks_at else len(TABLE)
                self.wfile.write(TABLE[start:end])

    return Handler


@pytest.fixture
def start_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Site]]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(transfer, "_PAUSE_SECONDS", 0.0)
    servers = []

    def start() -> Site:
        site = Site()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), make_handler(site))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        site.address = f"http://127.0.0.1:{server.server_port}"
        return site

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def fetch(address: str, pin: str | None = None) -> bytes:
    brought = bring_named(address, Path(address), pin)
    assert brought is not None
    return brought.path.read_bytes()


def test_a_line_that_breaks_goes_on_where_it_broke(start_site: Callable[[], Site]) -> None:
    site = start_site()
    site.breaks_at = [7000, 12000]

    assert fetch(f"{site.address}/x.csv") == TABLE
    assert [range_ for method, _, range_, _ in site.asked if method == "GET"] == [None, "bytes=7000-", "bytes=12000-"]


def test_what_says_the_same_of_itself_is_not_fetched_again(start_site: Callable[[], Site]) -> None:
    site = start_site()

    fetch(f"{site.address}/x.csv?raw=1")
    fetch(f"{site.address}/x.csv?raw=1")
    site.tag = 'W/"v1"'  # which says only that it means the same
    fetch(f"{site.address}/x.csv?raw=1")

    assert [method for method, *_ in site.asked] == ["HEAD", "GET", "HEAD", "HEAD", "GET"]


def test_what_is_pinned_and_was_brought_asks_nobody(start_site: Callable[[], Site]) -> None:
    site = start_site()

    fetch(f"{site.address}/x.csv", digest_bytes(TABLE))
    n_asked = len(site.asked)
    fetch(f"{site.address}/x.csv", digest_bytes(TABLE))

    assert len(site.asked) == n_asked


@pytest.mark.parametrize(
    ("status", "said"), [(404, "found nothing at"), (401, "Put the host's login into ~/.netrc"), (503, "found status 503")]
)
def test_a_refusal_is_said_in_words(start_site: Callable[[], Site], status: int, said: str) -> None:
    site = start_site()
    site.status = status

    with pytest.raises(DataError) as refusal:
        fetch(f"{site.address}/x.csv")

    assert said in str(refusal.value)


def test_the_token_goes_to_the_hub_and_not_to_where_it_redirects(
    start_site: Callable[[], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, store = start_site(), start_site()
    hub.redirect = store.address.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("HF_ENDPOINT", hub.address)
    monkeypatch.setenv("HF_TOKEN", "secret-word")

    assert fetch("hf://datasets/owner/name@v1/x.csv") == TABLE

    assert {token for *_, token in hub.asked} == {"Bearer secret-word"}
    assert {token for *_, token in store.asked} == {None}


def test_a_recorded_table_is_had_from_its_address_by_whoever_trusts_the_record(start_site: Callable[[], Site], tmp_path: Path) -> None:
    site = start_site()
    address = f"{site.address}/x.csv"
    stage = {"digest": digest_bytes(TABLE), "path": address, "location": address, "size_bytes": len(TABLE)}

    untrusted = find_recorded_data(stage, [tmp_path], None, tmp_path / "scratch", is_trusted=False)
    n_asked = len(site.asked)
    found = find_recorded_data(stage, [tmp_path], None, tmp_path / "scratch")

    assert (untrusted.path, n_asked) == (None, 0)
    assert found.path is not None and found.path.read_bytes() == TABLE and found.place == address


def test_a_source_that_now_holds_other_bytes_gives_no_recorded_table(start_site: Callable[[], Site], tmp_path: Path) -> None:
    address = f"{start_site().address}/x.csv"
    stage = {"digest": digest_bytes(b"earlier"), "path": address, "location": address}

    found = find_recorded_data(stage, [tmp_path], None, tmp_path / "scratch")

    assert found.path is None
    assert digest_bytes(TABLE) in found.unreachable[address] and not found.other_bytes


def test_a_redirects_own_tag_says_nothing_of_what_stands_behind(
    start_site: Callable[[], Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, store = start_site(), start_site()
    hub.redirect, hub.tag, store.tag = store.address, '"constant"', '"v1"'
    monkeypatch.setenv("HF_ENDPOINT", hub.address)

    fetch("hf://datasets/owner/name@v1/x.csv")
    store.tag = '"v2"'
    fetch("hf://datasets/owner/name@v1/x.csv")

    assert [method for method, *_ in store.asked].count("GET") == 2
