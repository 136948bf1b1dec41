"""The engine that a config names is refused in words before anything is read or trained."""

from __future__ import annotations

import importlib.util
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import ROOT

from samebits.config.decisive import is_decisive
from samebits.config.loading import load_config
from samebits.engines import opening
from samebits.engines.opening import check_engine, find_scheduler, open_engine
from samebits.errors import ConfigError, ProvenanceError
from samebits.voice import SILENT

Write = Callable[..., Path]


def test_an_engine_that_is_not_installed_is_refused_with_the_command_that_installs_it(
    write_config: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "distributed" else own(name, *rest))
    loaded = load_config(write_config({"engine": {"dask": "local"}}))

    with pytest.raises(ProvenanceError, match=r"distributed, found not installed\. Install the extra: uv add 'samebits\[dask\]'"):
        check_engine(loaded.config)


def test_an_address_where_nobody_answers_is_refused(write_config: Write, closed_port: int) -> None:
    pytest.importorskip("distributed", reason="the extra samebits[dask] is not installed")
    loaded = load_config(write_config({"engine": {"dask": f"tcp://127.0.0.1:{closed_port}"}}))

    with pytest.raises(ConfigError, match=rf"a Dask scheduler at tcp://127\.0\.0\.1:{closed_port}, found Connection refused"):
        check_engine(loaded.config)


@pytest.fixture
def serve_bytes() -> Iterator[Callable[[bytes | None], str]]:
    """Return what starts a server that says some bytes and stays, or with None closes at once, and returns its address."""
    pytest.importorskip("distributed", reason="the extra samebits[dask] is not installed")
    ended, servers = threading.Event(), []

    def start(greeting: bytes | None) -> str:
        class Greeter(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                if greeting is not None:
                    self.request.sendall(greeting)
                    ended.wait(60)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"tcp://127.0.0.1:{server.server_address[1]}"

    yield start
    ended.set()
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("greeting", "seconds", "found"),
    [
        (b"", 2, "a server that gives no answer within 2 s"),
        (None, 60, "a server that closes the connection"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", 60, "a server of another kind"),
        (b"\x04" + bytes(7) + b"abcdefgh" * 5, 60, "a server of another kind"),
    ],
    ids=["silent", "closes", "a length of exabytes", "frames of nothing"],
)
def test_a_server_that_is_no_scheduler_is_refused_within_a_time(
    serve_bytes: Callable[[bytes | None], str], greeting: bytes | None, seconds: float, found: str
) -> None:
    address = serve_bytes(greeting)

    with pytest.raises(ConfigError, match=rf"^engine\.dask: expected a Dask scheduler at {address}, found {found}\. Start it"):
        find_scheduler(address, seconds)


def test_a_server_that_is_no_scheduler_is_refused_before_anything_is_read_and_when_the_engine_is_opened(
    write_config: Write, serve_bytes: Callable[[bytes | None], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = cast("Any", object())
    monkeypatch.setattr(opening, "CONNECT_SECONDS", 2)
    config = load_config(write_config({"engine": {"dask": serve_bytes(b"")}})).config

    with pytest.raises(ConfigError, match=r"expected a Dask scheduler .* gives no answer"):
        check_engine(config)
    with pytest.raises(ConfigError, match=r"expected a Dask scheduler .* gives no answer"), open_engine(config, request, SILENT):
        pass


def test_keys_that_are_missing_or_of_another_authority_are_said() -> None:
    distributed = pytest.importorskip("distributed", reason="the extra samebits[dask] is not installed")
    import dask

    own, other = distributed.Security.temporary(), distributed.Security.temporary()
    keys = {"ca-file": other.tls_ca_file, "client.cert": other.tls_client_cert, "client.key": other.tls_client_key}
    with distributed.LocalCluster(
        n_workers=0, processes=False, host="127.0.0.1", protocol="tls://", security=own, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address

        with pytest.raises(ConfigError, match="found no TLS keys in Dask's configuration"):
            find_scheduler(address, 60)
        with (
            dask.config.set({f"distributed.comm.tls.{name}": key for name, key in keys.items()}),
            pytest.raises(ConfigError, match=r"found .*CERTIFICATE_VERIFY_FAILED"),
        ):
            find_scheduler(address, 60)


@pytest.mark.parametrize("address", ["http://a:1", "tcp://a", "tcp://me:secret@a:1", "remote", "tcp://a:1/b c"])
def test_what_is_no_address_of_a_scheduler_is_refused_by_its_line(write_config: Write, address: str) -> None:
    with pytest.raises(ConfigError, match=r"config_0\.yaml:\d+: engine\.dask") as refused:
        load_config(write_config({"engine": {"dask": address}}))

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("address", ["local", "tcp://10.0.0.1:8786", "tls://node-1.cluster:8786", "tcp://[::1]:8786"])
def test_an_engine_decides_nothing_and_stands_in_no_config_that_has_none(write_config: Write, address: str) -> None:
    without, named = load_config(write_config()), load_config(write_config({"engine": {"dask": address}}))

    assert named.digest == without.digest
    assert "engine" not in without.resolved
    assert not is_decisive("engine.dask")


def test_without_an_engine_nothing_is_opened_or_imported(write_config: Write) -> None:
    config = load_config(write_config()).config
    with open_engine(config, None, SILENT) as engine:
        assert engine is None
    script = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); import samebits.training.training; sys.exit('distributed' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_rerun_names_no_engine(tmp_path: Path) -> None:
    from types import SimpleNamespace

    from samebits.config.documents import read_document
    from samebits.restoring.restored_config import write_config

    restoration: Any = SimpleNamespace(
        folder=tmp_path, data=tmp_path / "a.csv", test_data=None, rows_file=None, config_as_written=None
    )
    lineage = {
        "stages": {"config": {"resolved": {"data": {}, "engine": {"dask": "tcp://a:1"}, "n_jobs": 2}}, "data": {"digest": "sha256:0"}}
    }

    written = read_document(write_config(lineage, restoration, "again")).value

    assert "engine" not in written
    assert written["n_jobs"] == 2
