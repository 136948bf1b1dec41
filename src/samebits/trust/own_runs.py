"""The runs that this user made on this machine, each with the digest of its lineage: a journal that nobody can write to by a server.

A run that stands in it needs no question before it is made again: its lineage is the one that was written here, and what the
lineage names is held to it.
"""

from __future__ import annotations

import re

from samebits.private_files import read_private, write_private


def note_own_run(run_id: str, lineage_digest: str) -> None:
    """Note a finished run as made here, under the digest of its lineage's bytes; where no such note can be kept, none is."""
    if re.fullmatch(r"[0-9a-f]{32}", run_id):
        write_private("state", f"made/{run_id}", lineage_digest.encode("ascii"))


def is_own_run(run_id: str, lineage_digest: str) -> bool:
    """Tell whether this user made a run on this machine, and its lineage has the same bytes still."""
    if not re.fullmatch(r"[0-9a-f]{32}", run_id):
        return False
    return read_private("state", f"made/{run_id}") == lineage_digest.encode("ascii")
