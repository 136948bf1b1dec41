from __future__ import annotations

import pytest

from samebits.lineage.standing import describe_standing, renew_standing

TAGS = {"git_commit": "a" * 40, "git_dirty": "false"}
PROVED = {**TAGS, "level": "L2 repeatable", "verdict": "IDENTICAL", "verdict_time": "2026-11-26T07:00:00+00:00"}


@pytest.mark.parametrize("before", ["- **Again?** `samebits reproduce abc` · ", "- "])  # the latter: of runs of before
def test_only_the_line_on_trust_is_written_anew(before: str) -> None:
    description = f"- one\n{before}{describe_standing(TAGS)}\n- three"

    renewed = renew_standing(description, PROVED)

    assert renewed.splitlines()[::2] == ["- one", "- three"]
    assert f"{before}**Trusted?** L2 repeatable, IDENTICAL 2026-11-26;" in renewed and "L0" not in renewed
    assert renew_standing(renewed, TAGS) == description


def test_a_description_of_somebodys_own_stays_as_it_is() -> None:
    assert renew_standing("My run.", PROVED) == "My run."


def test_a_tag_that_somebody_typed_is_shown_and_not_obeyed() -> None:
    line = describe_standing({**PROVED, "level": "L9\n# [x](javascript:1)", "verdict": "<script>"})

    assert "\n" not in line and "[x](" not in line and " <script>" not in line
