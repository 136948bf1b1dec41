"""What was imported is what is on record: path and bytes at import, for modules of the project and for those from elsewhere."""

from __future__ import annotations

import importlib
import marshal
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from recorded_runs import git

from samebits.digests import digest_bytes, digest_file
from samebits.errors import ProvenanceError
from samebits.provenance import modules, patches
from samebits.provenance.code import describe_kept, identify_code
from samebits.provenance.imports import ImportWatch, is_installed, watch_imports
from samebits.provenance.modules import identify_modules, list_files, note_what_ran, refuse_changed_imports
from samebits.restoring.restored_code import restore_modules
from samebits.training.stages import describe_code

ONE, TWO = b"VERSION = 1\n", b"VERSION = 2\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository from which modules are imported, and a folder beside it on the path; imports are watched meanwhile."""
    root = tmp_path / "project"
    root.mkdir()
    git("init", "-q", cwd=root)
    (root / "odd_held.py").write_bytes(ONE)
    (root / ".gitignore").write_bytes(b"odd_made.py\n__pycache__/\n")
    git("add", "-A", cwd=root)
    git("commit", "-qm", "x", cwd=root)
    (tmp_path / "beside").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "beside"))
    monkeypatch.syspath_prepend(str(root))
    earlier = [finder for finder in sys.meta_path if isinstance(finder, ImportWatch)]  # that another test left, with its notes
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in earlier]
    watch_imports()
    yield root
    sys.meta_path.remove(watch_imports())
    sys.meta_path[:0] = earlier
    for name in [name for name in sys.modules if name.startswith("odd_") and name != "odd_classes"]:
        del sys.modules[name]


def test_a_module_of_the_commit_or_of_its_changes_is_on_record_with_them(project: Path) -> None:
    (project / "odd_new.py").write_bytes(ONE)
    code = identify_modules(identify_code(project), ["odd_held", "odd_new", "sklearn", "no_such_module"], project)
    import_all("odd_held", "odd_new")

    refuse_changed_imports(code)
    ran = note_what_ran(code, project)

    assert ran == code and ran.modules == {} and set(code.changes) == {"odd_new.py"}


def import_all(*names: str) -> list[int]:
    importlib.invalidate_caches()
    return [importlib.import_module(name).VERSION for name in names]


def test_a_module_that_runs_is_kept_whatever_else_lies_about(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "PATCH_CAP_BYTES", 1000)
    monkeypatch.setattr(modules, "PATCH_CAP_BYTES", 1000)
    (project / "notes.bin").write_bytes(bytes(range(256)) * 3)
    (tmp_path / "beside/odd_beside.py").write_bytes(ONE * 50)

    code = identify_modules(identify_code(project), ["odd_beside"], project)

    assert b"notes.bin" in code.patch and list(code.module_files) == ["outside/odd_beside.py"] and code.left_out == []


def test_a_module_that_changes_before_its_import_is_refused(project: Path) -> None:
    code = identify_code(project)
    (project / "odd_held.py").write_bytes(TWO)
    import_all("odd_held")

    with pytest.raises(
        ProvenanceError, match=r"module odd_held\.py: expected the bytes that were identified, found others: it was chan"
    ):
        refuse_changed_imports(code)


def test_a_module_that_changes_after_its_import_is_recorded_as_it_ran_and_named(project: Path) -> None:
    code = identify_code(project)
    import_all("odd_held")
    (project / "odd_held.py").write_bytes(TWO)
    (project / "odd_new.py").write_bytes(ONE)

    ran = note_what_ran(code, project)

    assert ran.changes == code.changes == {} and ran.modules == {}
    assert ran.changed_meanwhile == ["odd_held.py", "odd_new.py"]
    assert describe_code(ran, [], project)["digest"] == describe_code(code, [], project)["digest"]


def test_a_commit_made_meanwhile_is_no_change_of_what_lies_there(project: Path) -> None:
    (project / "odd_new.py").write_bytes(ONE)
    code = identify_code(project)
    git("add", "-A", cwd=project)
    git("commit", "-qm", "y", cwd=project)

    assert note_what_ran(code, project).changed_meanwhile == []


def test_a_module_that_is_imported_late_in_another_version_is_recorded_with_that(project: Path) -> None:
    code = identify_code(project)
    (project / "odd_held.py").write_bytes(TWO)
    import_all("odd_held")

    ran = note_what_ran(code, project)

    assert ran.modules == {"inside/odd_held.py": digest_bytes(TWO)}
    assert describe_code(ran, [], project)["digest"] != describe_code(code, [], project)["digest"]


def test_what_neither_a_package_nor_the_commit_holds_is_digested_kept_and_brought_back(project: Path, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    (beside / "odd_package").mkdir()
    files = {"odd_single.py": ONE, "odd_package/__init__.py": b"from odd_package.part import VERSION\n", "odd_package/part.py": ONE}
    for name, content in {**files, "odd_follows.py": TWO}.items():
        (beside / name).write_bytes(content)
    (project / "odd_made.py").write_bytes(b"from odd_follows import VERSION\n")  # Git ignores it
    code = identify_modules(identify_code(project), ["odd_single", "odd_package"], project)
    before = {f"outside/{name}": digest_bytes(content) for name, content in files.items()}
    assert code.modules == before

    import_all("odd_single", "odd_package", "odd_made")
    ran = note_what_ran(code, project)

    assert set(ran.modules) == {*before, "inside/odd_made.py", "outside/odd_follows.py"}
    artifacts = {}
    for number, (name, content) in enumerate(ran.files.items()):
        artifacts[name] = tmp_path / f"artifact {number}"
        artifacts[name].write_bytes(content)
    recorded: Any = SimpleNamespace(files=artifacts)
    git("clone", "-q", str(project), str(tmp_path / "fresh"))
    folder = restore_modules(describe_code(ran, [], project), recorded, tmp_path / "fresh", tmp_path / "modules")
    assert folder is not None and {name: (folder / name).read_bytes() for name in files} == files
    assert (tmp_path / "fresh/odd_made.py").is_file()


def test_a_module_that_only_this_users_git_ignores_comes_back_ignored(project: Path, tmp_path: Path) -> None:
    (project / ".git/info/exclude").write_text("odd_own*\n", encoding="utf-8")
    (project / "odd_own [1].py").write_bytes(ONE)
    (project / "odd_own.py").write_bytes(ONE)
    code = identify_modules(identify_code(project), ["odd_own"], project)
    assert code.modules == {"inside/odd_own.py": digest_bytes(ONE)} and code.changes == {}
    fresh = tmp_path / "fresh"
    git("clone", "-q", str(project), str(fresh))
    stage = {"modules": {**code.modules, "inside/odd_own [1].py": digest_bytes(ONE)}}
    recorded: Any = SimpleNamespace(files={f"code/modules/{name}": project / "odd_own.py" for name in stage["modules"]})

    restore_modules(stage, recorded, fresh, tmp_path / "modules")

    assert (fresh / "odd_own [1].py").is_file() and identify_code(fresh).changes == {}


def test_a_module_inside_an_archive_is_digested_with_the_archive(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.writestr("odd_zipped.py", ONE)
    monkeypatch.syspath_prepend(str(tmp_path / "odd.zip"))
    code = identify_code(project)
    import_all("odd_zipped")

    assert note_what_ran(code, project).modules == {"outside/odd.zip": digest_file(tmp_path / "odd.zip")}


def test_a_repository_that_is_gone_after_the_training_costs_no_training(project: Path) -> None:
    code = identify_code(project)
    (project / ".git/HEAD").write_text("ref: refs/heads/../..\n", encoding="utf-8")

    assert note_what_ran(code, project).commit == code.commit


@pytest.mark.parametrize("in_the_way", ["odd.py/kept", "odd_package"])
def test_what_stands_in_a_modules_place_is_left_alone_and_said(tmp_path: Path, in_the_way: str) -> None:
    for root in ("fresh", "modules"):
        (tmp_path / root / in_the_way).parent.mkdir(parents=True)
        (tmp_path / root / in_the_way).write_bytes(TWO)
    (tmp_path / "artifact").write_bytes(ONE)
    names = [f"{kind}/{'odd.py' if in_the_way.startswith('odd.py') else 'odd_package/a.py'}" for kind in ("inside", "outside")]
    recorded: Any = SimpleNamespace(files={f"code/modules/{name}": tmp_path / "artifact" for name in names})
    stage = {"modules": dict.fromkeys(names, digest_bytes(ONE))}

    with pytest.raises(ProvenanceError, match="a folder, or a file where its folder would be"):
        restore_modules(stage, recorded, tmp_path / "fresh", tmp_path / "modules")

    assert all((tmp_path / root / in_the_way).read_bytes() == TWO for root in ("fresh", "modules"))


@pytest.mark.parametrize("name", ["outside/../escaped.py", "outside//etc/escaped.py", "inside/.git/hooks/x", "outside/odd.py"])
def test_a_module_of_a_record_is_written_nowhere_else_and_not_with_other_bytes(tmp_path: Path, name: str) -> None:
    (tmp_path / "artifact").write_bytes(ONE)
    recorded: Any = SimpleNamespace(files={f"code/modules/{name}": tmp_path / "artifact"})
    digest = digest_bytes(ONE if name != "outside/odd.py" else TWO)

    with pytest.raises(ProvenanceError, match="found it nowhere"):
        restore_modules({"modules": {name: digest}}, recorded, tmp_path / "fresh", tmp_path / "modules")

    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_byte_code_beside_a_source_runs_neither_here_nor_in_a_worker(project: Path) -> None:
    source = project / "odd_held.py"
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir(exist_ok=True)
    forged = compile("VERSION = 666\n", str(source), "exec")
    found = source.stat()
    head = importlib.util.MAGIC_NUMBER + (0).to_bytes(4, "little") + int(found.st_mtime).to_bytes(4, "little")
    cached.write_bytes(head + found.st_size.to_bytes(4, "little") + marshal.dumps(forged))

    assert import_all("odd_held") == [1]
    sys.meta_path.remove(watch_imports())
    del sys.modules["odd_held"]
    assert import_all("odd_held") == [1]  # as a worker does
    watch_imports()


def test_a_secret_or_a_large_module_is_digested_but_not_kept(project: Path, tmp_path: Path) -> None:
    (tmp_path / "beside/odd_large.py").write_bytes(b"#" * (6 << 20))
    (tmp_path / "beside/odd_token.py").write_bytes(b"T = 'ghp_" + b"a" * 36 + b"'\n")

    code = identify_modules(identify_code(project), ["odd_large", "odd_token"], project)

    assert set(code.modules) == {"outside/odd_large.py", "outside/odd_token.py"} and code.module_files == {}


def test_what_is_installed_is_no_module_of_these(project: Path) -> None:
    watch = watch_imports()
    for name in ("colorsys", "this_is_no_module"):
        sys.modules.pop(name, None)
        if name == "colorsys":
            importlib.import_module(name)

    assert "colorsys" not in watch.noted and os.sep


def test_a_module_that_git_ignores_is_digested_named_and_kept_only_where_the_config_says_so(project: Path, tmp_path: Path) -> None:
    (project / "odd_made.py").write_bytes(ONE)
    import_all("odd_made")
    code = identify_code(project)

    ran, kept = note_what_ran(code, project), note_what_ran(identify_code(project, ["odd_made.py"]), project)

    assert ran.module_files == {} and ran.reasons == {"inside/odd_made.py": "Git ignores it"}
    assert ran.modules == kept.modules == {"inside/odd_made.py": digest_bytes(ONE)}
    assert kept.module_files == {"inside/odd_made.py": ONE} and kept.reasons == {}
    assert any("modules that are not kept with the run: odd_made.py (Git ignores it)" in line for line in describe_kept(ran))
    assert any("kept with the run: odd_made.py" in line for line in describe_kept(kept))
    stage = describe_code(ran, [], project)
    (project / "odd_made.py").write_bytes(TWO)
    with pytest.raises(ProvenanceError, match=r"module odd_made\.py: .* It was not kept \(Git ignores it\)"):
        restore_modules(stage, SimpleNamespace(files={}), tmp_path / "fresh", tmp_path / "modules")  # type: ignore[arg-type]


def test_a_module_with_a_secret_has_no_digest_that_can_be_guessed_from(project: Path, tmp_path: Path) -> None:
    content = b"T = 'ghp_" + b"a" * 36 + b"'\nVERSION = 1\n"
    (tmp_path / "beside/odd_token.py").write_bytes(content)
    import_all("odd_token")

    ran = note_what_ran(identify_code(project), project)

    assert ran.modules["outside/odd_token.py"].startswith("scrypt:") and ran.reasons == {"outside/odd_token.py": "a token of GitHub"}
    assert note_what_ran(ran, project).modules == ran.modules
    stage = {"modules": ran.modules}
    recorded: Any = SimpleNamespace(files={"code/modules/outside/odd_token.py": tmp_path / "beside/odd_token.py"})
    assert restore_modules(stage, recorded, tmp_path / "fresh", tmp_path / "modules") == tmp_path / "modules"


def test_only_what_a_record_lists_is_installed(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "site-packages"
    (packages / "odd-1.0.dist-info").mkdir(parents=True)
    (packages / "odd-1.0.dist-info/METADATA").write_text("Name: odd\nVersion: 1.0\n", encoding="utf-8")
    (packages / "odd-1.0.dist-info/RECORD").write_text("odd_listed.py,,\n", encoding="utf-8")
    (packages / "raw-1.0.dist-info").mkdir()
    (packages / "raw-1.0.dist-info/METADATA").write_text("Name: raw\nVersion: 1.0\n", encoding="utf-8")
    (packages / "raw-1.0.dist-info/RECORD").write_bytes(b"\xff,,\n")
    for name in ("odd_listed.py", "odd_by_hand.py"):
        (packages / name).write_bytes(ONE)
    monkeypatch.syspath_prepend(str(packages))
    import_all("odd_listed", "odd_by_hand")

    assert note_what_ran(identify_code(project), project).modules == {"outside/odd_by_hand.py": digest_bytes(ONE)}
    assert all(is_installed(str(module.__file__)) for module in (os, pytest))


def test_an_untracked_input_of_the_config_is_no_file_that_is_missing(project: Path) -> None:
    for name in ("table.csv", "other.csv"):
        (project / name).write_bytes(b"0" * (6 << 20))

    said = describe_kept(identify_code(project), [project / "table.csv"])

    assert "other.csv" in said[0] and "table.csv" not in "".join(said)


def test_a_module_inside_a_package_is_found_without_importing_the_package(project: Path, tmp_path: Path) -> None:
    (tmp_path / "beside/odd_above").mkdir()
    (tmp_path / "beside/odd_above/__init__.py").write_bytes(b"raise SystemExit\n")
    (tmp_path / "beside/odd_above/below.py").write_bytes(ONE)

    code = identify_modules(identify_code(project), ["odd_above.below"], project)

    assert code.modules == {"outside/odd_above/below.py": digest_bytes(ONE)}


def test_an_allowed_module_is_found_in_the_projects_src_as_an_import_in_train_finds_it(project: Path) -> None:
    (project / "src/odd_own").mkdir(parents=True)
    (project / "src/odd_own/__init__.py").write_bytes(ONE)

    found = list(list_files("odd_own", project))

    assert found == [(project / "src/odd_own/__init__.py", "odd_own/__init__.py")]
