"""What `train` and `data pin` say of a table of which a clone will get other bytes."""

from __future__ import annotations

import json
from pathlib import Path

from conftest import ROOT, SMALL, merge
from recorded_runs import clone_project, git, run_in


def test_a_table_that_a_clone_gets_with_other_bytes_is_said_by_train_and_pin(store: str, tmp_path: Path) -> None:
    """By this project's own attributes, which keep the bytes of what lies under data/ alone."""
    _, work = clone_project(tmp_path)
    table = (ROOT / "data/raw/wdbc.csv").read_bytes().replace(b"\n", b"\r\n")
    for name in ("tables/wdbc.csv", "data/wdbc.csv"):
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_bytes(table)
        config = merge(SMALL, {"name": "blobs", "models": {"dummy": {}}, "data": {"path": name}})
        (work / name).with_suffix(".json").write_text(json.dumps(config), encoding="utf-8")
    git("add", "-A", cwd=work)
    git("commit", "-qm", "tables", cwd=work)
    said = "tables/wdbc.csv: the commit, and so a clone, has other bytes than were read here: Git changes its line ends; "
    said += "write `tables/wdbc.csv -text` into .gitattributes, then `git add --renormalize tables/wdbc.csv`, and commit\n"

    trained = run_in(work, "train", "tables/wdbc.json", store=store)
    pinned = [run_in(work, "data", "pin", name, store=store) for name in ("tables/wdbc.json", "data/wdbc.json")]

    assert trained.returncode == 0 and trained.stderr.endswith(said)
    assert [(done.returncode, done.stderr) for done in pinned] == [(0, said), (0, "")]
