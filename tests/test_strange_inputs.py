"""A small sample of what benchmarks/fuzz.py tries by the thousand: whatever is handed in, the program says a sentence and does no harm."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
from recorded_runs import git
from strange_inputs import Bench, Case, find_controls, judge, try_cases
from warm_program import Ended

pytestmark = pytest.mark.xdist_group("strange")

SAMPLE = {"configs": 12, "lineages": 8, "models": 4, "patches": 5}


@pytest.fixture(scope="module")
def one_bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def bench(one_bench: Bench) -> Iterator[Bench]:
    """One program and project for all kinds, which each finds as it was."""
    yield one_bench
    git("checkout", "-q", ".", cwd=one_bench.project)


@pytest.mark.parametrize("kind", SAMPLE)
def test_what_a_stranger_hands_in_is_answered_by_a_sentence(kind: str, bench: Bench) -> None:
    with warnings.catch_warnings(action="ignore"):  # of zipfile, about names that are there twice on purpose
        tried = list(try_cases(bench, kind, SAMPLE[kind], seed=2))

    assert len(tried) == SAMPLE[kind]
    assert [(kinds, case.words, case.content[:500]) for case, _, kinds in tried if kinds] == []


def test_what_the_judge_of_the_sample_looks_for_it_finds() -> None:
    bug = b'Traceback (most recent call last):\n  File "/x/samebits/table/reading.py", line 7, in read\nKeyError: 1\n'

    case = Case(["verify", "run"], b"", may_be_identical=False)
    found = judge(case, Ended(70, 1.0, 11.0, 2000.0, b"", bug + b"\x1b[8m"), cpu_seconds=10)
    lie = judge(case, Ended(0, 1.0, 1.0, 200.0, b"verdict     IDENTICAL", b""), cpu_seconds=10)

    assert found == ["traceback: KeyError in table/reading.py:7", "over 1024 MiB", "control characters: U+001B"]
    assert lie == ["IDENTICAL is a lie"]
    assert find_controls("a\u202eb".encode()) == "U+202E"
