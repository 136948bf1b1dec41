"""Documents, models and patches as a stranger or an accident may hand them in: each a small change of a sound one, drawn from a seed.

Nothing here knows what samebits makes of them. Each function takes the generator first, so that the same seed gives the same case.
"""

from __future__ import annotations

import copy
import io
import json
import math
import random
import stat
import zipfile
from collections.abc import Callable
from typing import Any

import yaml

Rng = random.Random
ESCAPE = "\x1b[8m\x1b]0;owned\x07"
ODD_TEXTS = [
    *("", " ", "\x00", "a\x00b", "\x01", "\x7f", "\x85", "\x9b31m", ESCAPE, "\r", "a\nverdict     IDENTICAL\n", "\u202egnp.exe", "\u2066x\u2069"),
    *("\ufeff", "\u2028", "\ufffe", "\U0001f4a9", "e\u0301", "\u0130", "\u00df", "\ud800", "%s%n{0}", "$(id)", "`id`", "'; --", "<b>", "[x](y)"),
    *("..", "../..", "../../../../etc/passwd", "/", "/etc/passwd", "/dev/zero", "/dev/stdin", "/proc/self/environ", "~", "~nobody-here/x", "-", "--"),
    *("C:\\x", "file:///etc/passwd", "http://u:SECRET@127.0.0.1:9/x", "ext::sh -c id", "a" * 300, "a" * 5000, "9" * 5000, "1e999", "nan", "NaN"),
    *("os.system", "subprocess.Popen", "sklearn.tree.DecisionTreeClassifier", "samebits.__main__", "sklearn", ".", ".a", "a.", "yes", "null", "0x1f"),
]  # fmt: skip
ODD_NUMBERS = [
    0,
    -1,
    1,
    2,
    3,
    -0.0,
    0.1,
    0.5,
    1.0,
    1e-320,
    1e308,
    math.inf,
    -math.inf,
    math.nan,
    2**31,
    2**32,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63),
]
ODD_NUMBERS += [10**30, 10**400, 1_000_000]
_ODD_PIECES = [
    *("\x00", "\x1b[2J", "\x07", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "\t", "\r", "\r\n", "\n", "\n---\n", "\n...\n", "&a ", "*a", "&a [*a]"),
    *("<<: *a\n", "? ", ": ", "- ", "|", ">", "!!python/object/apply:os.system ['id']", "!!binary 'AA=='", "!!set {a}", "!!timestamp 2020-01-01", "!x "),
    *("%TAG ! x\n", "%YAML 9.9\n", "{", "}", "[", "]", "'", '"', "\\", "#", "@", "`", "0o7", "1:30:00", "2020-02-30", ".inf", "1_000", "~", "=", '"""'),
    *("[" * 200, "{a: " * 200, "[" * 20000, '{"a":' * 3000, "- " * 500, "9" * 5000, "1e999", "x" * 100_000, "\ud800", "\\ud800", "\\x00", "\\u0000"),
]  # fmt: skip


def draw_odd_value(rng: Rng, depth: int = 0) -> Any:
    """Return a value that a place of a document was not made for."""
    kinds: list[Callable[[], Any]] = [
        lambda: rng.choice(ODD_TEXTS),
        lambda: rng.choice(ODD_NUMBERS),
        lambda: rng.choice([None, True, False]),
        lambda: rng.choice([[], {}, [[]], {"a": {}}, [None], {"": 1}, nest(rng.choice([20, 120]))]),
        lambda: [draw_odd_value(rng, depth + 1) for _ in range(rng.randint(1, 4))],
        lambda: {rng.choice(ODD_TEXTS): draw_odd_value(rng, depth + 1) for _ in range(rng.randint(1, 3))},
    ]
    return rng.choice(kinds[:3] if depth > 2 else kinds)()


def nest(depth: int) -> Any:
    """Return a list in a list, so many deep."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def mutate_value(rng: Rng, value: Any, times: int = 1) -> Any:
    """Return a copy of a document with so many places changed: another value, another key, one more, one less, two exchanged."""
    changed = copy.deepcopy(value)
    for _ in range(times):
        _mutate_place(rng, *rng.choice(_list_places(changed)))
    return changed


def _list_places(value: Any) -> list[tuple[Any, Any]]:
    """Return each container of a document with each of its keys or numbers."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in _list_places(value[key])]


def _mutate_place(rng: Rng, holder: Any, key: Any) -> None:
    change = rng.choice(["replace"] * 6 + ["delete", "rename", "add", "wrap", "repeat", "exchange"])
    if change == "delete":
        del holder[key]
    elif change == "rename" and isinstance(holder, dict):
        holder[rng.choice(ODD_TEXTS)] = holder.pop(key)
    elif change == "add" and isinstance(holder, dict):
        holder[rng.choice(ODD_TEXTS)] = draw_odd_value(rng)
    elif change == "wrap":
        holder[key] = rng.choice([[holder[key]], {"a": holder[key]}, str(holder[key])])
    elif change == "repeat" and isinstance(holder, list):
        holder[key:key] = [holder[key]] * rng.choice([1, 2, 1000])
    elif change == "exchange":
        other = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other] = holder[other], holder[key]
    else:
        holder[key] = draw_odd_value(rng)


def mutate_text(rng: Rng, text: str) -> bytes:
    """Return a text with a piece put in, taken out, doubled or exchanged, or in another encoding."""
    at, end = sorted(rng.randint(0, len(text)) for _ in range(2))
    end = min(end, at + rng.choice([1, 5, 80, 10_000]))
    changed = rng.choice(
        [
            text[:at] + rng.choice(_ODD_PIECES) + text[at:],
            text[:at] + rng.choice(_ODD_PIECES) + text[end:],
            text[:at] + text[end:],
            text[:at] + text[at:end] * 2 + text[end:],
            text[:at],
            text.replace("\n", rng.choice(["\r\n", "\r", "\n\n", "\x85", "\u2028"])),
            text + rng.choice(_ODD_PIECES) + text,
            make_laughing_text(rng.choice([5, 9, 30])) + text,
        ]
    )
    content = changed.encode(rng.choice(["utf-8"] * 12 + ["utf-8-sig", "utf-16", "utf-32"]), "surrogatepass")
    return content if rng.random() < 0.9 else mutate_bytes(rng, content)


def make_laughing_text(depth: int) -> str:
    """Return YAML of few bytes that stands for nine to the power of its depth of values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, depth)]
    return "\n".join(lines) + "\n"


def mutate_bytes(rng: Rng, content: bytes, times: int = 1) -> bytes:
    """Return bytes with some flipped, cut out, put in, or cut off."""
    for _ in range(times):
        at = rng.randint(0, max(0, len(content) - 1))
        new = bytes(rng.randrange(256) for _ in range(rng.choice([1, 1, 4, 100])))
        end = at + rng.choice([len(new), len(new), 0, 50])
        content = rng.choice([content[:at] + new + content[end:]] * 4 + [content[:at], content[:at] + content[end:]])
    return content


def write_document(value: Any, suffix: str) -> str:
    """Return a document in one of the three languages of configs, with what that language has for an odd value."""
    if suffix == ".json":
        return json.dumps(value, default=str)
    if suffix == ".toml":
        return "".join(f"{_quote(key)} = {_write_toml(one)}\n" for key, one in value.items() if one is not None)
    try:
        return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
    except (yaml.YAMLError, RecursionError):
        return json.dumps(value, default=str)


def _write_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quote(key)} = {_write_toml(one)}" for key, one in value.items() if one is not None) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_write_toml(one) for one in value if one is not None) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value, default=str)


def _quote(key: Any) -> str:
    return json.dumps(str(key))


def mutate_model(rng: Rng, content: bytes) -> bytes:
    """Return a model file (a zip of a schema and arrays) that was damaged, or made to harm who opens it."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    kind = rng.choice(
        ["bytes", "truncate", "schema", "schema", "schema", "array", "bomb", "member", "double", "drop", "link", "nest", "many"]
    )
    if kind in ("bytes", "truncate"):
        return mutate_bytes(rng, content, rng.choice([1, 5])) if kind == "bytes" else content[: rng.randrange(len(content))]
    if kind == "schema":
        members = [(name, _mutate_schema(rng, one) if name == "schema.json" else one) for name, one in members]
    elif kind == "array":
        chosen = rng.randrange(len(members))
        members[chosen] = (members[chosen][0], mutate_bytes(rng, members[chosen][1][:400], 3) + members[chosen][1][400:])
    elif kind == "bomb":
        return _write_bomb(rng, members)
    elif kind == "member":
        members.append(
            (rng.choice(["/tmp/owned", "../owned", "..\\owned", "a/../../owned", "\x1b[2J", "C:\\owned", "a" * 5000]), b"x")
        )
    elif kind == "double":
        members.append((rng.choice(members)[0], mutate_bytes(rng, rng.choice(members)[1])))
    elif kind == "drop":
        members.pop(rng.randrange(len(members)))
    elif kind == "nest":
        members.append(("inner.skops", content))
    elif kind == "many":
        members += [(f"{number}.npy", b"") for number in range(rng.choice([1000, 70_000]))]
    return _write_members(members, link=kind == "link")


def _mutate_schema(rng: Rng, content: bytes) -> bytes:
    if rng.random() < 0.3:
        return mutate_text(rng, content.decode())
    return json.dumps(mutate_value(rng, json.loads(content), rng.choice([1, 1, 3]))).encode("utf-8", "surrogatepass")


def _write_members(members: list[tuple[str, bytes]], link: bool = False) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
        if link:
            entry = zipfile.ZipInfo("link.npy")
            entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, "/etc/passwd")
    return written.getvalue()


def _write_bomb(rng: Rng, members: list[tuple[str, bytes]]) -> bytes:
    """Return a small file that unpacks to much: one of its members, or its schema, is so many MiB of one byte."""
    method = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    chosen, n_mib = rng.choice(members)[0], rng.choice([50, 400, 1500])
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, content in members:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content[:128] if name == chosen else content)
                for _ in range(n_mib if name == chosen else 0):
                    member.write(b" " * (1 << 20) if name == "schema.json" else bytes(1 << 20))
    return written.getvalue()


_ODD_PATHS = [
    "../owned",
    "/tmp/owned",
    ".git/config",
    ".git/hooks/post-checkout",
    ".GIT/config",
    "git~1/config",
    ".git\u200c/config",
    "a/../../owned",
]
_ODD_PATHS += [
    "src/samebits/__main__.py",
    "uv.lock",
    "pyproject.toml",
    "a" * 300,
    "\x1b[2J",
    "a b",
    '"a\\n"',
    ".gitattributes",
    ".gitmodules",
    "con\\x",
]


def mutate_patch(rng: Rng, content: bytes) -> bytes:
    """Return a patch that does not apply, or writes where a patch has no business, or more than anybody wants."""
    added = write_patch(
        rng.choice(_ODD_PATHS), rng.choice(["x", ESCAPE, "y" * 100]), rng.choice(["100644", "100755", "120000", "160000", "040000"])
    )
    return rng.choice(
        [
            lambda: mutate_bytes(rng, content, 3),
            lambda: mutate_text(rng, content.decode("utf-8", "replace")),
            lambda: content + added,
            lambda: added,
            lambda: added + added,
            lambda: content + content,
            lambda: content.replace(b"\n ", b"\n -", 1),
            lambda: write_link_patch(rng),
            lambda: write_patch("large", "x" * 60 + "\n" * 1_000_000),
            lambda: _write_renaming_patch(rng.choice(_ODD_PATHS)),
            lambda: (
                b"diff --git a/b b/b\nnew file mode 100644\nindex 0000000..1111111\nGIT binary patch\nliteral 99999999999\nzcmZ\n\n"
            ),
        ]
    )()


def write_patch(path: str, text: str, mode: str = "100644") -> bytes:
    """Return a patch that makes one file of one line."""
    head = f"diff --git a/{path} b/{path}\nnew file mode {mode}\nindex 0000000..1111111\n--- /dev/null\n+++ b/{path}\n"
    lines = text.split("\n")
    return (head + f"@@ -0,0 +1,{len(lines)} @@\n" + "".join(f"+{line}\n" for line in lines)).encode()


def write_link_patch(rng: Rng) -> bytes:
    """Return a patch that makes a link to a place outside, and then writes through it."""
    target = rng.choice(["/tmp", "..", "/etc", ".git", "../../.."])
    link = f"diff --git a/l b/l\nnew file mode 120000\nindex 0000000..1111111\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+{target}\n"
    return f"{link}\\ No newline at end of file\n".encode() + write_patch("l/owned", "x")


def _write_renaming_patch(path: str) -> bytes:
    return f"diff --git a/uv.lock b/{path}\nsimilarity index 100%\nrename from uv.lock\nrename to {path}\n".encode()
