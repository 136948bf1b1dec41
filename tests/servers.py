"""The services of docs/server.md, as that page starts them: PostgreSQL, an S3-compatible store, and MLflow's server in each of its ways.

What a machine lacks is said as the reason for which the tests are skipped; `.ci/run` installs it all.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, _answers, clean_environment, wait_until

PAGE = ROOT / "docs/server.md"
SECRET = "pass/w@rd:of 27 characters"  # as hard as a password may be; in addresses it stands percent-encoded
SECRET_IN_ADDRESS = "pass%2Fw%40rd%3Aof%2027%20characters"
BUCKET = "samebits"


def say_what_is_missing() -> str:
    """Return why the services cannot be started here; empty where they can."""
    missing = [name for name in ("boto3", "psycopg", "moto", "flask_wtf") if importlib.util.find_spec(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed: uv sync --inexact --extra server --group servers"
    return "" if find_postgres() else "no PostgreSQL: apt-get install postgresql"


def find_postgres() -> Path | None:
    """Return the newest folder of PostgreSQL's programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def choose_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def run_service(command: list[str], log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service in a process group of its own until the caller is done with it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=clean_environment(**env), stdout=output, stderr=output, start_new_session=True
        )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@dataclass(frozen=True)
class Services:
    """PostgreSQL and the object store of a session.

    Parameters
    ----------
    database_host
        With its port.
    store
        The object store's address.
    """

    database_host: str
    store: str


def make_database(host: str, name: str) -> str:
    """Make an empty database in the PostgreSQL at a host and port, and return its address."""
    import psycopg

    address, _, port = host.partition(":")
    with psycopg.connect(host=address, port=port, user="mlflow", password=SECRET, dbname="postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"postgresql://mlflow:{SECRET_IN_ADDRESS}@{host}/{name}"


@contextmanager
def start_services(folder: Path) -> Iterator[Services]:
    """Start PostgreSQL and the object store, and make the bucket."""
    with ExitStack() as stack:
        database_host = stack.enter_context(start_postgres())
        store = stack.enter_context(start_object_store(folder))
        make_bucket(store)
        yield Services(database_host, store)


@contextmanager
def start_object_store(folder: Path) -> Iterator[str]:
    """Start a store that speaks S3, empty, and yield its address; what it says goes into a folder."""
    port = choose_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with run_service(command, folder / "store.log") as process:
        wait_until(lambda: _answers(f"http://127.0.0.1:{port}/moto-api/"), process)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def start_postgres() -> Iterator[str]:
    """Start a PostgreSQL of its own and yield its host and port; it refuses to run as root, and so becomes another user then."""
    programs = find_postgres()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="samebits-postgres-"))  # pytest's own folders are closed to other users
    try:
        (folder / "password").write_text(SECRET, encoding="utf-8")
        prefix = _become_other_user(folder) if os.geteuid() == 0 else []
        make = ["--username=mlflow", "--auth=scram-sha-256", f"--pwfile={folder}/password", "--encoding=UTF8", "--no-sync"]
        subprocess.run([*prefix, programs / "initdb", "-D", folder / "data", *make], check=True, capture_output=True, cwd=folder)
        port = str(choose_port())
        options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        command = [*prefix, str(programs / "postgres"), "-D", str(folder / "data"), "-p", port, *options]
        with run_service(command, folder.parent / f"{folder.name}.log") as process:
            ready = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", port]
            wait_until(lambda: subprocess.run(ready, check=False).returncode == 0, process)
            yield f"127.0.0.1:{port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


def _become_other_user(folder: Path) -> list[str]:
    shutil.chown(folder, "postgres", "postgres")
    shutil.chown(folder / "password", "postgres", "postgres")
    return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]


def make_bucket(store: str) -> None:
    import boto3

    keys = {"aws_access_key_id": "mlflow", "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=store, **keys).create_bucket(Bucket=BUCKET)


def read_blocks(section: str, language: str = "sh") -> list[str]:
    """Return the code blocks of a section of the page."""
    text = re.search(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert text is not None, section
    return re.findall(rf"```{language}\n(.*?)```", text[1], flags=re.DOTALL)


@dataclass(frozen=True)
class TeamServer:
    """A server of the page.

    Parameters
    ----------
    variables
        What the page gives to a client.
    colleague
        The same of another member of the team.
    """

    section: str
    variables: dict[str, str]
    colleague: dict[str, str]


@contextmanager
def start_team_server(section: str, folder: Path, services: Services | None) -> Iterator[TeamServer]:
    """Run the commands of a section, with this session's addresses in place of the page's, until the server answers."""
    names = choose_names(section, folder, services)
    for block in read_blocks(section, "ini"):
        (folder / "basic_auth.ini").write_text(substitute(block, names), encoding="utf-8")
    serve, *others = [substitute(block, names) for block in read_blocks(section)]
    command = ["bash", "-e", "-c", serve]
    with run_service(command, folder / "server.log", UV_NO_SYNC="1", UV_FROZEN="1") as process:
        variables = read_exports(others[-1])
        health = f"{variables['MLFLOW_TRACKING_URI']}/health"
        wait_until(lambda: process.poll() is not None or _answers(health))
        assert process.poll() is None, (folder / "server.log").read_text(encoding="utf-8")[-2000:]
        for make_user in others[:-1]:
            for block in (make_user, make_user.replace("ada", "bob")):
                subprocess.run(["bash", "-e", "-c", block], check=True, capture_output=True)
        yield TeamServer(section, variables, read_exports(others[-1].replace("=ada", "=bob")))


def choose_names(section: str, folder: Path, services: Services | None) -> dict[str, str]:
    """Return what this session has in place of each name on the page, longer ones first."""
    names = {
        "--port 5000": f"--port {(port := choose_port())}",
        "http://mlflow.example:5000": f"http://127.0.0.1:{port}",
        "mlflow.example": "127.0.0.1",
        "--host 0.0.0.0": "--host 127.0.0.1",
        "just serve": f"just folder='{folder}' serve",
        "/etc/mlflow/basic_auth.ini": str(folder / "basic_auth.ini"),
    }
    if services is not None:
        address = make_database(services.database_host, re.sub(r"\W", "_", folder.name))
        names["postgresql://mlflow:PASSWORD@db.example/mlflow"] = address
        names["https://s3.example"] = services.store
        names["s3://BUCKET"] = f"s3://{BUCKET}"
    return names


def substitute(block: str, names: dict[str, str]) -> str:
    """Return a block with what this session has in place of the page's names; an ini file has each % twice, as the page says."""
    is_ini = "[mlflow]" in block
    for name, own in names.items():
        block = block.replace(name, own.replace("%", "%%") if is_ini else own)
    block = re.sub(r"(?<==)PASSWORD", f"'{SECRET}'", block)
    block = re.sub(r"(?<![A-Z_])PASSWORD", SECRET, block)
    assert "example" not in block, block
    return block


def read_exports(block: str) -> dict[str, str]:
    """Return the variables that a shell has after a block of exports."""
    done = subprocess.run(["bash", "-e", "-c", f"{block}\nenv -0"], env={"PATH": os.environ["PATH"]}, check=True, capture_output=True)
    found = dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)
    return {name: value for name, value in found.items() if name.startswith(("MLFLOW_", "AWS_"))}


need_services = pytest.mark.skipif(bool(say_what_is_missing()), reason=say_what_is_missing())
