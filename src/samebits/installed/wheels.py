"""A wheel packed again from what it unpacked to, so that who has none of its own can install the same files.

The same files make the same bytes: members are sorted, and have one time and one mode. What an installer made of the wheel (scripts,
byte code, its notes) is not in it, and an installer makes that again.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from samebits.digests import digest_bytes
from samebits.installed.distributions import Distribution, read_record, take_digests, write_hash

_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip file can say
_TAG = re.compile(r"^Tag: ([\w.]+-[\w.]+-[\w.]+)\s*$", flags=re.MULTILINE)


def pack_wheel(distribution: Distribution, files: Mapping[str, Path]) -> tuple[str, bytes]:
    """Return the name and the bytes of a wheel with some files, by their paths in it, and a RECORD of them.

    Parameters
    ----------
    files
        Its `.dist-info` folder among them.
    """
    info = next(path.partition("/")[0] for path in files if path.endswith(".dist-info/METADATA"))
    contents = {path: place.read_bytes() for path, place in sorted(files.items())}
    lines = [f"{_quote(path)},{write_hash(digest_bytes(content))},{len(content)}" for path, content in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode("utf-8")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, content in contents.items():
            member = zipfile.ZipInfo(path, _TIME)
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content, zipfile.ZIP_DEFLATED, 9)
    tag = _compress_tags(contents.get(f"{info}/WHEEL", b"").decode("utf-8", "replace"))
    return f"{distribution.name.replace('-', '_')}-{distribution.version}-{tag}.whl", packed.getvalue()


def read_wheel_files(content: bytes) -> dict[str, str]:
    """Return the digest of each file of a wheel, as its RECORD has it; empty where it is no wheel."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            name = next(name for name in archive.namelist() if name.endswith(".dist-info/RECORD"))
            return take_digests(read_record(archive.read(name).decode("utf-8")))
    except (zipfile.BadZipFile, StopIteration, ValueError):
        return {}


def _compress_tags(described: str) -> str:
    """Return as one what a wheel says of the Pythons, interfaces and platforms that it is for."""
    parts = zip(*(tag.split("-") for tag in _TAG.findall(described) or ["py3-none-any"]), strict=True)
    return "-".join(".".join(dict.fromkeys(part)) for part in parts)


def _quote(path: str) -> str:
    return f'"{path}"' if "," in path else path
