"""The code that is served with a model: of the modules that a config allows, the bytes that ran, whatever lies on the disk by now.

Of a package's other files only those that are on record with the run go with it: what Git ignores, what holds a secret and what was
edited since stays here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from samebits.provenance.code import CodeIdentity
from samebits.provenance.imports import list_noted
from samebits.provenance.modules import list_files, name_on_record, name_stray
from samebits.provenance.patches import matches
from samebits.secret_files import find_secret_name


def collect_served_code(allow: Sequence[str], code: CodeIdentity, project_root: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    """Return the files of the allowed modules that no installer brings, by their place on the path; and why others are left out."""
    served: dict[str, bytes] = {}
    left_out: dict[str, str] = {}
    for place, path, content in [*_list_that_ran(allow), *_list_others(allow, project_root)]:
        if place in served or place in left_out:
            continue
        reason = _find_reason(code, path, place, content)
        if reason is None:
            served[place] = content
        else:
            left_out[place] = reason
    return dict(sorted(served.items())), dict(sorted(left_out.items()))


def _list_that_ran(allow: Sequence[str]) -> Iterator[tuple[str, Path, bytes]]:
    """An allowed module needs the packages above it as well."""
    for fullname, place, path, content in list_noted():
        is_above = path.name == "__init__.py" and any(name.startswith(f"{fullname}.") for name in allow)
        if is_above or any(fullname == name or fullname.startswith(f"{name}.") for name in allow):
            yield place, path, content


def _list_others(allow: Sequence[str], project_root: Path) -> Iterator[tuple[str, Path, bytes]]:
    for name in allow:
        for path, place in list_files(name, project_root, suffixes=("",)):
            if "__pycache__" not in path.parts and ".git" not in path.parts:
                with contextlib.suppress(OSError):
                    yield place, path, path.read_bytes()


def _find_reason(code: CodeIdentity, path: Path, place: str, content: bytes) -> str | None:
    """Return why a file is not served; None where what it holds is kept with the run, or stands in the commit."""
    key = name_stray(code, path, place, content)
    if key is not None:
        return None if code.module_files.get(key) == content else code.reasons.get(key, "it is not on record")
    reason = code.reasons.get(name_on_record(code, path))
    return reason or (None if any(matches(place, pattern) for pattern in code.keep) else find_secret_name(place))
