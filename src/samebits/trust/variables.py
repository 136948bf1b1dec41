"""The environment variables that are handed down to what runs in a restored environment: a short list, by name, and nothing else.

What is rebuilt and made again is a run's own code, whoever wrote it. Of the caller's shell it gets what any program needs to start,
the installer what it needs to find packages, and the run what it needs to be recorded: tokens of other services stay here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from urllib.parse import urlsplit

from samebits.text import hide_credentials

_OF_ANY_PROGRAM = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TERM", "LD_LIBRARY_PATH"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM", "PYENV_ROOT"),
    *("OMP_*", "KMP_*", "GOMP_*", "MKL_*", "OPENBLAS_*", "BLIS_*", "NPY_*", "CUDA_VISIBLE_DEVICES"),
)
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_OF_INSTALLERS = ("UV_*", "NETRC", *_PROXIES)
_OF_A_RUN = (
    *("MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH", "MLFLOW_ALLOW_FILE_STORE", "MLFLOW_DISABLE_TELEMETRY"),
    *("MLFLOW_HTTP_*", "MLFLOW_S3_*", "MLFLOW_MULTIPART_*", "MLFLOW_ENABLE_*", "MLFLOW_ARTIFACT_*", "MLFLOW_GCS_*"),
)
# What the server asks for: the run records itself.
_OF_SERVERS = (
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_AUTH"),
    *("MLFLOW_TRACKING_CLIENT_CERT_PATH", "MLFLOW_WORKSPACE", "MLFLOW_TRACKING_AWS_SIGV4"),
)
# What a store of artifacts asks for that is reached without the server, by its address's scheme.
_OF_STORES = {
    "s3": ("AWS_*", "BOTO_CONFIG"),
    "gs": ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"),
    "wasbs": ("AZURE_*",),
    "abfss": ("AZURE_*",),
    "postgresql": ("PGPASSFILE", "PGSSLMODE", "PGSSLROOTCERT", "PGPASSWORD"),
    "databricks": ("DATABRICKS_*",),
}
_KEYS = ("NETRC", *_OF_SERVERS, *(name for names in _OF_STORES.values() for name in names))
_SERVER = "MLFLOW_TRACKING_URI"
_NOT_AN_INSTALLERS = ("UV_PROJECT_ENVIRONMENT", "UV_PROJECT", "UV_WORKING_DIR", "UV_PUBLISH_*", "UV_NO_SYNC", "UV_PYTHON")


def list_plain_variables() -> dict[str, str]:
    """Return what any program needs, and nothing that opens anything."""
    return _choose(_OF_ANY_PROGRAM)


def list_installer_variables() -> dict[str, str]:
    """Return what an installer needs besides: where packages are, and how to be let in there."""
    chosen = _choose((*_OF_ANY_PROGRAM, *_OF_INSTALLERS))
    return {name: value for name, value in chosen.items() if not _matches(name, _NOT_AN_INSTALLERS)}


def list_run_variables(addresses: Iterable[str]) -> dict[str, str]:
    """Return what a run needs besides to be recorded.

    Parameters
    ----------
    addresses
        Of the tracking server and of its artifacts: what the caller has for these is handed down, and for no others.
    """
    schemes = {name_scheme(address) for address in addresses}
    stores = [name for scheme in schemes for name in _OF_STORES.get(scheme, ())]
    server = _OF_SERVERS if schemes & {"http", "https"} else ()
    proxies = {name: value for name, value in _choose(_PROXIES).items() if "@" not in value}
    return {**_choose((*_OF_ANY_PROGRAM, *_OF_A_RUN, *server, *stores)), **proxies}


def name_secrets(addresses: Iterable[str]) -> list[str]:
    """Return the names of those variables that open something, of the installer's too: a package's build script is given these."""
    addresses = list(addresses)
    tracking = [_SERVER] if any(hide_credentials(address) != address for address in addresses) else []
    handed = {**list_installer_variables(), **list_run_variables(addresses)}
    return sorted({*tracking, *(name for name, value in handed.items() if _opens_something(name, value))})


def _opens_something(name: str, value: str) -> bool:
    return _matches(name, _KEYS) or name.endswith(("_PASSWORD", "_TOKEN")) or hide_credentials(value) != value


def name_scheme(address: str) -> str:
    """Return the scheme of an address, without a driver's name.

    >>> name_scheme("postgresql+psycopg://host/db"), name_scheme("/srv/mlruns")
    ('postgresql', '')
    """
    return urlsplit(address).scheme.partition("+")[0].lower()


def _choose(patterns: Iterable[str]) -> dict[str, str]:
    wanted = tuple(patterns)
    return {name: value for name, value in os.environ.items() if _matches(name, wanted)}


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """A pattern that ends in a star means every name that begins so."""
    return any(name == pattern or (pattern.endswith("*") and name.startswith(pattern[:-1])) for pattern in patterns)
