"""Changed means other bytes than the commit's, on real repositories, whatever Git's index and settings say; and all of it comes back."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from recorded_runs import git

from samebits import secret_files
from samebits.digests import digest_bytes
from samebits.errors import ProvenanceError
from samebits.history import entries
from samebits.history.fetching import Source, bundle_commit, fetch_commit, list_remotes
from samebits.lineage.manifest import PATCH_FILE
from samebits.provenance import code
from samebits.provenance.code import CodeIdentity, describe_kept, identify_code
from samebits.restoring.restored_code import restore_changes
from samebits.secret_files import find_secret_name, find_secrets
from samebits.training.stages import describe_code

TEXT = b"".join(b"line %d\n" % number for number in range(20))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "project", {"a.py": b"a = 1\n", "notes/b.txt": TEXT, "tool.sh": b"#!/bin/sh\n"})


def make_repository(root: Path, files: dict[str, bytes], *options: str) -> Path:
    root.mkdir(parents=True)
    git("init", "-q", *options, cwd=root)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    commit(root)
    return root


def commit(root: Path) -> None:
    git("add", "-A", cwd=root)
    git("commit", "-qm", "x", cwd=root)


def restore(found: CodeIdentity, caller: Path, folder: Path, address: Path | None = None) -> Path:
    """Bring back what was identified, as `reproduce` does, and identify it again: it must be the same."""
    stage = describe_code(found, [], caller)
    files = {}
    for number, (name, content) in enumerate(found.files.items()):
        files[name] = folder / f"artifact {number}"
        files[name].write_bytes(content)
    recorded: Any = SimpleNamespace(files=files, archive=None)
    fresh = folder / "fresh"
    fetch_commit(fresh, stage["commit"], [Source("repository", str(address or caller))], None)
    restore_changes(stage, recorded, fresh, [], caller, folder / "scratch")
    assert identify_code(fresh).changes == found.changes
    assert describe_code(identify_code(fresh), [], fresh)["digest"] == stage["digest"]
    return fresh


@pytest.mark.parametrize("bit", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_was_hidden_from_git_is_a_change_that_comes_back(repository: Path, tmp_path: Path, bit: str) -> None:
    git("update-index", bit, "a.py", cwd=repository)
    (repository / "a.py").write_bytes(b"a = 2\n")

    found = identify_code(repository)

    assert found.changes == {"a.py": digest_bytes(b"a = 2\n")} and found.is_dirty
    assert (restore(found, repository, tmp_path) / "a.py").read_bytes() == b"a = 2\n"


def test_a_change_that_keeps_size_and_time_is_one(repository: Path) -> None:
    before = (repository / "a.py").stat()
    (repository / "a.py").write_bytes(b"a = 2\n")
    os.utime(repository / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))

    assert set(identify_code(repository).changes) == {"a.py"}


def test_settings_that_hide_changes_hide_none(repository: Path) -> None:
    settings = {
        "status.showUntrackedFiles": "no", "diff.ignoreSubmodules": "all", "core.trustctime": "false", "core.checkStat": "minimal",
        "core.fsmonitor": "true", "core.untrackedCache": "true", "core.fileMode": "false", "diff.noprefix": "true", "diff.relative": "true",
        "diff.external": "false", "status.relativePaths": "true", "core.ignoreStat": "true", "feature.manyFiles": "true",
    }  # fmt: skip
    for key, value in settings.items():
        git("config", key, value, cwd=repository)
    (repository / "new.py").write_bytes(b"n = 1\n")
    (repository / "tool.sh").chmod(0o755)
    (repository / "a.py").write_bytes(b"a = 2\n")

    found = identify_code(repository)

    assert set(found.changes) == {"a.py", "new.py", "tool.sh"}
    assert b"diff --git a/new.py b/new.py" in found.patch and b"new mode 100755" in found.patch


def test_an_object_that_stands_for_another_counts_as_itself(repository: Path) -> None:
    head = ask(repository, "rev-parse", "HEAD")
    (repository / "a.py").write_bytes(b"a = 3\n")
    commit(repository)
    git("replace", head, "HEAD", cwd=repository)
    git("reset", "-q", "--soft", head, cwd=repository)

    assert set(identify_code(repository).changes) == {"a.py"}


def ask(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, check=True, encoding="utf-8").stdout.strip()


def test_a_repository_of_sha256_objects_is_read_like_any_other(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "project", {"a.py": b"a = 1\n", "b.py": b"b = 1\n"}, "--object-format=sha256")
    clean = identify_code(root)
    (root / "a.py").write_bytes(b"a = 2\n")
    (root / "b.py").unlink()
    (root / "c.py").write_bytes(b"c = 1\n")

    found = identify_code(root)

    assert clean.commit == found.commit == ask(root, "rev-parse", "HEAD") and not clean.is_dirty
    assert set(found.changes) == {"a.py", "b.py", "c.py"}
    assert (restore(found, root, tmp_path) / "c.py").is_file()


def test_a_repository_that_git_cannot_read_is_none_without_a_commit_but_a_refusal(repository: Path) -> None:
    git("config", "core.repositoryFormatVersion", "1", cwd=repository)
    git("config", "extensions.refStorage", "of-a-later-git", cwd=repository)

    with pytest.raises(ProvenanceError, match=r"expected one that Git reads, found .*(refstorage|of-a-later-git)"):
        identify_code(repository)


@pytest.mark.parametrize("attributes", [b"", b"* text=auto\n"])
def test_a_clone_whose_line_ends_git_changed_comes_back_with_them(repository: Path, tmp_path: Path, attributes: bytes) -> None:
    if attributes:
        (repository / ".gitattributes").write_bytes(attributes)
        commit(repository)
    clone = tmp_path / "clone"
    git("clone", "-q", "-c", "core.autocrlf=true", str(repository), str(clone))
    (clone / "a.py").write_bytes(b"a = 2\r\n")

    found = identify_code(clone)

    assert {"a.py", "notes/b.txt", "tool.sh"} <= set(found.changes)
    assert b"line 7" not in found.patch  # a project of any size fits
    assert any("Git's line ends here are not the commit's (core.autocrlf)" in line for line in describe_kept(found))
    fresh = restore(found, clone, tmp_path)
    assert (fresh / "notes/b.txt").read_bytes() == TEXT.replace(b"\n", b"\r\n")
    assert (fresh / "a.py").read_bytes() == b"a = 2\r\n"


def test_what_the_commits_own_attributes_give_every_clone_is_no_change(repository: Path, tmp_path: Path) -> None:
    (repository / ".gitattributes").write_bytes(b"*.bat text eol=crlf\n*.u16 working-tree-encoding=UTF-16LE\n")
    (repository / "run.bat").write_bytes(b"echo\r\n")
    (repository / "t.u16").write_bytes("täble\n".encode("utf-16-le"))
    commit(repository)

    assert identify_code(repository).changes == {}
    (repository / "run.bat").write_bytes(b"echo 2\r\n")
    found = identify_code(repository)
    assert set(found.changes) == {"run.bat"}
    assert (restore(found, repository, tmp_path) / "run.bat").read_bytes() == b"echo 2\r\n"


def test_files_of_git_lfs_are_the_commits_by_their_digest_and_put_nothing_into_the_patch(repository: Path, tmp_path: Path) -> None:
    content = b"large" * 1000
    (repository / ".gitattributes").write_bytes(b"*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repository / "w.bin").write_bytes(make_pointer(content))
    commit(repository)
    (repository / "w.bin").write_bytes(content)

    found = identify_code(repository)

    assert (found.changes, found.patch, found.is_dirty) == ({}, b"", False)
    assert describe_code(found, [], repository)["filtered"] == {"w.bin": digest_bytes(content)}
    assert (restore(found, repository, tmp_path) / "w.bin").read_bytes() == content
    (repository / "w.bin").write_bytes(content[::-1])
    assert set(identify_code(repository).changes) == {"w.bin"}


def make_pointer(content: bytes) -> bytes:
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n".encode()


def test_what_another_filter_makes_has_a_digest_and_is_not_kept(repository: Path, tmp_path: Path) -> None:
    """A filter may stand for encryption: what it gives must not go anywhere."""
    (repository / ".gitattributes").write_bytes(b"*.crypt filter=swap\n")
    git("config", "filter.swap.clean", "tr ab BA", cwd=repository)
    (repository / "s.crypt").write_bytes(b"abc\n")
    commit(repository)

    found = identify_code(repository)

    assert found.changes == {"s.crypt": digest_bytes(b"abc\n")} and not found.is_dirty
    assert (found.patch, found.left_out) == (b"", ["s.crypt"])
    assert (restore(found, repository, tmp_path) / "s.crypt").read_bytes() == b"abc\n"


def test_a_sparse_checkout_is_brought_back_as_one(tmp_path: Path) -> None:
    files = {"src/a.py": b"a = 1\n", "big/one/x.txt": TEXT, "big/two/y.txt": TEXT, "top.txt": b"t\n"}
    root = make_repository(tmp_path / "project", files)
    git("sparse-checkout", "set", "src", cwd=root)

    found = identify_code(root)

    assert (found.changes, found.patch) == ({}, b"")
    assert describe_code(found, [], root)["absent"] == ["big/"]
    fresh = restore(found, root, tmp_path)
    assert not (fresh / "big").exists() and (fresh / "src/a.py").is_file()
    assert describe_code(found, [], root)["digest"] != describe_code(identify_code(clone_of(root)), [], root)["digest"]


def clone_of(root: Path) -> Path:
    target = root.with_name(f"clone {len(list(root.parent.iterdir()))}")
    git("clone", "-q", str(root), str(target))
    return target


def test_a_folder_that_became_a_link_and_a_file_that_became_a_folder_come_back(repository: Path, tmp_path: Path) -> None:
    (repository / "notes").rename(repository / "other")
    (repository / "notes").symlink_to("other")
    (repository / "a.py").unlink()
    (repository / "a.py").mkdir()
    (repository / "a.py/__init__.py").write_bytes(b"a = 1\n")

    found = identify_code(repository)

    assert found.changes["notes/b.txt"] == found.changes["a.py"] == "deleted"
    fresh = restore(found, repository, tmp_path)
    assert (fresh / "notes").is_symlink() and (fresh / "notes/b.txt").read_bytes() == TEXT


def test_a_pipe_in_a_files_place_is_not_waited_for(repository: Path, tmp_path: Path) -> None:
    (repository / "a.py").unlink()
    os.mkfifo(repository / "a.py")

    found = identify_code(repository)

    assert found.changes == {"a.py": "deleted"}
    restore(found, repository, tmp_path)


def test_a_file_whose_name_differs_in_case_alone_is_one_of_its_own(repository: Path, tmp_path: Path) -> None:
    git("config", "core.ignoreCase", "true", cwd=repository)  # as a repository has it that was made on another system
    (repository / "A.py").write_bytes(b"a = 2\n")

    found = identify_code(repository)

    assert found.changes == {"A.py": digest_bytes(b"a = 2\n")}
    assert (restore(found, repository, tmp_path) / "A.py").read_bytes() == b"a = 2\n"


def test_a_folder_that_a_link_from_outside_leads_to_lies_in_its_repository(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository / "notes")

    assert identify_code(tmp_path / "link").commit is not None


def test_a_name_that_is_no_utf_8_comes_back_too(repository: Path, tmp_path: Path) -> None:
    (repository / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"x\n")
    (repository / os.fsdecode(b"caf\xe9.env")).write_bytes(b"x\n")
    (repository / "plain \\xe9.txt").write_bytes(b"y\n")

    found = identify_code(repository)

    assert found.left_out == ["caf\\xe9.env"]
    assert (restore(found, repository, tmp_path) / os.fsdecode(b"caf\xe9.txt")).read_bytes() == b"x\n"


@pytest.fixture
def outer(repository: Path, tmp_path: Path) -> Path:
    """A project with a submodule that has a submodule."""
    inner = make_repository(tmp_path / "inner", {"deep.py": b"d = 1\n"})
    library = make_repository(tmp_path / "library", {"lib.py": b"l = 1\n"})
    add_submodule(library, inner, "deep")
    add_submodule(repository, library, "vendor/lib")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive", cwd=repository)
    return repository


def add_submodule(root: Path, source: Path, name: str) -> None:
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(source), name, cwd=root)
    commit(root)


def test_a_clean_submodule_comes_back_without_being_a_change(outer: Path, tmp_path: Path) -> None:
    found = identify_code(outer)

    assert found.changes == {}
    fresh = restore(found, outer, tmp_path)
    assert (fresh / "vendor/lib/lib.py").is_file() and (fresh / "vendor/lib/deep/deep.py").is_file()


def test_a_changed_submodule_has_a_digest_of_what_is_in_it_and_comes_back(outer: Path, tmp_path: Path) -> None:
    digests = set()
    for number in (2, 3):
        (outer / "vendor/lib/deep/deep.py").write_bytes(b"d = %d\n" % number)
        digests.add(describe_code(identify_code(outer), [], outer)["digest"])
    (outer / "vendor/lib/new.py").write_bytes(b"n = 1\n")

    found = identify_code(outer)

    assert len(digests) == 2 and set(found.changes) == {"vendor/lib"} and found.left_out == []
    assert any("vendor/lib/deep/deep.py, vendor/lib/new.py" in line for line in describe_kept(found))
    fresh = restore(found, outer, tmp_path)
    assert (fresh / "vendor/lib/deep/deep.py").read_bytes() == b"d = 3\n"
    assert (fresh / "vendor/lib/new.py").read_bytes() == b"n = 1\n"


def test_a_submodule_at_another_commit_comes_back_from_a_bundle_where_no_remote_has_it(outer: Path, tmp_path: Path) -> None:
    library = outer / "vendor/lib"
    (library / "lib.py").write_bytes(b"l = 2\n")
    commit(library)

    found = identify_code(outer)

    assert set(found.changes) == {"vendor/lib"}
    unpushed = dict(found.list_unpushed())
    assert library in unpushed and library / "deep" not in unpushed
    bundle_commit(library, unpushed[library], tmp_path / "library.bundle")
    fetch_commit(tmp_path / "alone", unpushed[library], [Source("bundle", str(tmp_path / "library.bundle")), remote_of(library)], None)
    assert (tmp_path / "alone/lib.py").read_bytes() == b"l = 2\n"
    assert (restore(found, outer, tmp_path) / "vendor/lib/lib.py").read_bytes() == b"l = 2\n"


def remote_of(root: Path) -> Source:
    return Source("remote", ask(root, "remote", "get-url", "origin"))


def test_a_repository_inside_that_is_no_submodule_is_kept_too(repository: Path, tmp_path: Path) -> None:
    make_repository(repository / "inner", {"i.py": b"i = 1\n"})
    (repository / "inner/i.py").write_bytes(b"i = 2\n")
    (repository / "fresh").mkdir()
    git("init", "-q", cwd=repository / "fresh")
    (repository / "fresh/f.py").write_bytes(b"f = 1\n")

    found = identify_code(repository)

    assert set(found.changes) == {"inner/", "fresh/"}
    fresh = restore(found, repository, tmp_path)
    assert (fresh / "inner/i.py").read_bytes() == b"i = 2\n" and (fresh / "fresh/f.py").read_bytes() == b"f = 1\n"


def test_a_submodule_that_was_never_fetched_is_no_change_with_its_folder_or_without(outer: Path, tmp_path: Path) -> None:
    git("submodule", "--quiet", "deinit", "-f", "--all", cwd=outer)
    assert identify_code(outer).changes == {}

    (outer / "vendor/lib").rmdir()
    found = identify_code(outer)

    assert found.changes == {}
    restore(found, outer, tmp_path)


def test_a_folder_in_the_place_of_a_submodule_is_kept_file_by_file_and_comes_back(outer: Path, tmp_path: Path) -> None:
    shutil.rmtree(outer / "vendor/lib")
    (outer / "vendor/lib/part").mkdir(parents=True)
    (outer / "vendor/lib/part/copied.py").write_bytes(b"c = 1\n")

    found = identify_code(outer)

    assert found.changes == {"vendor/lib": "deleted", "vendor/lib/part/copied.py": digest_bytes(b"c = 1\n")} and found.left_out == []
    assert (restore(found, outer, tmp_path) / "vendor/lib/part/copied.py").read_bytes() == b"c = 1\n"


def test_a_record_that_names_another_place_for_a_submodule_writes_nothing_there(outer: Path, tmp_path: Path) -> None:
    stage = describe_code(identify_code(outer), [], outer)
    fresh = tmp_path / "fresh"
    recorded: Any = SimpleNamespace(files={}, archive=None)
    for place in ("../escaped", "/tmp/escaped", ".git/modules", "vendor/../../escaped"):
        forged = {**stage, "nested": {place: stage["nested"]["vendor/lib"]}}
        fresh.mkdir(exist_ok=True)
        with pytest.raises(ProvenanceError, match="a folder inside the repository"):
            restore_changes(forged, recorded, fresh, [], outer, tmp_path / "scratch")

    assert list(fresh.iterdir()) == [] and not (tmp_path / "escaped").exists()


SECRETS: dict[str, bytes] = {
    ".env": b"TOKEN=x\n",
    "deploy/.env.production": b"A=1\n",
    "id_ed25519": b"key\n",
    "server.pem": b"x\n",
    ".netrc": b"machine x login y password z\n",
    "credentials.json": b"{}\n",
    "terraform.tfstate": b"{}\n",
    "notes.txt": b"the key: -----BEGIN RSA " + b"PRIVATE KEY-----\nMIIE\n",
    "conf.py": b"KEY = 'AKIA" + b"IOSFODNN7EXAMPLA'\n",
    "ci.py": b"TOKEN = 'ghp_" + b"a" * 36 + b"'\n",
    "slack.py": b"S = 'xoxb-" + b"1" * 12 + b"-abcdef'\n",
    "maps.js": b"k = 'AIza" + b"B" * 35 + b"'\n",
    "auth.py": b"J = 'eyJ" + b"hbGciOiJI.eyJ" + b"zdWIiOiIx.c2lnbmF0dXJl'\n",
    "settings.ini": b"[db]\npassword = hunter22\n",
    "compose.yml": b"  environment:\n    - POSTGRES_PASSWORD=" + b"hunter22\n",
    "line.json": b'{"user": "x", "password":' + b'"hunter22"}',
    "map.yaml": b"db: {user: me, password: " + b"hunter22}\n",
    "element.xml": b"<db><password>" + b"hunter22</password></db>",
    "attribute.xml": b'<add user="x" password=' + b'"hunter22"/>',
    "start.sh": b"export REGISTRY_TOKEN=" + b"k3Jd8sLq02Xz9\n",
    "Dockerfile": b"FROM x\nENV DB_PASSWORD " + b"hunter22\n",
    "env.local": b"DB_PASSWORD=" + b"hunter22\n",
    "prod_env": b"MY_TOKEN=" + b"k3Jd8sLq02Xz9\n",
    "client.py": b"connect(host='x', password=" + b"'hunter22')\n",
    "gitlab.md": b"glpat-" + b"a" * 20 + b"\n",
    "oauth.md": b"GOCSPX-" + b"a" * 24 + b"\n",
    "hub.md": b"hf_" + b"a" * 34 + b"\n",
    "upload.md": b"pypi-AgE" + b"a" * 60 + b"\n",
    "publish.md": b"npm_" + b"a" * 36 + b"\n",
    "model.md": b"sk-proj-" + b"a" * 40 + b"\n",
    "pay.md": b"sk_live_" + b"a" * 24 + b"\n",
    "mail.md": b"SG." + b"a" * 22 + b"." + b"b" * 43 + b"\n",
    "lake.md": b"dapi" + b"0" * 32 + b"\n",
    "link.md": b"https://b.s3.amazonaws.com/x?X-Amz-" + b"Signature=" + b"0a" * 32 + b"\n",
    "bucket.md": b"AWS_SECRET_" + b"ACCESS_KEY=" + b"aB3/" * 10 + b"\n",
    "blobs.md": b"AccountKey=" + b"a" * 86 + b"==\n",
    "cloud.rtf": b"aws_secret_access_key = " + b"a1B2" * 10 + b"\n",
    "signed.rtf": b"https://host/x?X-Amz-Signature=" + b"0a" * 32 + b"\n",
    "kube.rtf": b"    client-key-data: " + b"LS0t" * 20 + b"\n",
    ".docker/config.txt": b"{}\n",
    "db.py": b"URL = 'postgresql://me:" + b"hunter22@db.internal/x'\n",
}


# As many as are named one by one: to look at a repository takes longer than at a file.
BATCHES = [list(SECRETS)[start : start + 10] for start in range(0, len(SECRETS), 10)]


@pytest.mark.parametrize("names", BATCHES, ids=lambda names: names[0])
def test_a_secret_is_named_and_digested_but_not_kept_unless_the_config_says_so(repository: Path, names: list[str]) -> None:
    for name in names:
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_bytes(SECRETS[name])
    (repository / "plain.py").write_bytes(b"p = 1\n")

    found = identify_code(repository)
    kept = identify_code(repository, keep=names)

    assert set(found.changes) == {*names, "plain.py"} and sorted(found.left_out) == sorted(names)
    assert b"plain.py" in found.patch
    for name in names:
        assert found.changes[name].startswith("scrypt:") and hashlib.sha256(SECRETS[name]).hexdigest() not in str(found.changes)
        assert SECRETS[name] not in found.patch
        assert any(f"{name} ({found.reasons[name]})" in line for line in describe_kept(found))
        assert name.encode() in kept.patch
    assert kept.left_out == [] and kept.changes == found.changes


def test_each_pattern_of_a_secret_is_one_that_a_test_would_miss(monkeypatch: pytest.MonkeyPatch) -> None:
    for reason, pattern in secret_files._CONTENT.items():
        others = {one: other for one, other in secret_files._CONTENT.items() if one != reason}
        with monkeypatch.context() as patch:
            patch.setattr(secret_files, "_CONTENT", others)
            missed = [name for name, content in SECRETS.items() if not (find_secret_name(name) or find_secrets(name, content))]
        assert missed, f"no secret of these tests is found by {pattern.pattern!r} alone"


NAMES = (
    ".env .env.local prod.env .envrc .netrc _netrc .pypirc .npmrc .yarnrc.yml .pgpass .my.cnf .htpasswd .git-credentials .dockercfg "
    ".dockerconfigjson .vault-token .boto .s3cfg rclone.conf kubeconfig id_rsa id_dsa id_ecdsa id_ed25519 id_ecdsa_sk id_ed25519_sk a.pem "
    "a.key a.p12 a.pfx a.p8 a.jks a.keystore a.ppk a.kdbx a.kdb a.tfstate a.tfstate.backup a.tfvars a.ovpn a.mobileprovision credentials "
    "credentials.json my_credentials.csv my-credentials.csv .credentials .credentials.json client_secret_1.json secrets secrets.toml "
    "secret.yaml .secrets .secrets.toml service-account-1.json service_account.json kaggle.json .ssh/x .gnupg/x .aws/x .kube/x .docker/x "
    ".azure/x"
)


def test_each_name_of_a_secret_is_one_in_any_folder_and_in_any_case() -> None:
    names = [*NAMES.split(), *(f"below/{name}" for name in NAMES.split()), *NAMES.upper().split()]

    assert [name for name in names if find_secret_name(name) is None] == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".env.example", b"TOKEN=\n"),
        ("credentials.py", b"def load_credentials(): ...\n"),
        ("conf.yaml", b"token_pattern: null\npassword: null\n"),
        ("join.yaml", b"secret: customer_id\n- secret: customer_id\npad_token: '[PAD]'\n"),
        ("form.json", b'{"properties": {"password": {"type": "string"}}, "required": ["password"]}'),
        ("words.txt", b"the secret is out\npassword reset\n"),
        ("types.py", b"def f(password: str = 'password', token='token_name') -> None: ...\n"),
        ("secrets.md", b"never write a password = into a file\n"),
        ("model.py", b"password = input()\n"),
        ("readme.txt", b"postgresql://user:password@localhost/x and https://me:secret@example.org\n"),
        ("id_rsa.pub", b"ssh-rsa AAAA\n"),
    ],
)
def test_what_only_speaks_of_secrets_is_kept(repository: Path, name: str, content: bytes) -> None:
    (repository / name).write_bytes(content)

    assert identify_code(repository).left_out == []


def test_a_tracked_file_is_left_out_for_a_new_secret_but_not_for_one_that_the_commit_holds(repository: Path) -> None:
    token = b"T = 'ghp_" + b"a" * 36 + b"'\n"
    (repository / "known.py").write_bytes(token)
    commit(repository)
    (repository / "known.py").write_bytes(token + b"x = 1\n")
    (repository / "a.py").write_bytes(token)

    found = identify_code(repository)

    assert found.reasons == {"a.py": "a token of GitHub"} and set(found.changes) == {"a.py", "known.py"}


def test_a_secret_inside_a_submodule_is_not_kept_either_and_comes_back_from_where_it_was(outer: Path, tmp_path: Path) -> None:
    (outer / "vendor/lib/.env").write_bytes(b"TOKEN=x\n")

    found = identify_code(outer)

    assert found.left_out == ["vendor/lib/.env"] and b"TOKEN" not in b"".join(found.files.values())
    assert (restore(found, outer, tmp_path) / "vendor/lib/.env").read_bytes() == b"TOKEN=x\n"
    (outer / "vendor/lib/.env").unlink()
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(
        ProvenanceError, match=r"changed file vendor/lib/\.env: .* found it nowhere\. It was not kept \(a secret by its name\)"
    ):
        restore(found, outer, tmp_path / "elsewhere")


def test_one_large_file_is_left_out_unless_it_is_wanted(repository: Path) -> None:
    (repository / "large.bin").write_bytes(b"\0" * (6 << 20))

    assert identify_code(repository).reasons == {"large.bin": "larger than 5 MiB"}
    assert identify_code(repository, keep=["*.bin"]).left_out == []


def test_a_patch_whose_place_is_not_in_the_commit_is_a_refusal_in_words(repository: Path, tmp_path: Path) -> None:
    found = identify_code(repository)
    patch = tmp_path / "patch"
    patch.write_bytes(b"diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-b = 7\n+b = 8\n")
    fresh = tmp_path / "fresh"
    fetch_commit(fresh, str(found.commit), [Source("repository", str(repository))], None)
    stage = {**describe_code(found, [], repository), "changes": {"a.py": "sha256:x"}}
    recorded: Any = SimpleNamespace(files={PATCH_FILE: patch}, archive=None)

    with pytest.raises(ProvenanceError, match=r"code/uncommitted\.patch: expected a patch that applies to the commit"):
        restore_changes(stage, recorded, fresh, [], repository, tmp_path / "scratch")


def plant_by_hook(root: Path, ran: Path) -> None:
    hook = root / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch '{ran}'\n", encoding="utf-8")
    hook.chmod(0o755)


def plant_by_pack_hook(root: Path, ran: Path) -> None:
    git("config", "uploadpack.packObjectsHook", f"touch '{ran}'; cat", cwd=root)


def plant_by_promisor(root: Path, ran: Path) -> None:
    """A repository that fetches what it has not by a command of its own."""
    for key, value in {
        "core.repositoryformatversion": "1", "extensions.partialClone": "origin", "remote.origin.promisor": "true",
        "remote.origin.url": str(root), "remote.origin.uploadpack": f"touch '{ran}'; git-upload-pack",
    }.items():  # fmt: skip
        git("config", key, value, cwd=root)


def plant_by_fsmonitor(root: Path, ran: Path) -> None:
    git("config", "core.fsmonitor", f"touch '{ran}'", cwd=root)
    git("config", "core.sshCommand", f"touch '{ran}'", cwd=root)
    git("config", "core.alternateRefsCommand", f"touch '{ran}'", cwd=root)


@pytest.mark.parametrize(
    "plant", [plant_by_hook, plant_by_pack_hook, plant_by_promisor, plant_by_fsmonitor], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("wanted", ["its own commit", "1" * 40, "--upload-pack=x"])
def test_nothing_that_a_recorded_repository_says_is_run(
    repository: Path, tmp_path: Path, plant: Callable[[Path, Path], None], wanted: str
) -> None:
    from samebits.history.fetching import holds_commit

    own = ask(repository, "rev-parse", "HEAD")
    ran = tmp_path / "ran"
    plant(repository, ran)
    ran.unlink(missing_ok=True)
    is_own = wanted == "its own commit"

    for number, address in enumerate([str(repository), str(repository / ".git"), f"file://{repository}"]):
        source = Source("recorded", address)
        assert holds_commit(source, own if is_own else wanted) is is_own
        if is_own:
            fetch_commit(tmp_path / f"fresh {number}", own, [source], address)
        else:
            with pytest.raises(ProvenanceError):
                fetch_commit(tmp_path / f"fresh {number}", wanted, [source], address)

    assert not ran.exists()


def test_a_pipe_among_the_objects_is_not_waited_for(repository: Path) -> None:
    from samebits.history.fetching import holds_commit

    own = ask(repository, "rev-parse", "HEAD")
    path = repository / ".git/objects" / own[:2] / own[2:]
    path.unlink()
    os.mkfifo(path)

    assert not holds_commit(Source("recorded", str(repository)), own)


def test_objects_that_go_by_another_id_than_theirs_are_not_believed(repository: Path, tmp_path: Path) -> None:
    """Objects are read as files, and files hold anything."""
    blob = ask(repository, "rev-parse", "HEAD:a.py")
    (tmp_path / "evil").write_bytes(b"a = 666\n")
    evil = ask(repository, "hash-object", "-w", str(tmp_path / "evil"))
    objects = repository / ".git/objects"
    path = objects / blob[:2] / blob[2:]
    path.unlink()
    path.write_bytes((objects / evil[:2] / evil[2:]).read_bytes())

    with pytest.raises(ProvenanceError):
        fetch_commit(tmp_path / "fresh", ask(repository, "rev-parse", "HEAD"), [Source("recorded", str(repository))], None)


def test_no_filter_of_the_callers_runs_in_a_restored_checkout(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / ".gitattributes").write_bytes(b"*.py filter=evil\n")
    commit(repository)
    (repository / "a.py").write_bytes(b"a = 2\n")
    found = identify_code(repository)
    settings = tmp_path / "gitconfig"
    command = f"touch '{tmp_path}/ran'; cat"
    settings.write_text(f'[filter "evil"]\nsmudge = "{command}"\nclean = "{command}"\nrequired = true\n', encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    fresh = tmp_path / "fresh"
    fetch_commit(fresh, str(found.commit), [Source("repository", str(repository))], None)
    patch = tmp_path / "patch"
    patch.write_bytes(found.patch)
    recorded: Any = SimpleNamespace(files={PATCH_FILE: patch}, archive=None)

    restore_changes(describe_code(found, [], repository), recorded, fresh, [], repository, tmp_path / "scratch")

    assert (fresh / "a.py").read_bytes() == b"a = 2\n"
    assert not (tmp_path / "ran").exists()


def test_what_the_environment_says_of_another_repository_reaches_no_git_of_ours(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other", {"theirs.py": b"t = 1\n"})
    git("checkout", "-q", "-b", "mine", cwd=other)
    index, head = ((other / ".git" / name).read_bytes() for name in ("index", "HEAD"))
    (repository / "a.py").write_bytes(b"a = 2\n")
    plain = identify_code(repository)
    places = {"DIR": ".git", "WORK_TREE": "", "INDEX_FILE": ".git/index", "OBJECT_DIRECTORY": ".git/objects", "COMMON_DIR": ".git"}
    for name, place in places.items():
        monkeypatch.setenv(f"GIT_{name}", str(other / place))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare'='true'")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")

    found = identify_code(repository)
    fetch_commit(tmp_path / "fetched", str(found.commit), [Source("repository", str(repository))], None)

    assert found == plain and (tmp_path / "fetched/a.py").read_bytes() == b"a = 1\n"
    assert ((other / ".git/index").read_bytes(), (other / ".git/HEAD").read_bytes()) == (index, head)
    assert os.environ["GIT_DIR"] == str(other / ".git")


def test_a_folder_that_the_caller_trusts_is_read_for_its_remotes_too(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("remote", "add", "origin", "https://example.org/x", cwd=repository)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert list_remotes(repository) == ["https://example.org/x"]  # by the caller's own settings
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    assert list_remotes(repository) == []
    for name, value in {"COUNT": "1", "KEY_0": "safe.directory", "VALUE_0": "*"}.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)

    assert list_remotes(repository) == ["https://example.org/x"]


@pytest.mark.parametrize(
    "address",
    [
        None,
        "sqlite:///{}/mlflow.db",
        "sqlite:///{}/runs/own.db",
        "SQLite+pysqlite:///{}/runs/own.db",
        "{}/mlruns",
        "https://example.org",
    ],
)
def test_the_store_that_runs_go_to_is_none_of_the_code(repository: Path, monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address.format(repository))
    names = [f"{name}{end}" for name in ("mlflow.db", "runs/own.db") for end in ("", ".lock", "-journal", "-wal", "-shm")]
    for name in [*names, "mlruns/1/meta.yaml", "mlartifacts/1/a.bin", "runs/mlruns/1/x", ".samebits/spool/1/x"]:
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_bytes(b"x")

    changed = identify_code(repository).changes

    is_own = address is not None and "own.db" in address
    assert set(changed) == (set() if is_own else {*names[5:], "runs/mlruns/1/x"})


def test_a_store_that_git_tracks_is_code_as_any_file(repository: Path) -> None:
    (repository / "mlflow.db").write_bytes(b"x")
    commit(repository)
    (repository / "mlflow.db").write_bytes(b"y")

    assert set(identify_code(repository).changes) == {"mlflow.db"}


def test_a_file_that_grows_while_it_is_read_is_kept_as_it_was_and_one_that_goes_is_named(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("grows.log", "goes.log", "other.log"):
        (repository / name).write_bytes(b"one\n")
    really = code.choose_kept

    def choose_late(*arguments: Any) -> Any:
        with (repository / "grows.log").open("ab") as file:
            file.write(b"two\n")
        (repository / "goes.log").unlink()
        (repository / "other.log").write_bytes(b"six\n")
        return really(*arguments)

    monkeypatch.setattr(code, "choose_kept", choose_late)

    found = identify_code(repository)

    assert found.changes == dict.fromkeys(["goes.log", "grows.log", "other.log"], digest_bytes(b"one\n"))
    assert found.reasons == dict.fromkeys(["goes.log", "other.log"], "it was changed while it was read")
    assert b"+one\n" in found.patch and b"two" not in found.patch and b"other.log" not in found.patch


def test_a_file_that_grows_or_goes_while_it_is_digested_refuses_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grows.log", "goes.log"):
        (repository / name).write_bytes(b"one\n")
    really = entries.start_object

    def start_late(kind: str, size_bytes: int, object_format: str) -> Any:
        with (repository / "grows.log").open("ab") as file:
            file.write(b"two\n")
        (repository / "goes.log").unlink(missing_ok=True)
        return really(kind, size_bytes, object_format)

    monkeypatch.setattr(entries, "start_object", start_late)

    found = identify_code(repository)

    assert "goes.log" not in found.patch.decode() and found.changes["grows.log"].startswith("sha256:")
    assert set(found.reasons) <= {"goes.log"}


@pytest.mark.parametrize("mode", [0o644, 0o755])
def test_a_file_system_that_keeps_no_executable_bit_changes_nothing(repository: Path, mode: int) -> None:
    (repository / "tool.sh").chmod(0o755)
    commit(repository)
    git("config", "core.fileMode", "false", cwd=repository)
    for path in (path for path in repository.rglob("*") if path.is_file() and ".git" not in path.parts):
        path.chmod(mode)

    assert identify_code(repository).changes == {}
