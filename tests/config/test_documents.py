from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from samebits.config.documents import parse_document, read_document
from samebits.digests import digest_bytes, digest_file
from samebits.errors import ConfigError, Problem


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("-.5", -0.5),
        (".inf", float("inf")),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("NA", "NA"),
        ("2026-11-01", "2026-11-01"),
        ("12:30", "12:30"),
        ("010", 10),
        ("0x1F", 31),
        ("~", None),
        ("true", True),
        ("2026.11.0", "2026.11.0"),
    ],
)
def test_yaml_scalars_follow_the_core_schema_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    document = read_document(write(tmp_path, "a.yaml", f"key: {text}\n"))

    assert document.value == {"key": value}
    assert type(document.value["key"]) is type(value)


def test_every_key_knows_its_line(tmp_path: Path) -> None:
    yaml_path = write(tmp_path, "a.yaml", "# comment\na: 1\nb:\n  c:\n    - d: 2\n")
    toml_path = write(tmp_path, "a.toml", "a = 1\n\n[b]\n# comment\nc = 2\n'd'.e = 3\n")
    json_path = write(tmp_path, "a.json", '{\n\t"a": 1,\n\t"b": {\n\t\t"c": 2}}\n')

    assert read_document(yaml_path).locate(("b", "c", 0, "d")) == f"{yaml_path}:5: b.c.0.d"
    assert read_document(toml_path).locate(("b", "c")) == f"{toml_path}:5: b.c"
    assert read_document(toml_path).locate(("b", "d", "e")) == f"{toml_path}:6: b.d.e"
    assert read_document(json_path).locate(("b", "c")) == f"{json_path}:4: b.c"


def test_a_missing_key_is_placed_at_the_nearest_section(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: 1\nb: {}\n")

    assert read_document(path).locate(("b", "c", "d")) == f"{path}:2: b.c.d"


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_a_key_that_stands_twice_is_refused_with_both_lines(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, '{"a": 1,\n"b": {"c": 1,\n"c": 2}}')

    with pytest.raises(ConfigError, match=r":3: b\.c: expected each key once, found it also on line 2"):
        read_document(path)


def test_merge_keys_and_aliases_are_followed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "base: &base {x: 1, y: 2}\nown:\n  <<: *base\n  y: 3\n")

    assert read_document(path).value["own"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.yaml", "a: [1,\n", r"a\.yaml:2: expected YAML"),
        ("a.yaml", "a: !!python/object/apply:os.system [ls]\n", r"a\.yaml:1: expected YAML"),
        ("a.yaml", "&a [*a]\n", "alias that contains itself"),
        ("a.yaml", b"a: \xff\n", "expected UTF-8 text, found byte 0xff"),
        ("a.toml", "a = \n", r"a\.toml:1: expected TOML"),
        ("a.json", '{"a": }', r"a\.json:1: expected JSON"),
        ("a.yaml", "? [a]\n: 1\n", "a key that is no plain text"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_one_sentence(tmp_path: Path, name: str, content: str | bytes, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        read_document(write(tmp_path, name, content))


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found no such file"):
        read_document(tmp_path / "nope.yaml")
    with pytest.raises(ConfigError, match="found a folder"):
        read_document(tmp_path)


def test_a_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", b"\xef\xbb\xbfa: 1\r\nb: x\r\n")

    assert read_document(path).value == {"a": 1, "b": "x"}


def test_a_config_is_recorded_as_it_was_read_whatever_becomes_of_the_file(write_config: Callable[..., Path]) -> None:
    from samebits.config.loading import check_config
    from samebits.training.stages import describe_config

    path = write_config({})
    before = digest_file(path)
    loaded = check_config(path)

    path.write_text("edited while the run trains\n", encoding="utf-8")

    assert digest_bytes(loaded.document.content) == before
    assert describe_config(loaded, path.parent)["file_digest"] == before


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("data.target", "a.yaml:2: data.target"),
        ("data.rows.0.keep", "a.yaml:4: data.rows.0.keep"),
        ("models.ridge, fold 1 of cv", "a.yaml:6: models.ridge, fold 1 of cv"),
        ("split by the values of the target", "a.yaml:7: split by the values of the target"),
        ("cv", "cv"),
        ("target 'y'", "target 'y'"),
        ("data/raw/a.csv", "data/raw/a.csv"),
        ("a.yaml:2: data.target", "a.yaml:2: data.target"),
    ],
)
def test_a_problem_that_begins_with_a_key_gets_the_line_of_the_key(where: str, expected: str) -> None:
    text = "data:\n  target: y\n  rows:\n    - keep: {a: 1}\nmodels:\n  ridge: {}\nsplit: {method: order}\n"
    document = parse_document(Path("a.yaml"), text)

    assert document.place(Problem(where, "one", "another", "Change it.")).where == expected


@pytest.mark.parametrize(
    ("name", "text", "where", "expected"),
    [
        ("a.toml", "[models.ridge]\nalpha = 1\n", "models.ridge, fold 1 of cv", "a.toml:1: models.ridge, fold 1 of cv"),
        ("a.toml", "[[data.rows]]\nfirst = 1\n[[data.rows]]\nfirst = 2\n", "data.rows.0", "a.toml:1: data.rows.0"),
        ("a.toml", "[[data.rows]]\nfirst = 1\n[[data.rows]]\nfirst = 2\n", "data.rows.1.first", "a.toml:4: data.rows.1.first"),
        ("a.yaml", "ratios:\n  mean: 1\n  mean area: 2\n", "ratios.mean area", "a.yaml:3: ratios.mean area"),
        ("a.yaml", "ratios:\n  '2024': 1\n", "ratios.2024", "a.yaml:2: ratios.2024"),
        ("a.yaml", "ratios:\n  '²': 1\n", "ratios.²", "a.yaml:2: ratios.²"),
        ("data.yaml", "data:\n  positive: 1\n", "data.yaml:2: data.positive", "data.yaml:2: data.positive"),
    ],
)
def test_the_line_is_that_of_the_longest_key(name: str, text: str, where: str, expected: str) -> None:
    document = parse_document(Path(name), text)

    assert document.place(Problem(where, "one", "another", "Change it.")).where == expected


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
MERGED = "a0: &a0 {a: 1, b: 2}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.yaml", LAUGHS, "more than 50000 values, aliases followed"),
        ("a.yaml", MERGED, "more than 50000 values, aliases followed"),
        ("a.yaml", "- a\n" * 200_000, "more than 50000 values"),
        ("a.json", f"[{'1,' * 200_000}1]", "more than 50000 values"),
        ("a.toml", f"a = [{'1,' * 200_000}1]", "at most 50000 values, found more"),
        ("a.toml", "[a.b]\n" * 200_000, "at most 50000 values, found more"),
        ("a.toml", f"{'a.' * 500_000}a = 1", "at most 50 levels deep, found deeper ones"),
        ("a.yaml", f"{'{a: ' * 60}1{'}' * 60}", "at most 50 levels deep, found deeper ones"),
        ("a.yaml", "[" * 100_000, "found nesting without end"),
        ("a.json", "[" * 100_000, "found nesting without end"),
        ("a.toml", f"a = {'[' * 20_000}", "found nesting without end"),
        ("a.yaml", f"a: {'9' * 5000}", "an integer of more than 300 digits"),
        ("a.yaml", f"a: 0x{'f' * 5000}", "an integer of more than 300 digits"),
        ("a.json", f'{{"a": {"9" * 5000}}}', "integers of at most 300 digits"),
        ("a.json", f'{{"a": {"9" * 400}}}', "integer"),
        ("a.toml", f"a = {'9' * 5000}", "integers of at most 300 digits"),
        ("a.toml", f"a = 0x{'f' * 5000}", "integers of at most 300 digits"),
        ("a.yaml", "x: 1\nname: a\x01b\n", r"a\.yaml:2: expected text, found the control character '\\x01'"),
        ("a.yaml", "name: a\x1b\n", "found the control character"),
        ("a.yaml", "a\x00: 1\n", "found the control character"),
        ("a.json", '{"a\x00": 1}', "JSON"),
        ("a.toml", "a = '\x00'", "TOML"),
        ("a.yaml", 'a: "\\ud800"', "half of a surrogate pair"),
        ("a.json", '{"\\ud800": 1}', "half of a surrogate pair"),
    ],
)
def test_a_document_without_end_is_refused_in_one_sentence(tmp_path: Path, name: str, text: str, expected: str) -> None:
    path = write(tmp_path, name, text)

    with pytest.raises(ConfigError, match=expected) as raised:
        read_document(path)

    assert len(str(raised.value).splitlines()) == 1


def test_many_aliases_of_little_are_no_flood(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "a: &a [1, 2, 3]\nb: [" + ", ".join(["*a"] * 1000) + "]\n")

    assert len(read_document(path).value["b"]) == 1000


@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "socket"])
def test_a_config_is_a_regular_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.yaml"
    {
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "loop": lambda: path.symlink_to(path),
        "socket": lambda: socket.socket(socket.AF_UNIX).bind(str(path)),
    }[kind]()

    with pytest.raises(ConfigError, match=r"expected a readable file, found (a named pipe|a device|Too many levels|a socket)"):
        read_document(path)
