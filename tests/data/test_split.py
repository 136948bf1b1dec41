"""Which rows are held back and how the others are folded, by every method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import SMALL, merge
from sklearn.model_selection import train_test_split

from samebits.data.dataset import Dataset
from samebits.data.features import list_features
from samebits.data.folds import Split, split_rows
from samebits.data.preparation import prepare_dataset
from samebits.data.split import find_time_border, read_row_numbers
from samebits.data.target import read_target
from samebits.digests import digest_file
from samebits.errors import DataError, SamebitsError
from samebits.keys.config import Config

N = 60
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "x": RNG.normal(size=N),
        "part": np.repeat(["train", "valid", "test"], [36, 12, 12]),
        "day": pd.date_range("2020-01-01", periods=N)[::-1],
        "y": np.tile(["no", "yes", "no"], N // 3),
        "z": np.arange(N, dtype=float),
    }
)


def split(path: Path, test_path: Path | None = None, numbers: Any = None, **changes: Any) -> tuple[Config, Dataset, Split]:
    if not path.exists():
        TABLE.to_parquet(path)
    data = {"path": str(path), "target": "y", "positive": ..., "drop": [], **changes.pop("data", {})}
    config = Config.model_validate(merge({**SMALL, "business": {}}, {"data": data, **changes}))
    dataset = prepare_dataset(config, path, test_path)
    return config, dataset, split_rows(config, dataset, read_target(config, dataset), numbers)


def test_named_values_are_the_test_rows_and_the_column_no_feature(tmp_path: Path) -> None:
    config, dataset, found = split(tmp_path / "t.parquet", split={"method": "value", "column": "part", "test": ["test"]})

    assert found.test_rows.tolist() == list(range(48, 60)) and found.train_rows.tolist() == list(range(48))
    assert "part" not in list_features(config, dataset) and len(found.folds) == 3


def test_a_named_validation_part_stands_in_place_of_folds(tmp_path: Path) -> None:
    named = {"method": "value", "column": "part", "test": ["test"], "validation": ["VALID"]}

    _, _, found = split(tmp_path / "t.parquet", split=named, cv={"n_splits": ...})

    ((fit, score),) = found.folds
    assert found.train_rows[fit].tolist() == list(range(36)) and found.train_rows[score].tolist() == list(range(36, 48))


@pytest.mark.parametrize("test", [None, ["b.csv"]])
def test_the_last_file_of_a_folder_or_a_named_one_is_the_test(tmp_path: Path, test: list[str] | None) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, rows in (("a.csv", TABLE[:20]), ("b.csv", TABLE[20:40]), ("c.csv", TABLE[40:])):
        rows.to_csv(folder / name, index=False)

    _, _, found = split(folder, split={"method": "file", "test": test})

    assert found.test_rows.tolist() == (list(range(40, 60)) if test is None else list(range(20, 40)))


def test_another_file_has_the_test_rows_with_a_digest_of_its_own(tmp_path: Path) -> None:
    TABLE[:40].to_parquet(tmp_path / "t.parquet")
    TABLE[40:].to_parquet(tmp_path / "test.parquet")
    data = {"test_path": "test.parquet", "test_digest": digest_file(tmp_path / "test.parquet")}

    _, dataset, found = split(tmp_path / "t.parquet", tmp_path / "test.parquet", data=data, split={"method": "path"})

    assert found.test_rows.tolist() == list(range(40, 60))
    assert [source.n_rows for source in dataset.sources] == [40, 20]
    with pytest.raises(DataError, match="expected the pinned"):
        wrong = {**data, "test_digest": "sha256:" + "0" * 64}
        split(tmp_path / "t.parquet", tmp_path / "test.parquet", data=wrong, split={"method": "path"})


def test_row_numbers_of_a_file_are_the_test_rows_whatever_rules_drop(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("# chosen by hand\n3\n5\n59 # the last\n", encoding="utf-8")
    numbers, content = read_row_numbers(tmp_path / "rows.txt", digest_file(tmp_path / "rows.txt"))
    named = {"method": "rows", "rows_file": "rows.txt", "rows_digest": digest_file(tmp_path / "rows.txt")}

    _, dataset, found = split(tmp_path / "t.parquet", numbers=numbers, split=named, data={"rows": [{"drop": {"z": {"max": 3}}}]})

    assert dataset.row_numbers[found.test_rows].tolist() == [5, 59]
    assert content.startswith(b"# chosen")


@pytest.mark.parametrize(
    ("text", "message"), [("a\n", r"rows\.txt:1: expected a row number"), ("\n", "expected row numbers, found none")]
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "rows.txt").write_text(text, encoding="utf-8")

    with pytest.raises(DataError, match=message):
        read_row_numbers(tmp_path / "rows.txt", None)


def test_row_numbers_beyond_the_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected row numbers from 0 to 59, found 60"):
        split(tmp_path / "t.parquet", numbers=np.array([60]), split={"method": "rows", "rows_file": "r"})


@pytest.mark.parametrize(("keys", "n_train"), [({"n_train": 45}, 45), ({"test_size": 0.5}, 30)])
def test_the_first_rows_train_under_order(tmp_path: Path, keys: dict[str, Any], n_train: int) -> None:
    _, _, found = split(tmp_path / "t.parquet", split={"method": "order", **keys})

    assert found.train_rows.tolist() == list(range(n_train)) and found.test_rows.tolist() == list(range(n_train, N))


@pytest.mark.parametrize("method", [{"method": "random"}, {"method": "time", "column": "day"}, {"method": "order"}])
def test_so_many_rows_are_held_back(tmp_path: Path, method: dict[str, Any]) -> None:
    _, _, found = split(tmp_path / "t.parquet", split={**method, "test_size": 7})

    assert (len(found.train_rows), len(found.test_rows)) == (N - 7, 7)
    for size, expected in ((N, f"fewer than the {N} rows in use"), (1, "two rows or more")):
        with pytest.raises(DataError, match=rf"split\.test_size: expected {expected}, found {size}"):
            split(tmp_path / "t.parquet", split={**method, "test_size": size})


def test_so_many_groups_are_held_back(tmp_path: Path) -> None:
    _, dataset, found = split(tmp_path / "t.parquet", split={"method": "group", "column": "part", "test_size": 1}, cv={"n_splits": 2})

    assert dataset.read_column("part").iloc[found.test_rows].nunique() == 1
    with pytest.raises(DataError, match=r"split\.test_size: expected fewer than the 3 groups, found 3"):
        split(tmp_path / "t.parquet", split={"method": "group", "column": "part", "test_size": 3}, cv={"n_splits": 2})


def test_no_row_is_held_back_under_none(tmp_path: Path) -> None:
    _, _, found = split(tmp_path / "t.parquet", split={"method": "none"})

    assert len(found.train_rows) == N and len(found.test_rows) == 0
    assert sorted(np.concatenate([score for _, score in found.folds]).tolist()) == list(range(N))


@pytest.mark.parametrize("method", [{}, {"method": "time", "column": "day"}, {"method": "group", "column": "part"}])
def test_one_validation_part_in_place_of_folds(tmp_path: Path, method: dict[str, Any]) -> None:
    _, dataset, found = split(tmp_path / "t.parquet", split=method, cv={"n_splits": 1, "validation_size": 0.25})

    ((fit, score),) = found.folds
    assert len(fit) + len(score) == len(found.train_rows) and not set(fit) & set(score)
    if method.get("method") == "time":
        days = dataset.read_column("day").to_numpy()[found.train_rows]
        assert days[fit].max() < days[score].min() and len(score) == 12


def test_strata_may_be_bins_of_the_target_or_of_a_column(tmp_path: Path) -> None:
    _, _, by_target = split(
        tmp_path / "t.parquet", data={"target": "z"}, task="regression", split={"strata_bins": 5, "random_state": 1}
    )
    _, _, by_column = split(tmp_path / "t.parquet", split={"column": "z", "strata_bins": 5, "random_state": 1})

    bins = pd.qcut(TABLE["z"], 5, labels=False).to_numpy()
    train, test = train_test_split(np.arange(N), test_size=0.2, random_state=1, stratify=bins)
    assert by_target.test_rows.tolist() == by_column.test_rows.tolist() == test.tolist()
    assert by_target.train_rows.tolist() == train.tolist()
    scored = [np.bincount(bins[by_target.train_rows][score], minlength=5) for _, score in by_target.folds]
    assert max(counts.max() - counts.min() for counts in scored) <= 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"method": "value", "column": "part", "test": ["tset"]}, r"split\.test: expected values of 'part' \(test, train, valid\), found tset"),
        ({"method": "file"}, r"expected a folder of several files"),
        ({"column": "y", "strata_bins": 3}, r"split\.strata_bins: expected numbers in split\.column 'y'"),
        ({"method": "value", "column": "part", "test": ["test"], "validation": ["test"]}, r"expected a part of the training rows, found no training row"),
        ({"method": "order", "n_train": 60}, r"expected test rows, found none"),
    ],
)  # fmt: skip
def test_a_split_that_the_table_does_not_allow_is_one_sentence(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(tmp_path / "t.parquet", split=keys)


def test_the_last_file_is_the_folders_last_whatever_rows_were_drawn(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for name, rows in (("a.csv", TABLE[:20]), ("b.csv", TABLE[20:40]), ("c.csv", TABLE[40:])):
        rows.to_csv(folder / name, index=False)

    for seed in range(3):
        _, dataset, found = split(folder, split={"method": "file"}, data={"rows": [{"sample": 40, "random_state": seed}]})

        assert dataset.row_numbers[found.test_rows].min() >= 40


def test_values_are_named_letter_by_letter_where_case_tells_them_apart(tmp_path: Path) -> None:
    TABLE.assign(part=np.tile(["A", "a", "B"], N // 3)).to_parquet(tmp_path / "t.parquet")

    _, dataset, found = split(tmp_path / "t.parquet", split={"method": "value", "column": "part", "test": ["A"]})

    assert set(dataset.frame["part"].iloc[found.test_rows]) == {"A"}
    _, dataset, found = split(tmp_path / "t.parquet", split={"method": "value", "column": "part", "test": ["b"]})
    assert set(dataset.frame["part"].iloc[found.test_rows]) == {"B"}


def test_numbers_name_test_rows_however_they_are_written(tmp_path: Path) -> None:
    TABLE.assign(part=np.repeat([1.0, 2.0, 3.0], N // 3)).to_parquet(tmp_path / "t.parquet")

    _, _, found = split(tmp_path / "t.parquet", split={"method": "value", "column": "part", "test": [3.0]})

    assert found.test_rows.tolist() == list(range(40, 60))


def test_classes_are_strata_and_take_no_bins(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split\.strata_bins: expected the target of a regression, found classes"):
        split(tmp_path / "t.parquet", data={"target": "part", "positive": ...}, split={"strata_bins": 2})


def test_a_time_split_of_monthly_figures_takes_the_latest_months(tmp_path: Path) -> None:
    months = pd.date_range("2010-01-01", periods=120, freq="MS")
    frame = pd.DataFrame({"day": months.strftime("%d%m%Y"), "x": np.arange(120.0), "y": np.tile(["no", "yes"], 60)})
    frame.to_csv(tmp_path / "months.csv", index=False)
    by_time = {"method": "time", "column": "day", "test_size": 0.05}

    _, dataset, found = split(tmp_path / "months.csv", split=by_time, data={"read": {"dates": {"day": "%d%m%Y"}}})

    assert dataset.frame["day"].iloc[found.test_rows].dt.strftime("%Y-%m").tolist() == [f"2019-{month:02}" for month in range(7, 13)]


DAYS = pd.DataFrame({"day": np.repeat(np.arange(10.0), 24), "x": np.arange(240.0), "y": np.tile(["no", "yes"], 120)})


@pytest.mark.parametrize(("size", "n_test"), [(0.2, 48), (0.23, 48), (0.25, 72), (0.29, 72), (24, 24), (13, 24)])
def test_rows_of_one_time_are_on_one_side_as_near_to_the_size_as_may_be(tmp_path: Path, size: float, n_test: int) -> None:
    DAYS.sample(frac=1, random_state=1).to_parquet(tmp_path / "t.parquet")

    _, dataset, found = split(tmp_path / "t.parquet", split={"method": "time", "column": "day", "test_size": size})

    days = dataset.read_column("day").to_numpy()
    assert len(found.test_rows) == n_test and days[found.train_rows].max() < days[found.test_rows].min()


def test_a_cut_where_the_time_changes_stays_there() -> None:
    times = np.array([1, 1, 2, 2, 2, 3])

    assert [find_time_border(times, cut) for cut in range(7)] == [0, 2, 2, 2, 5, 5, 6]
    assert [find_time_border(np.ones(3), cut) for cut in range(4)] == [0, 0, 0, 3]


@pytest.mark.parametrize(
    ("column", "size", "message"),
    [
        (
            "half",
            0.2,
            r"split\.test_size: expected about 48 of 240 rows, found 120 \(50%\) as the nearest, .* split\.test_size: 120\.",
        ),
        ("day", 7, r"expected about 7 of 240 rows, found 24 \(10%\)"),
        ("once", 0.2, r"split\.column: 'once': expected two times or more, found the same in all rows"),
    ],
)
def test_times_too_coarse_for_the_size_are_refused_with_one_that_is_not(
    tmp_path: Path, column: str, size: float, message: str
) -> None:
    DAYS.assign(half=DAYS["day"] // 5, once=2020.0).to_parquet(tmp_path / "t.parquet")

    with pytest.raises(DataError, match=message):
        split(tmp_path / "t.parquet", split={"method": "time", "column": column, "test_size": size})


@pytest.mark.parametrize("folds", [{"n_splits": 3}, {"n_splits": 1}])
def test_no_fold_cuts_through_a_time(tmp_path: Path, folds: dict[str, Any]) -> None:
    DAYS.to_parquet(tmp_path / "t.parquet")

    _, dataset, found = split(tmp_path / "t.parquet", split={"method": "time", "column": "day", "test_size": 0.3}, cv=folds)

    days = dataset.read_column("day").to_numpy()[found.train_rows]
    assert all(days[fit].max() < days[score].min() for fit, score in found.folds) and len(found.folds) == folds["n_splits"]
    ends = [*[fit[-1] + 1 for fit, _ in found.folds][1:], len(days)]
    assert [score[-1] + 1 for _, score in found.folds] == ends


def test_more_folds_than_times_are_refused(tmp_path: Path) -> None:
    DAYS.to_parquet(tmp_path / "t.parquet")

    with pytest.raises(DataError, match=r"expected more different times of 'day'.*, found 8 in the training rows for cv\.n_splits: 9"):
        split(tmp_path / "t.parquet", split={"method": "time", "column": "day"}, cv={"n_splits": 9})


BETWEEN = {"method": "time", "column": "day", "train_until": "2020-02-10"}


def test_times_in_the_config_divide_the_rows_and_a_gap_is_in_no_part(tmp_path: Path) -> None:
    bounds = {"train_from": "2020-01-05", "test_from": "2020-02-12", "test_until": "2020-02-20"}

    _, dataset, found = split(tmp_path / "t.parquet", split={**BETWEEN, **bounds})

    train, test = (dataset.read_column("day").iloc[rows] for rows in (found.train_rows, found.test_rows))
    assert [str(day.date()) for day in (train.iloc[0], train.iloc[-1])] == ["2020-01-05", "2020-02-09"]
    assert [str(day.date()) for day in (test.iloc[0], test.iloc[-1])] == ["2020-02-12", "2020-02-19"]
    assert train.is_monotonic_increasing and test.is_monotonic_increasing


def test_a_time_in_the_config_divides_as_the_size_that_comes_to_it(tmp_path: Path) -> None:
    _, _, by_time = split(tmp_path / "t.parquet", split=BETWEEN)

    _, _, by_size = split(tmp_path / "t.parquet", split={"method": "time", "column": "day", "test_size": 20})

    assert by_time.train_rows.tolist() == by_size.train_rows.tolist() and by_time.test_rows.tolist() == by_size.test_rows.tolist()
    assert [fit.tolist() for fit, _ in by_time.folds] == [fit.tolist() for fit, _ in by_size.folds]


def test_a_time_zone_in_the_config_is_reckoned_in(tmp_path: Path) -> None:
    _, _, plain = split(tmp_path / "t.parquet", split=BETWEEN)

    _, _, shifted = split(tmp_path / "t.parquet", split={**BETWEEN, "train_until": "2020-02-10T05:00+05:00"})

    assert shifted.train_rows.tolist() == plain.train_rows.tolist()


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (
            {"train_until": "2019-01-01"},
            "split.train_until: expected training rows before 2019-01-01, found none: 'day' goes from 2020-01-01 to 2020-02-29. Move it.",
        ),
        (
            {"test_from": "2021-01-01"},
            "split.test_from: expected test rows from 2021-01-01, found none: 'day' goes from 2020-01-01 to 2020-02-29. Move it.",
        ),
        (
            {"test_from": "2020-01-01"},
            "split.test_from: expected a time from split.train_until (2020-02-10) on, found 2020-01-01. No row may be in both parts.",
        ),
        (
            {"train_until": 7},
            "split.train_until: expected a date by ISO 8601 (2026-11-25, 2026-11-25T10:00), as the column has dates, found 7. Write it so.",
        ),
        (
            {"train_until": "today"},
            "split.train_until: expected a date by ISO 8601 (2026-11-25, 2026-11-25T10:00), as the column has dates, found 'today'. "
            "Write it so.",
        ),
        ({"column": "z"}, "split.train_until: expected a number, as the column has, found '2020-02-10'. Write it so."),
    ],
)
def test_times_that_divide_nothing_are_refused(tmp_path: Path, bounds: dict[str, Any], message: str) -> None:
    with pytest.raises(SamebitsError) as refused:
        split(tmp_path / "t.parquet", split={**BETWEEN, **bounds})

    assert str(refused.value) == message
