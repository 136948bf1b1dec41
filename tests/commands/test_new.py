from __future__ import annotations

import functools
import gzip
import http.server
import threading
from pathlib import Path

import pytest
from conftest import ROOT, run_samebits

from samebits.commands.new import name_table, run_new
from samebits.config.loading import check_config
from samebits.digests import digest_file
from samebits.errors import ConfigError, DataError

TABLE = ROOT / "data/raw/diabetes.csv"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "MLproject").touch()
    (tmp_path / "data").mkdir()
    (tmp_path / "data/diabetes.csv").write_bytes(TABLE.read_bytes())
    monkeypatch.setattr("samebits.commands.new.find_project_root", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_config_goes_into_confs_or_else_beside_the_table(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_new("data/diabetes.csv", "progression", None)
    assert "wrote     data/diabetes.yaml\nnext      uv run samebits train data/diabetes.yaml\n" in capsys.readouterr().out
    (project / "confs").mkdir()
    run_new("data/diabetes.csv", "progression", None)

    assert check_config(project / "confs/diabetes.yaml").config.data.path == "data/diabetes.csv"
    assert (project / "confs/diabetes.yaml").read_text() == (project / "data/diabetes.yaml").read_text()


def test_a_table_outside_the_project_is_named_whole(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    table = tmp_path_factory.mktemp("elsewhere") / "far table.csv.gz"
    table.write_bytes(gzip.compress(TABLE.read_bytes()))

    run_new(str(table), "progression", "new.yaml")

    assert check_config(project / "new.yaml").config.data.path == str(table)


def test_no_file_is_written_over(project: Path) -> None:
    (project / "mine.yaml").write_text("mine")

    with pytest.raises(ConfigError, match="expected a new file, found one that is there already"):
        run_new("data/diabetes.csv", "progression", "mine.yaml")

    assert (project / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("data", "expected a file that ends in .yaml, found data"),
        ("new.json", "expected a file that ends in .yaml, found new.json"),
        ("nowhere/new.yaml", "expected a folder to write into, found none"),
    ],
)
def test_a_place_that_takes_no_config_is_refused(output: str, said: str, project: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        run_new("data/diabetes.csv", "progression", output)


def test_a_table_that_is_not_there_is_suggested(project: Path) -> None:
    with pytest.raises(DataError, match=r"found no such file. Did you mean 'diabetes.csv'\?"):
        run_new("data/diabtes.csv", "progression", None)


def test_a_table_is_named_without_its_suffixes() -> None:
    assert [name_table(Path(name)) for name in ("a.csv", "a.b.CSV.gz", "folder", ".csv")] == ["a", "a.b", "folder", ".csv"]


def test_what_new_writes_train_takes(own_store: str, tmp_path: Path) -> None:
    conf = tmp_path / "new.yaml"

    made = run_samebits("new", str(TABLE), "--target", "progression", "--output", str(conf))
    trained = run_samebits("train", "--quiet", str(conf), MLFLOW_TRACKING_URI=own_store)

    assert made.returncode == 0 and f"samebits train {conf}" in made.stdout, made.stderr
    assert "target    progression: regression" in made.stderr.splitlines()
    assert trained.returncode == 0, trained.stderr
    assert "leak" not in trained.stderr


def test_a_misspelt_target_is_told_before_a_file_that_is_there(project: Path) -> None:
    (project / "data/diabetes.yaml").write_text("mine")

    with pytest.raises(DataError, match=r"found 'progresion'. Did you mean 'progression'\?"):
        run_new("data/diabetes.csv", "progresion", None)
    with pytest.raises(ConfigError, match="expected a new file"):
        run_new("data/diabetes.csv", "progression", None)


def test_a_table_that_lies_elsewhere_is_fetched_and_named_by_its_address(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / "cache"))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(TABLE.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/diabetes.csv?raw=1"
        run_new(address, "progression", None)
        server.shutdown()

    data = check_config(project / "diabetes.yaml").config.data
    assert (data.path, data.digest) == (address, digest_file(TABLE))
