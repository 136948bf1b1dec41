"""Whose code is about to run: said before anything of a run is brought back, and asked, unless this user made the run here.

A server's word is not enough for that, since whoever may write to it chooses the words: this machine's own journal is, together
with the record that was held to it. What was trusted runs as the caller, with the caller's files: nothing here is a sandbox.
"""

from __future__ import annotations

import sys
from typing import Any

from samebits.digests import digest_bytes
from samebits.errors import Problem, ProvenanceError
from samebits.text import shorten_text, warn
from samebits.trust.own_runs import is_own_run
from samebits.trust.variables import name_secrets

MADE_AGAIN = (
    "Its code, its packages and their build scripts would run here as you, with your files",
    "Make it again?",
    "Nothing was brought back.",
)
LOADED = ("The code that its model is made of would run here as you, with your files", "Load it?", "Nothing of it was run.")
REGISTERED = ("Its own config says under which name, alias and rule, in your name", "Register it?", "Nothing was registered.")


def require_trust(
    run_id: str,
    lineage_bytes: bytes,
    lineage: dict[str, Any],
    addresses: list[str],
    is_trusted: bool,
    purpose: tuple[str, str, str] = MADE_AGAIN,
) -> None:
    """Return where the caller trusts a run, by a word given before, by an answer now, or since it is the caller's own.

    Parameters
    ----------
    lineage_bytes
        The lineage as it stands on the server, and as the run was held to.
    addresses
        Of the tracking server and of its artifacts.
    is_trusted
        Whether the caller said so on the command line.
    purpose
        What would happen, the question, and what is said after a no: `MADE_AGAIN`, `LOADED` or `REGISTERED`.

    Raises
    ------
    ProvenanceError
        The caller does not, or cannot be asked.
    """
    if is_trusted or is_own_run(run_id, digest_bytes(lineage_bytes)):
        return
    consequence, question, refusal = purpose
    found = f"one that this user did not make on this machine ({describe_owner(lineage)})"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        remedy = f"{consequence}. If you trust them: --yes."
        raise ProvenanceError(Problem(f"run {run_id}", "a run to be trusted", found, remedy))
    warn(*list_warnings(run_id, lineage, addresses, consequence))
    if not _ask(f"{question} [y/N] "):
        raise ProvenanceError(Problem(f"run {run_id}", "a run to be trusted", found, refusal))


def describe_owner(lineage: dict[str, Any]) -> str:
    """Return in a few words whose code a run says that it ran; all of it is the record's word."""
    code, run = lineage["stages"]["code"], lineage["run"]
    commit = f"commit {str(code['commit'])[:12]}" if code["commit"] else "no commit"
    remote = f" of {shorten_text(str(code['remote']), 80)}" if code.get("remote") else ""
    changes = f", {len(code['changes'])} uncommitted files" if code["changes"] else ""
    return f"recorded by {shorten_text(str(run.get('user', 'nobody')))}, {commit}{remote}{changes}"


def list_warnings(run_id: str, lineage: dict[str, Any], addresses: list[str], consequence: str = MADE_AGAIN[0]) -> list[str]:
    """Return what a caller should know before the answer, by lines."""
    handed = name_secrets(addresses)
    return [
        f"Run {run_id} was not made by you on this machine: {describe_owner(lineage)}.",
        f"{consequence}.",
        *([f"It is given what the server and the packages' index ask for: {', '.join(handed)}."] if handed else []),
    ]


def _ask(question: str) -> bool:
    warn(question)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
