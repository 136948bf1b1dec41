from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

from samebits.commands.data_pin import run_data_pin, write_pin
from samebits.config.loading import load_config
from samebits.digests import digest_file
from samebits.errors import ConfigError, DataError
from samebits.table.files import list_table_files
from samebits.transfers.cache import find_cached

TABLE = ROOT / "data/raw/wine.csv"
DIGEST = digest_file(TABLE)
HEAD = "name: a   # the name\nversion: 2026.1.0\nseed: 1\nmodels: {{dummy: {{}}}}\n{data}\n# the end\n"
FORMS = {
    "block.yaml": HEAD.format(data=f"data:            # the table\n  # where it lies\n  path: {TABLE}\n  target: cultivar  # y"),
    "flow.yaml": HEAD.format(data=f"data: {{path: {TABLE}, target: cultivar}}   # the table"),
    "old.yaml": HEAD.format(data=f'data:\n  path: {TABLE}\n  digest: "sha256:{"0" * 64}"   # pinned\n  target: cultivar'),
    "null.yaml": HEAD.format(data=f"data: {{digest: null, path: {TABLE}, target: cultivar}}"),
    "empty.yaml": HEAD.format(data=f"data:\n  digest:   # pinned\n  path: {TABLE}\n  target: cultivar"),
    "crlf.yaml": HEAD.format(data=f"data:\n  path: {TABLE}\n  target: cultivar").replace("\n", "\r\n"),
    "a.json": json.dumps(
        {"name": "a", "version": "2026.1.0", "seed": 1, "models": {"dummy": {}}, "data": {"path": str(TABLE), "target": "cultivar"}}, indent=2
    ),
    "a.toml": f'name = "a" # the name\nversion = "2026.1.0"\nseed = 1\n[data] # the table\npath = "{TABLE}"\ntarget = "cultivar"\n[models.dummy]\n',
    "old.toml": f'name = "a"\nversion = "2026.1.0"\nseed = 1\n[data]\ndigest = "sha256:{"0" * 64}" # pinned\npath = "{TABLE}"\ntarget = "cultivar"\n'
    "[models.dummy]\n",
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_the_pin_is_written_and_every_other_character_kept(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FORMS[name].encode("utf-8"))

    assert write_pin(path, DIGEST)

    text = path.read_bytes().decode("utf-8")
    assert load_config(path).config.data.digest == DIGEST
    for line in FORMS[name].split("\n"):
        assert line in text or line.startswith(("data: {", '  "data": {')) or "digest" in line
    for comment in ("# the name", "# the table", "# the end", "# pinned", "# where it lies"):
        assert (comment in text) == (comment in FORMS[name])
    assert text.count("\r\n") >= FORMS[name].count("\r\n")
    assert not list(tmp_path.glob(".*"))


def test_the_file_itself_is_written_through_a_link_with_its_mode_and_mark(tmp_path: Path) -> None:
    path, link = tmp_path / "real.yaml", tmp_path / "link.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + FORMS["crlf.yaml"].encode("utf-8"))
    path.chmod(0o640)
    link.symlink_to(path)

    write_pin(link, DIGEST)

    content = path.read_bytes()
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o640
    assert content.startswith(b"\xef\xbb\xbf") and content.count(b"\n") == content.count(b"\r\n")


def test_a_form_that_has_no_place_for_the_key_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "anchor.yaml"
    path.write_text(HEAD.format(data=f"data: &d {{path: {TABLE}, target: cultivar}}"), encoding="utf-8")
    before = path.read_bytes()

    with pytest.raises(ConfigError, match="Write it by hand"):
        write_pin(path, DIGEST)
    assert path.read_bytes() == before


def test_pinning_twice_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(FORMS["block.yaml"], encoding="utf-8")
    write_pin(path, DIGEST)
    before = path.read_bytes()

    assert not write_pin(path, DIGEST)
    assert path.read_bytes() == before


def test_a_table_that_is_not_there_is_refused_and_the_config_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(FORMS["block.yaml"].replace(str(TABLE), "nope.csv"), encoding="utf-8")
    before = path.read_bytes()

    with pytest.raises(DataError, match="expected the table, found no such file"):
        run_data_pin(str(path))
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", ["table.csv", "parts/table.csv"])
@pytest.mark.parametrize("kind", ["pipe", "device", "loop"])
def test_what_is_no_regular_file_is_no_table_and_is_not_waited_for(
    write_config: Callable[..., Path], tmp_path: Path, place: str, kind: str
) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    (path.parent / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    {"pipe": lambda: os.mkfifo(path), "device": lambda: path.symlink_to("/dev/zero"), "loop": lambda: path.symlink_to(path)}[kind]()
    named = path if place == "table.csv" else path.parent
    config = write_config({"data": {"path": str(named)}})

    with pytest.raises(DataError, match=r"expected (regular files|the table), found"):
        run_data_pin(str(config))


def test_a_folder_that_links_to_itself_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/t.csv").write_text("x", encoding="utf-8")
    for name in ("up", "here"):
        (tmp_path / "a" / name).symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")

    assert list(list_table_files(tmp_path)) == ["a/t.csv", "b/t.csv"]


def test_rows_of_a_database_are_pinned_as_they_are_asked_for(
    tmp_path: Path, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TEAM_DATABASE", f"sqlite:///{tmp_path}/team.db")
    with sqlite3.connect(tmp_path / "team.db") as connection:
        connection.executescript("CREATE TABLE t (x INT, y TEXT); INSERT INTO t VALUES (2, 'b'), (1, 'a');")
    query = {"sql": "SELECT * FROM t", "order_by": ["x"]}
    keys = {
        "path": str(tmp_path / "none.parquet"),
        "query": query,
        "database": "TEAM_DATABASE",
        "target": "y",
        "positive": ...,
        "drop": [],
    }
    path = write_config({"data": {**keys, "digest": ...}, "business": ...})

    run_data_pin(str(path))

    pin = str(load_config(path).config.data.digest)
    assert find_cached(pin) is not None
