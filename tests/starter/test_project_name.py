from __future__ import annotations

from pathlib import Path

import pytest

from samebits.errors import ConfigError
from samebits.starter.project_name import choose_package, name_project


@pytest.mark.parametrize(
    ("folder", "given", "package"),
    [("churn", None, "churn"), ("Credit Risk-2026", None, "credit_risk_2026"), ("9lives", "nine_lives", "nine_lives")],
)
def test_a_folder_or_a_word_gives_the_name(folder: str, given: str | None, package: str) -> None:
    assert choose_package(Path("/home/you", folder), given) == package


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("9lives", "small letters"),
        ("Bad", "small letters"),
        ("a__b", "small letters"),
        ("class", "small letters"),
        ("é", "small letters"),
        ("x" * 61, "small letters"),
        ("a/../../b", "small letters"),
        ("json", "a name that no package has"),
        ("numpy", "a name that no package has"),
        ("tests", "a name that no package has"),
        ("samebits", "a name that no package has"),
    ],
)
def test_a_name_that_could_not_be_imported_or_is_anothers_is_refused(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        choose_package(Path("/home/you/x"), name)


def test_a_folder_where_one_stands_takes_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "churn").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))

    assert choose_package(tmp_path / "churn", None) == "churn"


def test_an_index_has_hyphens() -> None:
    assert name_project("credit_risk") == "credit-risk"
