"""docs/security.md against the code: a limit that is changed in one of them alone is found."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT

from samebits import bounds, text
from samebits.commands import diff, verify
from samebits.config import documents
from samebits.differences import contents, tables
from samebits.history import checkout, fetching, runner
from samebits.holdings import downloads
from samebits.lineage import manifest
from samebits.model import check, expansion
from samebits.table import formats

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
LIMITS = {
    "a config": (documents.MAX_BYTES >> 20, documents.MAX_NODES, documents.MAX_DEPTH, bounds.MAX_DIGITS),
    "a lineage, a report, an archive's manifest": (
        manifest.MAX_BYTES >> 20,
        manifest.MAX_VALUES,
        manifest.MAX_LEVELS,
        bounds.MAX_DIGITS,
        bounds.NAME_LETTERS,
    ),
    "the differences that `diff --json` lists": (diff.MOST_LISTED,),
    "artifacts of a run": (manifest.MAX_ARTIFACTS, downloads.SPARE_BYTES >> 20),
    "a model file that is expanded": (expansion.MOST_MEMBERS, expansion.LEAST_EXPANDED_BYTES >> 20, expansion.EXPANSION_RATIO),
    "the process that loads a model for `verify`": (
        *(check.MEMORY_BYTES >> 30, check.MEMORY_RATIO, check.SECONDS, check.SECONDS_PER_MEBIBYTE),
    ),
    "a model that `verify` loads unasked": (verify._LOADED_BYTES >> 20,),
    "a table that `diff` compares by row": (formats.MOST_COMPARED_BYTES >> 30, tables.MOST_CELLS),
    "a recorded patch that `diff` applies": (contents._MOST_PATCH_BYTES >> 20,),
    "Git, at a recorded commit, bundle or patch": (
        *(runner.MOST_MEMORY_BYTES >> 30, fetching.MOST_LISTED_BYTES >> 20),
        *(fetching.BUNDLE_TIMEOUT_SECONDS, checkout.MOST_COMPARED_BYTES >> 20),
    ),
    "a text that is cleaned for a reader": (text._MOST_CLEANED >> 10, text._MOST_SHOWN >> 10, text._MOST_SEARCHED >> 10),
    "one file of another run (a report, a lineage)": (manifest.MAX_BYTES >> 20,),
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_on_the_page_is_that_of_the_code(what: str) -> None:
    (row,) = re.findall(rf"^\| {re.escape(what)} \| (.+) \|$", PAGE, flags=re.MULTILINE)

    assert tuple(map(int, re.findall(r"\d+", row))) == LIMITS[what]


def test_every_limit_on_the_page_is_held_to_the_code() -> None:
    table = PAGE.partition("| what | most |")[2].partition("\n\n")[0]
    rows = [line.split(" | ")[0].strip("| ") for line in table.splitlines() if line.startswith("| ")]

    assert set(rows) - {"any file that is digested or read"} == set(LIMITS)


def test_the_shortest_secret_that_is_looked_for_is_on_the_page() -> None:
    assert f"A password of fewer than {text._SHORTEST_ANYWHERE} letters" in PAGE
