"""Makes docs/images again: the sessions of README and the tutorial in a clean clone, MLflow's server, and Chromium.

The page of README's run is shown after its proof, the tutorial's before. Run by `just docs-pictures`; tests/test_tutorial.py holds the
tutorial's curve to the one that its run draws, byte by byte.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs/images"
CURVE = "figures/precision_recall.png"
HOST = "mlflow.example.org"  # a server elsewhere; on one's own machine a panel of MLflow's assistant covers a third of the page
WINDOW, WAIT_MILLISECONDS, START_SECONDS = "1322,720", 30_000, 120


def main() -> int:
    """Write the three pictures; 1 where there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no Chromium: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="samebits-pictures-") as name:
        folder = Path(name)
        project = folder / "samebits"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
        subprocess.run(["git", "checkout", "--quiet", "-B", "main"], cwd=project, check=True)
        environment = choose_environment(folder, project)
        proved = train(project, environment, "confs/training.yaml")
        samebits(project, environment, "reproduce", proved, "--here")
        shutil.copyfile(project / "data/raw/wdbc.csv", project / "data/tumours.csv")
        samebits(project, environment, "new", "data/tumours.csv", "--target", "diagnosis")
        fresh = train(project, environment, "confs/tumours.yaml")
        with serve(project, environment) as address:
            for run, picture in ((proved, "run-page.png"), (fresh, "tutorial-page.png")):
                photograph(chromium, folder, f"{address}/#/experiments/{find_experiment(project, run)}/runs/{run}", IMAGES / picture)
        (curve,) = project.glob(f"mlruns/*/{fresh}/artifacts/{CURVE}")
        shutil.copyfile(curve, IMAGES / "precision-recall.png")
    return 0


def choose_environment(folder: Path, project: Path) -> dict[str, str]:
    """Return an environment in which nothing of this machine's stores and settings counts."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "SAMEBITS_"))}
    own = {"PYTHONPATH": str(project / "src"), "XDG_STATE_HOME": str(folder / "state"), "LOGNAME": "you"}
    return {**kept, **own, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def samebits(project: Path, environment: dict[str, str], *words: str) -> str:
    """Return what a command prints."""
    command = [sys.executable, "-m", "samebits", *words]
    return subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, encoding="utf-8").stdout


def train(project: Path, environment: dict[str, str], conf: str) -> str:
    """Return the id of a run."""
    found = re.search(r"^run +(\w{32})$", samebits(project, environment, "train", conf), flags=re.MULTILINE)
    assert found is not None
    return found[1]


def find_experiment(project: Path, run: str) -> str:
    """Return the id of a run's experiment."""
    (artifacts,) = project.glob(f"mlruns/*/{run}")
    return artifacts.parent.name


@contextmanager
def serve(project: Path, environment: dict[str, str]) -> Iterator[str]:
    """Yield the address of a server on the project's store, once it answers; only `photograph` knows where that is."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://{HOST}:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", "sqlite:///mlflow.db", "--workers", "1"]
    command += ["--port", str(port), "--allowed-hosts", f"{HOST}:*,127.0.0.1:*", "--cors-allowed-origins", address]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=project, env=environment, **quiet)
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield address
    finally:
        server.terminate()
        server.wait()


def wait_for(address: str) -> None:
    """Return once somebody answers at an address."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def photograph(chromium: str, folder: Path, address: str, picture: Path) -> None:
    """Write what a window of a desk shows of a page, in 256 colours."""
    shot = folder / "shot.png"
    command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile"]
    command += [
        f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
        f"--virtual-time-budget={WAIT_MILLISECONDS}",
        f"--window-size={WINDOW}",
        f"--screenshot={shot}",
    ]
    subprocess.run([*command, f"{address}?workflowType=machine_learning"], check=True, capture_output=True)
    small = io.BytesIO()
    Image.open(shot).convert("RGB").quantize(256).save(small, "PNG", optimize=True)
    picture.write_bytes(small.getvalue())


if __name__ == "__main__":
    sys.exit(main())
