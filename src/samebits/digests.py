"""SHA-256 digests of bytes, files, folders and plain values, always written `sha256:<hex>`.

A value is digested as canonical JSON: keys sorted, no spaces, UTF-8, floats as their shortest exact text (Python's repr, as
RFC 8785 asks of a serialiser). Nothing here knows what is being digested; models have a module of their own, `fingerprint`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from samebits.plain_files import open_plain

PREFIX = "sha256:"
_READ_BYTES = 1 << 20
_DIGEST = re.compile(rf"{PREFIX}[0-9a-f]{{64}}")


def is_digest(text: str) -> bool:
    """Tell whether a text is a digest as it is written here.

    >>> is_digest(f"sha256:{'0' * 64}"), is_digest("sha256:ab/tmp/x")
    (True, False)
    """
    return _DIGEST.fullmatch(text) is not None


def canonical_json(value: Any) -> bytes:
    """Write a plain value (None, bool, int, float, str, list, dict) as the same bytes wherever it is equal.

    Infinities and NaN, which JSON has not, become the strings "Infinity", "-Infinity" and "NaN".

    >>> canonical_json({"b": [1.0, None], "a": "é"}).decode()
    '{"a":"é","b":[1.0,null]}'
    """
    text = json.dumps(_finite(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {str(key): _finite(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return value


def digest_bytes(content: bytes | memoryview) -> str:
    """Return the digest of the bytes given.

    >>> digest_bytes(b"")
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    return PREFIX + hashlib.sha256(content).hexdigest()


def digest_value(value: Any) -> str:
    """Return the digest of a plain value's canonical JSON."""
    return digest_bytes(canonical_json(value))


def digest_file(path: Path) -> str:
    """Return the digest of all bytes of a regular file, read in constant memory.

    Raises
    ------
    OSError
        It is no such file, or changes its size while it is read.
    """
    sha256 = hashlib.sha256()
    buffer = memoryview(bytearray(_READ_BYTES))
    with open_plain(path) as file:
        left = os.fstat(file.fileno()).st_size
        while count := file.readinto(buffer):  # type: ignore[attr-defined]
            sha256.update(buffer[:count])
            left -= count
            if left < 0:
                raise OSError(errno.EBUSY, "a file that grows while it is read", str(path))
    if left:
        raise OSError(errno.EBUSY, "a file that shrinks while it is read", str(path))
    return PREFIX + sha256.hexdigest()


def list_files(folder: Path) -> list[Path]:
    """Return every regular file below a folder, sorted by its path as bytes; hidden ones and byte code are left out."""
    found = [
        Path(root, name)
        for root, folders, names in os.walk(folder)
        for name in names
        if not _is_incidental(Path(root, name).relative_to(folder))
    ]
    return sorted(found, key=lambda path: os.fsencode(path.relative_to(folder).as_posix()))


def _is_incidental(path: Path) -> bool:
    return path.suffix == ".pyc" or any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def digest_manifest(entries: Iterable[tuple[str, str]]) -> str:
    """Return the digest of a set of files: of their manifest."""
    return digest_bytes(write_manifest(entries))


def write_manifest(entries: Iterable[tuple[str, str]]) -> bytes:
    """Return the manifest of a set of files: (name, digest) pairs, one a line as `sha256sum` writes them, the lines sorted."""
    lines = sorted(f"{digest.removeprefix(PREFIX)}  {name}\n" for name, digest in entries)
    return "".join(lines).encode("utf-8", "surrogateescape")


def digest_folder(folder: Path) -> str:
    """Return the digest of a folder: of the sorted manifest of its files (see `list_files` for which)."""
    return digest_manifest((path.relative_to(folder).as_posix(), digest_file(path)) for path in list_files(folder))
