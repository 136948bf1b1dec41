"""Every model, transformer, splitter and scorer of scikit-learn's that a config can name: the same bits at any n_jobs, and stored.

Each refusal is tried as well, so that what later becomes possible is noticed. One pool of workers serves them all.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import every_class
import pytest
from conftest import ROOT
from every_class import Case, Ground
from joblib.externals.loky import get_reusable_executor
from sklearn.metrics import get_scorer_names
from sklearn.utils import all_estimators
from threadpoolctl import threadpool_limits

from samebits.candidates import fitting, units
from samebits.errors import SamebitsError

pytestmark = [pytest.mark.xdist_group("every class"), pytest.mark.filterwarnings("ignore")]
CASES = every_class.list_cases()


@pytest.fixture(scope="module")
def grounds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Ground]]:
    yield every_class.prepare_grounds(tmp_path_factory.mktemp("grounds"))
    get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


@pytest.fixture(autouse=True)
def force_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(units, "WORKERS_FROM_CELLS", 0)
    monkeypatch.setattr(fitting, "CELLS_A_THREAD", 1)
    with threadpool_limits(1, "blas"):  # as the profile has it, also where NumPy was loaded before the tests set that
        yield


@pytest.mark.parametrize("case", [case for case in CASES if not every_class.find_refusal(case)], ids=str)
def test_a_class_gives_the_same_bits_at_any_n_jobs_and_comes_back_from_its_file(case: Case, grounds: dict[str, Ground]) -> None:
    alone, shared = (every_class.run_case(grounds[case.ground], case, n_jobs) for n_jobs in (1, 2))

    for field in dataclasses.fields(alone):
        assert getattr(alone, field.name) == getattr(shared, field.name), field.name


@pytest.mark.parametrize("case", [case for case in CASES if every_class.find_refusal(case)], ids=str)
def test_what_cannot_be_tried_is_refused_in_words(case: Case, grounds: dict[str, Ground]) -> None:
    with pytest.raises(SamebitsError) as caught:
        every_class.run_case(grounds[case.ground], case, 1)

    assert re.search(every_class.find_refusal(case) or "", str(caught.value))
    assert "\n" not in str(caught.value)


def test_the_tables_name_nothing_that_scikit_learn_has_not() -> None:
    refused = [name for by_words in every_class.REFUSED.values() for names in by_words.values() for name in names]
    named = {*refused, *every_class.PARAMETERS, *every_class.BEFORE, *every_class.ROLES}

    assert len(refused) == len(set(refused))
    assert {name.partition(" ")[0] for name in named} <= {case.name for case in CASES}
    assert {case.name for case in CASES} == {name for name, _ in all_estimators()}


@pytest.mark.parametrize("name", sorted(every_class.list_splitters()))
def test_a_splitter_gives_the_same_folds_and_bits(name: str, tmp_path: Path) -> None:
    alone, shared = (every_class.run_splitter(tmp_path, name, n_jobs) for n_jobs in (1, 2))

    assert alone == shared
    assert alone[0]


@pytest.mark.parametrize(("target", "name"), every_class.list_scorings())
def test_a_scorer_gives_the_same_bits_or_is_refused_in_words(target: str, name: str, grounds: dict[str, Ground]) -> None:
    refusal = every_class.REFUSED_SCORERS.get((target, name))
    if refusal is not None:
        with pytest.raises(SamebitsError, match=refusal):
            every_class.run_scorer(grounds[target], name, 1)
        return

    alone, shared = (every_class.run_scorer(grounds[target], name, n_jobs) for n_jobs in (1, 2))

    assert alone == shared


def read_table(heading: str) -> dict[str, set[str]]:
    """Return the names in the second column of a table of the page, by what stands in the first."""
    page = (ROOT / "docs/why-training-differs.md").read_text(encoding="utf-8")
    rows = page.partition(f"\n| {heading} |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    cells = [row.strip("| ").split(" | ") for row in rows]
    return {first: set(re.findall(r"`(\w+)`", names)) for first, names in cells}


def test_the_page_names_what_is_tried() -> None:
    shown = read_table("from | the same bits")

    tried: dict[str, set[str]] = {}
    for case in CASES:
        if not every_class.find_refusal(case):
            tried.setdefault(f"`{case.path.rpartition('.')[0]}`", set()).add(case.name)
    tried["splitters, `sklearn.model_selection`"] = set(every_class.list_splitters())
    refused_scorers = {name for _, name in every_class.REFUSED_SCORERS if name.endswith("_samples")}
    tried["scorers"] = set(get_scorer_names()) - refused_scorers
    assert shown == tried


def test_the_page_names_what_is_refused() -> None:
    shown = read_table("why | refused")

    refused = {
        reason: {name.partition(" ")[0] for names in by_words.values() for name in names}
        for reason, by_words in every_class.REFUSED.items()
    }
    refused["it scores several labels of a row"] = {name for _, name in every_class.REFUSED_SCORERS if name.endswith("_samples")}
    assert shown == refused
