"""Who answers at an address is asked first, over a way whose certificates are as the caller says."""

from __future__ import annotations

import threading
import warnings
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import urllib3

from samebits.errors import TrackingError
from samebits.tracking.greeting import check_server
from samebits.tracking.patience import ServerGone


def test_a_file_of_certificates_that_is_not_there_is_the_callers_mistake_and_no_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "/none.pem")

    with pytest.raises(TrackingError, match=r"_CERT_PATH: expected a file of certificates, found no /none\.pem") as refused:
        check_server("https://127.0.0.1:1")

    assert not isinstance(refused.value, ServerGone)


class Version(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"3.4.0")

    def log_message(self, *_: object) -> None:
        pass


def test_that_no_certificate_is_asked_for_is_said_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_INSECURE_TLS", "true")

    with HTTPServer(("127.0.0.1", 0), Version) as server, warnings.catch_warnings(record=True) as caught:
        threading.Thread(target=server.handle_request, daemon=True).start()
        check_server(f"http://127.0.0.1:{server.server_port}")
        warnings.warn("Unverified HTTPS request is being made", urllib3.exceptions.InsecureRequestWarning, stacklevel=1)

    assert [str(warning.message) for warning in caught if "HTTPS" in str(warning.message)] == []
    assert capsys.readouterr().err.count("certificate is not checked") == 1
