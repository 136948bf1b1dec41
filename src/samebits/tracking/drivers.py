"""The drivers: the packages by which a tracking store or an artifact store is reached, asked for before anything is trained.

Only what would be missing is said here. Nothing is connected to, and no driver of an artifact store is imported.
"""

from __future__ import annotations

import importlib.util
import re

from samebits.errors import Problem

_STORES = {  # by the scheme of an artifact URI: what MLflow imports, and the package that has it
    "s3": ("boto3", "boto3"),
    "r2": ("boto3", "boto3"),
    "b2": ("boto3", "boto3"),
    "gs": ("google.cloud.storage", "google-cloud-storage"),
    "wasbs": ("azure.storage.blob", "azure-storage-blob"),
    "abfss": ("azure.storage.filedatalake", "azure-storage-file-datalake"),
}
_DIALECTS = ("postgresql", "mysql", "mssql")
_EXTRA = ("boto3", "psycopg", "psycopg2")  # what samebits[server] brings, or does the work of
_MISSPELT = {"postgres": "postgresql"}  # as some services still give it


def find_missing_driver(uri: str) -> Problem | None:
    """Return what is missing to reach the store that a tracking URI or an artifact URI names; None where nothing is known to be.

    >>> print(find_missing_driver("sqlite:////srv/mlflow.db"), find_missing_driver("https://mlflow.example"))
    None None
    """
    match = re.match(r"(\w+)(\+\w+)?://", uri)
    if match is None:
        return None
    scheme = match[1].lower()
    if scheme in _MISSPELT:
        right = _MISSPELT[scheme]
        return Problem(f"{scheme}://…", f"an address that SQLAlchemy takes, {right}://…", f"{scheme}://", f"Write {right}://.")
    if scheme in _DIALECTS:
        return _find_missing_dialect(uri, scheme)
    return _find_missing_store(scheme) if scheme in _STORES else None


def _find_missing_store(scheme: str) -> Problem | None:
    module, package = _STORES[scheme]
    return None if _is_installed(module) else _describe(f"artifacts at {scheme}://", package)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the package above it is missing
        return False


def _find_missing_dialect(uri: str, scheme: str) -> Problem | None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        dialect = make_url(uri).get_dialect()
        dialect.import_dbapi()
    except (ArgumentError, NoSuchModuleError, ValueError):
        return Problem(
            f"{scheme}://…",
            "an address that SQLAlchemy takes",
            "another form",
            f"Write {scheme}://HOST/NAME.",
        )
    except ImportError as error:
        return _describe(f"{scheme}://…", _name_package(error, str(dialect.driver)))
    return None


def _name_package(error: ImportError, driver: str) -> str:
    """Return the package to install: psycopg is found without what it needs where only its Python half is there."""
    return error.name.partition(".")[0] if error.name else driver


def _describe(where: str, package: str) -> Problem:
    remedy = f"Add {package} to the environment."
    if package in _EXTRA:
        remedy = "Install the extra samebits[server]; in a checkout: uv sync --inexact --extra server."
    return Problem(where, f"its driver, {package}", "not installed", remedy)
