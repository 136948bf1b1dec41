"""Builds the wheel from the last commit, then again from a clean clone under other conditions, and compares the two to the bit.

The backend is the one that uv.lock holds: its hash is checked on every build. Run by `just package`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# umask, time zone, locale, clock (as file times and SOURCE_DATE_EPOCH) and folder of the second build
OTHER_UMASK = 0o077
OTHER_CONDITIONS = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANG": "C", "SOURCE_DATE_EPOCH": "1000000000"}
OTHER_FILE_TIME = 1_234_567_890


def main() -> int:
    """Build, compare, and leave dist/ with one wheel and its SHA256SUMS; 1 where the two builds differ."""
    commit = run(["git", "rev-parse", "HEAD"], ROOT).strip()
    if run(["git", "status", "--porcelain"], ROOT):
        print("the tree has uncommitted changes: the wheel is built from the last commit without them", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="samebits-a-") as here, tempfile.TemporaryDirectory(prefix="samebits-other-") as there:
        first = build(clone(Path(here, "project"), commit), dict(os.environ), 0o022)
        other = clone(Path(there, "another folder", "deeper"), commit)
        for path in other.rglob("*"):
            os.utime(path, (OTHER_FILE_TIME, OTHER_FILE_TIME), follow_symlinks=False)
        second = build(other, {**os.environ, **OTHER_CONDITIONS}, OTHER_UMASK)
        digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in (first, second)]
        if digests[0] != digests[1]:
            print(f"two builds of commit {commit} differ: {digests[0]} and {digests[1]}", file=sys.stderr)
            return 1
        dist = ROOT / "dist"
        shutil.rmtree(dist, ignore_errors=True)
        dist.mkdir()
        shutil.copyfile(first, dist / first.name)
        (dist / "SHA256SUMS").write_text(f"{digests[0]}  {first.name}\n", encoding="utf-8")
    print(f"dist/{first.name}  sha256:{digests[0]}")
    return 0


def clone(folder: Path, commit: str) -> Path:
    """Return a clean clone at a commit: what Git does not know is in no wheel."""
    run(["git", "clone", "--quiet", "--no-local", str(ROOT), str(folder)], ROOT)
    run(["git", "checkout", "--quiet", commit], folder)
    return folder


def build(folder: Path, environment: dict[str, str], umask: int) -> Path:
    """Return the wheel built in a folder with the locked backend, its hash checked."""
    constraints = run(["uv", "export", "-q", "--frozen", "--only-group", "build"], folder)
    environment = {key: value for key, value in environment.items() if key != "UV_FROZEN"}
    command = ["uv", "build", "--quiet", "--wheel", "--clear", "--force-pep517", "--build-constraints", "-", "--require-hashes"]
    subprocess.run(command, cwd=folder, env=environment, umask=umask, input=constraints, text=True, check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


def run(command: list[str], folder: Path) -> str:
    """Return what a command printed."""
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
