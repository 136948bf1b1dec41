"""Tables of configs go to a store by their digests and come back, whole or not at all, and nothing is written over."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from samebits.commands.data_pin import run_data_pin
from samebits.commands.data_store import run_data_pull, run_data_push, run_data_status
from samebits.config.loading import load_config
from samebits.digests import digest_bytes, digest_file
from samebits.errors import ConfigError, DataError
from samebits.holdings.data_search import find_recorded_data
from samebits.keys.steps import InputFile
from samebits.stores import digest_cache
from samebits.stores import folder as data_store
from samebits.table.files import digest_table

TABLE = b"x,y\n1,a\n2,b\n"
DIGEST = digest_bytes(TABLE)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    monkeypatch.setenv("SAMEBITS_DATA_STORE", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


@pytest.fixture
def write(tmp_path: Path, write_config: Callable[..., Path]) -> Callable[..., tuple[str, Path]]:
    """Write a table and a config that reads it."""

    def write_both(pin: str | None = DIGEST) -> tuple[str, Path]:
        table = tmp_path / "raw" / "t.csv"
        table.parent.mkdir(exist_ok=True)
        table.write_bytes(TABLE)
        data = {"path": str(table), "target": "y", "positive": ..., "drop": [], "digest": pin if pin is not None else ...}
        return str(write_config({"data": data, "business": ...})), table

    return write_both


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_table_is_kept_once_and_comes_back(store: Path, write: Callable[..., tuple[str, Path]], capsys: Any) -> None:
    config, table = write()

    run_data_push([config])
    run_data_push([config])
    table.unlink()
    run_data_status([config])
    run_data_pull([config])
    run_data_pull([config])

    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ["pushed", "there", "missing", "pulled", "there"]
    assert list_files(store) == [f"sha256/{DIGEST[7:9]}/{DIGEST[9:]}"]
    assert table.read_bytes() == TABLE and list_files(table.parent) == ["t.csv"]


def test_what_did_not_change_is_read_once_here_and_in_the_store_unless_all_is_to_be_read(
    store: Path, write: Callable[..., tuple[str, Path]], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    config, table = write()
    now, found = time.time_ns(), list[Path]()
    monkeypatch.setattr(digest_cache.time, "time_ns", lambda: now + 10_000_000_000)
    monkeypatch.setattr(digest_cache, "digest_file", lambda path: found.append(path) or digest_file(path))

    run_data_push([config])
    n_read = [len(found)]
    for rehash in (False, True):
        run_data_push([config], rehash)
        run_data_status([config], rehash)
        n_read.append(len(found))

    kept = store / f"sha256/{DIGEST[7:9]}/{DIGEST[9:]}"
    assert n_read == [1, 1, 5] and set(found) == {table, kept}
    words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert words == ["pushed", "there", "here", "there", "here"]
    kept.write_bytes(TABLE.swapcase())
    run_data_status([config])
    assert capsys.readouterr().out.split()[:3] == ["here", "not", "stored"]


def test_what_was_pushed_is_found_where_a_run_is_made_again(
    store: Path, write: Callable[..., tuple[str, Path]], tmp_path: Path
) -> None:
    config, _ = write()
    run_data_push([config])

    found = find_recorded_data({"digest": DIGEST, "path": "gone.csv"}, [tmp_path], None, tmp_path / "scratch")

    assert found.path is not None and found.path.read_bytes() == TABLE


def test_a_folder_of_parts_goes_and_comes_as_one_table(store: Path, write_config: Callable[..., Path], tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    for name in ("year=2025/a.csv", "year=2026/b.csv"):
        (parts / name).parent.mkdir(parents=True)
        (parts / name).write_bytes(TABLE)
    digest = digest_table(parts)
    data = {"path": str(parts), "target": "y", "positive": ..., "drop": [], "digest": digest}
    config = str(write_config({"data": data, "business": ...}))
    run_data_push([config])
    parts.rename(tmp_path / "elsewhere")

    run_data_pull([config])

    assert digest_table(parts) == digest and list_files(parts) == ["year=2025/a.csv", "year=2026/b.csv"]


def test_other_bytes_in_a_tables_place_stay(store: Path, write: Callable[..., tuple[str, Path]]) -> None:
    config, table = write()
    run_data_push([config])
    table.write_bytes(b"edited")

    with pytest.raises(DataError, match="Nothing is overwritten"):
        run_data_pull([config])
    with pytest.raises(DataError, match="data pin"):
        run_data_push([config])
    assert table.read_bytes() == b"edited"


@pytest.mark.parametrize("name", [".git/hooks/post-checkout", "own/json.py", "/tmp/samebits-elsewhere.csv", "../elsewhere.csv"])
def test_a_config_s_table_goes_nowhere_but_among_data(
    store: Path, write: Callable[..., tuple[str, Path]], tmp_path: Path, name: str
) -> None:
    config, table = write()
    run_data_push([config])
    text = Path(config).read_text(encoding="utf-8").replace(str(table), name)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/evil.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=r"data\.digest: expected a path for data inside the project"):
        run_data_pull([str(tmp_path / "inner/evil.yaml")])

    assert not Path(name).is_absolute() or not Path(name).exists()
    assert [path.name for path in (tmp_path / "inner").rglob("*")] == ["evil.yaml"]


def test_damage_in_the_store_is_not_brought_back_and_is_kept_beside_nothing(
    store: Path, write: Callable[..., tuple[str, Path]]
) -> None:
    config, table = write()
    run_data_push([config])
    kept = store / list_files(store)[0]
    kept.write_bytes(b"x,y\n1,a\n2,c\n")
    table.unlink()

    with pytest.raises(DataError, match="found nothing"):
        run_data_pull([config])
    table.write_bytes(TABLE)
    with pytest.raises(DataError, match="a place where nothing is"):
        run_data_push([config])
    assert kept.read_bytes() == b"x,y\n1,a\n2,c\n"


def test_a_copy_that_breaks_off_leaves_nothing_under_the_final_name(
    store: Path, write: Callable[..., tuple[str, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = write()

    def break_off(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:4])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data_store.shutil, "copyfile", break_off)
    with pytest.raises(DataError, match="No space left on device"):
        run_data_push([config])
    assert list_files(store) == []

    monkeypatch.setattr(data_store.shutil, "copyfile", lambda source, target: target.write_bytes(b"other"))
    with pytest.raises(DataError, match="others, as they were copied"):
        run_data_push([config])
    assert list_files(store) == []


def test_without_a_pin_nothing_can_be_found(store: Path, write: Callable[..., tuple[str, Path]]) -> None:
    config, table = write(pin=None)
    run_data_push([config])
    table.unlink()

    with pytest.raises(DataError, match="a digest, by which it is found"):
        run_data_pull([config])


@pytest.mark.parametrize(("named", "found"), [("", "none named"), ("/no/such/folder", "/no/such/folder")])
def test_a_store_that_is_not_named_or_not_there_is_said(
    write: Callable[..., tuple[str, Path]], monkeypatch: pytest.MonkeyPatch, named: str, found: str
) -> None:
    monkeypatch.setenv("SAMEBITS_DATA_STORE", named)

    with pytest.raises(DataError, match=f"found {found}"):
        run_data_push([write()[0]])


def test_all_configs_of_the_project_are_meant_where_none_is_named(store: Path, capsys: Any) -> None:
    run_data_status([])

    tables = {Path(line.split()[-1]).name for line in capsys.readouterr().out.splitlines()}
    assert {"wdbc.csv", "diabetes.csv", "wine.csv"} <= tables


@pytest.fixture
def stepped(tmp_path: Path, write_config: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path, Path]:
    """Write a config whose table is made by a step, of a raw file that is pinned and has an address of its own."""
    for module in ("data_store", "named_data"):
        monkeypatch.setattr(f"samebits.commands.{module}.find_project_root", lambda: tmp_path)
    raw, made = tmp_path / "raw/t.csv", tmp_path / "processed/t.csv"
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "web"))
    (tmp_path / "web").mkdir()
    (tmp_path / "web/t.csv").write_bytes(TABLE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    source = f"http://127.0.0.1:{server.server_port}/t.csv"
    step = {
        "command": ["cp", "{inputs.raw}", "{outputs.table}"],
        "inputs": {"raw": {"path": "raw/t.csv", "digest": DIGEST, "source": source}},
        "outputs": {"table": "processed/t.csv"},
    }
    data = {"path": "processed/t.csv", "target": "y", "positive": ..., "drop": [], "digest": ...}
    return str(write_config({"steps": {"copy": step}, "data": data, "business": ...})), raw, made


def test_a_steps_raw_file_is_pulled_from_its_own_source_and_then_kept(
    store: Path, stepped: tuple[str, Path, Path], capsys: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config, raw, made = stepped

    run_data_pull([config])
    brought = raw.read_bytes()
    made.parent.mkdir()
    made.write_bytes(b"x,y\n9,a\n")
    run_data_push([config])
    raw.unlink()
    run_data_status([config])

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert brought == TABLE
    assert [line[0] for line in lines] == ["pulled", "to", "pushed", "pushed", "missing", "here"]
    assert [line[1:3] for line in lines[-2:]] == [["stored", DIGEST], ["stored", digest_bytes(b"x,y\n9,a\n")]]


FORMS: dict[str, Callable[[dict[str, Any]], str]] = {
    "block": lambda raw: yaml.safe_dump(raw, sort_keys=False),
    "flow": lambda raw: yaml.safe_dump(raw, sort_keys=False, default_flow_style=None),
    "null": lambda raw: yaml.safe_dump(_put_digest(raw, None), sort_keys=False),
    "old": lambda raw: yaml.safe_dump(_put_digest(raw, "sha256:" + "0" * 64), sort_keys=False),
    "file of steps": lambda raw: yaml.safe_dump({**raw, "steps": "steps.yaml"}),
}


def _put_digest(raw: dict[str, Any], digest: str | None) -> dict[str, Any]:
    raw["steps"]["copy"]["inputs"]["raw"]["digest"] = digest
    return raw


@pytest.mark.parametrize("form", FORMS)
def test_pinning_fetches_a_steps_input_that_has_no_digest_and_writes_it_where_the_step_is(
    stepped: tuple[str, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, form: str
) -> None:
    monkeypatch.setattr("samebits.commands.data_pin.find_project_root", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config, raw, _ = stepped
    written = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
    del written["steps"]["copy"]["inputs"]["raw"]["digest"]
    (tmp_path / "steps.yaml").write_text("# shared\n" + yaml.safe_dump(written["steps"]), encoding="utf-8")
    if form == "old":  # what lies here is pinned anew, as a table is
        raw.parent.mkdir()
        raw.write_bytes(TABLE)
    Path(config).write_text(FORMS[form](written), encoding="utf-8")

    run_data_pin(config)
    run_data_pull([config])

    told = capsys.readouterr()
    assert f"steps.copy.inputs.raw.digest set to {DIGEST}" in told.out
    assert "data.digest is left as it is: processed/t.csv is made by a step, and is not there yet" in told.err
    assert raw.read_bytes() == TABLE
    inputs = load_config(Path(config)).config.steps["copy"].inputs["raw"]
    assert isinstance(inputs, InputFile) and inputs.digest == DIGEST
    shared = (tmp_path / "steps.yaml").read_text(encoding="utf-8")
    assert shared.startswith("# shared\n") and (DIGEST in shared) == (form == "file of steps")


def test_no_input_is_pinned_where_the_table_beside_it_cannot_be(
    stepped: tuple[str, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samebits.commands.data_pin.find_project_root", lambda: tmp_path)
    path, raw, _ = (Path(one) for one in stepped)
    written = _put_digest(yaml.safe_load(path.read_text(encoding="utf-8")), None)
    written["data"]["path"] = "raw/gone.csv"
    raw.parent.mkdir()
    raw.write_bytes(TABLE)
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    before = path.read_bytes()

    with pytest.raises(DataError, match=r"gone\.csv: expected the table, found no such file"):
        run_data_pin(str(path))

    assert path.read_bytes() == before


def test_an_input_that_is_an_address_or_has_no_digest_is_told_what_to_write(stepped: tuple[str, Path, Path]) -> None:
    path = Path(stepped[0])
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    inputs = written["steps"]["copy"]["inputs"]
    del inputs["raw"]["digest"]
    inputs["orders"] = "s3://team-data/raw/orders.csv"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    address, digest = sorted(str(caught.value).splitlines())
    assert (
        "inputs.orders: expected a path, with an address under source: beside it, found 's3://team-data/raw/orders.csv'. " in address
    )
    assert "Write {path: data/raw/orders.csv, source: 's3://team-data/raw/orders.csv'}, then: samebits data pin CONF." in address
    assert digest.endswith("inputs.raw.digest: expected this key, found nothing. Let `samebits data pin CONF` write it.")
