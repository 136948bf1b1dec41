"""How far a run is proved, in one line of its description, written anew whenever something proves the run or does not."""

from __future__ import annotations

import re
from collections.abc import Mapping

from samebits.text import escape_markdown
from samebits.verdicts import Level

NOTE_TAG = "mlflow.note.content"
_BEGINNING = "**Trusted?** "


def describe_standing(tags: Mapping[str, str]) -> str:
    """Return the end of a line: what a run's tags say of how far it is proved, and of the code that it ran.

    >>> describe_standing({"git_commit": "0123456789abcdef" * 4, "git_dirty": "false"})
    '**Trusted?** L0 recorded; `01234567` clean'
    """
    made = f", {tags['verdict']} {tags.get('verdict_time', '')[:10]}".rstrip() if tags.get("verdict") else ""
    held = f", record {tags['verified']} {tags.get('verified_time', '')[:10]}".rstrip() if tags.get("verified") and not made else ""
    commit = tags.get("git_commit", "none")
    commit = commit if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit) else "none"
    tree = "dirty" if tags.get("git_dirty") == "true" else "clean"
    code = "no commit" if commit == "none" else f"`{commit[:8]}` {tree}"
    proved = escape_markdown(f"{tags.get('level', Level.L0)}{made}{held}")
    return f"{_BEGINNING}{proved}; {code}"


def renew_standing(description: str, tags: Mapping[str, str]) -> str:
    """Return a description whose line says what a run's tags say now; one that has no such line stays as it is."""
    line = rf"(?m)^(- |.* · ){re.escape(_BEGINNING)}.*$"
    return re.sub(line, lambda found: f"{found[1]}{describe_standing(tags)}", description, count=1)
