from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from proposed_tables import N, list_lines, make_frame, propose, write

from samebits.config.loading import check_document
from samebits.data.preparation import prepare_rows
from samebits.errors import DataError
from samebits.proposal.proposal import Place, Proposal, propose_config

SHARED = ROOT.parent / "shared/data"


def read_said(proposal: Proposal) -> dict[str, Any]:
    """Return what data.read says beyond the defaults."""
    config = check_document(proposal.document).config
    return config.data.read.model_dump(exclude_defaults=True)


def quote_singly(frame: pd.DataFrame) -> str:
    rows = [f"{age},'{city}, X',{income},{bought}" for age, income, city, bought in frame.itertuples(index=False)]
    return "\n".join(["age,city,income,bought", *rows])


def escape_quotes(frame: pd.DataFrame) -> str:
    rows = [f'{age},"the \\"{city}\\", X",{income},{bought}' for age, income, city, bought in frame.itertuples(index=False)]
    return "\n".join(["age,city,income,bought", *rows])


def group_thousands(frame: pd.DataFrame) -> str:
    grouped = [f"{value:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".") for value in frame.income]
    return frame.assign(income=grouped, share=np.round(frame.age / 100, 2)).to_csv(index=False, sep=";", decimal=",")


LAYOUTS: dict[str, tuple[Callable[[pd.DataFrame], str], str, dict[str, Any]]] = {
    "plain": (lambda frame: frame.to_csv(index=False), "utf-8", {}),
    "byte-order mark": (lambda frame: frame.to_csv(index=False), "utf-8-sig", {}),
    "line ends": (lambda frame: frame.to_csv(index=False, lineterminator="\r\n").rstrip(), "utf-8", {}),
    "semicolons": (lambda frame: frame.to_csv(index=False, sep=";", decimal=","), "utf-8", {"sep": ";", "decimal": ","}),
    "latin-1": (
        lambda frame: frame.to_csv(index=False, sep=";", decimal=","),
        "latin-1",
        {"sep": ";", "decimal": ",", "encoding": "cp1252"},
    ),
    "tabs": (lambda frame: frame.to_csv(index=False, sep="\t"), "utf-8", {"sep": "\t"}),
    "bars": (lambda frame: frame.to_csv(index=False, sep="|"), "utf-16", {"sep": "|", "encoding": "utf-16"}),
    "no mark": (lambda frame: frame.to_csv(index=False), "utf-16-le", {"encoding": "utf-16-le"}),
    "blanks": (lambda frame: frame.to_string(index=False), "utf-8", {"sep": r"\s+"}),
    "lines before": (lambda frame: "Report\nmade by us, 2024\n\n" + frame.to_csv(index=False), "utf-8", {"skip_rows": 2}),
    "single quotes": (quote_singly, "utf-8", {"quotechar": "'"}),
    "backslashes": (escape_quotes, "utf-8", {"escapechar": "\\"}),
    "thousands": (group_thousands, "utf-8", {"sep": ";", "decimal": ",", "thousands": {"income": "."}}),
    "dollars": (
        lambda frame: frame.assign(income=[f"${value:,.2f}" for value in frame.income]).to_csv(index=False),
        "utf-8",
        {"thousands": {"income": ","}, "signs": ["$"]},
    ),
    "commas in text": (lambda frame: frame.assign(city="to, " + frame.city).to_csv(index=False, sep="|"), "utf-8", {"sep": "|"}),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_text_is_read_however_it_is_laid_out(name: str, tmp_path: Path) -> None:
    lay_out, encoding, said = LAYOUTS[name]
    frame = make_frame()

    proposal = propose(write(tmp_path / "table.csv", lay_out(frame), encoding))

    assert read_said(proposal) == said
    assert any("a comma is the decimal mark: " in one.line for one in proposal.findings) == ("decimal" in said)
    dataset = prepare_rows(check_document(proposal.document), tmp_path).dataset
    assert dataset.frame["income"].tolist() == frame["income"].tolist()
    assert dataset.kinds["city"] == "categorical"
    assert all("Köln" in value for value in dataset.frame["city"][frame.city == "Köln"])


def test_other_forms_of_a_table_are_read(tmp_path: Path) -> None:
    frame = make_frame()
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    frame.assign(lists=[[1]] * N).to_parquet(tmp_path / "table.parquet")
    (tmp_path / "parts").mkdir()
    frame[:100].to_csv(tmp_path / "parts/a.csv", index=False)
    frame[100:].to_csv(tmp_path / "parts/b.csv", index=False)

    dropped = [propose(tmp_path / name).document.value["data"]["drop"] for name in ("table.csv.gz", "table.parquet", "parts")]

    assert dropped == [[], ["lists"], []]


def test_signs_of_missing_values_and_dates_are_found(tmp_path: Path) -> None:
    frame = make_frame()
    days = pd.date_range("2020-01-01", periods=N)
    odd = frame.assign(
        income=["?" if index % 7 == 0 else str(value) for index, value in enumerate(frame.income)],
        age=frame.age.where(frame.index % 9 > 0, -200),
        city=frame.city.where(frame.index % 5 > 0, "?"),
        infinite=np.where(frame.index % 11 > 0, frame.age / 7, np.inf),
        minus=np.where(frame.index % 3 > 0, frame.age, -1),
        german=days.strftime("%d.%m.%Y")[::-1],
        american=days.strftime("%m/%d/%Y %H:%M"),
        event_date=[int(text) for text in (days + pd.Timedelta("1D")).strftime("%Y%m%d")],
        epoch_time=(days - pd.Timestamp("1970-01-03")) // pd.Timedelta("1s"),
    )

    proposal = propose(write(tmp_path / "table.csv", odd.to_csv(index=False)))

    said = read_said(proposal)
    assert said["na_values"] == {
        "income": ["?"],
        "age": [-200],
        "city": ["?"],
        "infinite": ["inf", float("inf"), -float("inf")],
    }
    assert said["dates"] == {
        "german": "%d.%m.%Y",
        "american": "%m/%d/%Y %H:%M",
        "event_date": "%Y%m%d",
        "epoch_time": "epoch_seconds",
    }
    assert any(line.startswith("minus: -1 in 67 rows") for line in list_lines(proposal, "missing"))
    assert proposal.document.value["split"]["method"] == "time"


def test_a_date_that_can_be_read_two_ways_is_said(tmp_path: Path) -> None:
    frame = make_frame().assign(day=[f"{1 + index % 9:02}/{1 + index % 12:02}/2020" for index in range(N)])

    proposal = propose(write(tmp_path / "table.csv", frame.to_csv(index=False)))

    assert any("%d/%m/%Y" in line and "would do as well" in line for line in list_lines(proposal, "date"))


def test_columns_that_are_no_features_are_dropped_with_their_reasons(tmp_path: Path) -> None:
    draws = np.random.default_rng(2)
    frame = make_frame()
    odd = frame.assign(
        row=range(N),
        customer_id=[f"C{number:05}" for number in draws.permutation(N)],
        key=np.arange(N) * 7 + 2**60,
        constant=1,
        empty=np.nan,
        twin=frame.age,
        code=frame.bought.map({"yes": "A7", "no": "B2"}),
        note=[" ".join(draws.choice(list("abcdefgh"), 8)) for _ in range(N)],
    )

    proposal = propose(write(tmp_path / "table.csv", odd.to_csv(index=False)))

    reasons = {name: reason for finding in proposal.findings for name, reason in finding.dropped}
    assert reasons == {
        "row": "counts the rows",
        "customer_id": "an id, unique",
        "key": "an id, unique",
        "constant": "the same in every row",
        "empty": "empty",
        "twin": "the same as age",
        "code": "tells the target alone",
        "note": "free text",
    }
    assert sorted(proposal.document.value["data"]["drop"]) == sorted(reasons)
    lines = proposal.document.text.splitlines()
    assert next(line for line in lines if line.startswith("    - customer_id")).endswith("# an id, unique")
    assert all(f"# {finding.line}" in lines for finding in proposal.findings)


@pytest.mark.parametrize("make", [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b])
def test_two_columns_that_make_the_target_are_dropped(make: Callable[[Any, Any], Any], tmp_path: Path) -> None:
    draws = np.random.default_rng(3)
    frame = make_frame().assign(left=draws.integers(0, 90, N), right=np.round(draws.normal(50, 20, N), 2))

    proposal = propose(write(tmp_path / "table.csv", frame.assign(y=make(frame.left, frame.right)).to_csv(index=False)), "y")

    assert proposal.document.value["data"]["drop"] == ["left", "right"]


def test_columns_that_are_mostly_zero_make_no_rare_target(tmp_path: Path) -> None:
    draws = np.random.default_rng(4)
    sparse = {name: (draws.random(2000) < 0.002).astype(int) for name in ("left", "right")}
    frame = pd.DataFrame({**sparse, "x": draws.normal(size=2000), "y": (draws.random(2000) < 0.004).astype(int)})

    assert propose(write(tmp_path / "table.csv", frame.to_csv(index=False)), "y").document.value["data"]["drop"] == []


def test_what_tells_the_target_by_its_place_or_by_being_missing_is_found_and_chance_is_not(tmp_path: Path) -> None:
    draws = np.random.default_rng(8)
    n = 2000
    x = draws.normal(size=n)
    is_bought = x > 0.3
    frame = pd.DataFrame(
        {
            "x": draws.normal(size=n),
            "shifted": np.round(np.exp(x), 6),  # in order, the target changes once
            "refund": np.where(is_bought, np.round(draws.random(n), 3), np.nan),
            "grade": np.where(is_bought, 7, draws.integers(1, 4, n)),
            "zeros": np.where(draws.random(n) < 0.9, 0, np.where(is_bought, draws.random(n), 0)),  # where it is not 0, all bought
            "rare": np.where(draws.random(n) < 0.02, draws.random(n), np.nan),
            "person": draws.integers(0, 300, n),
        }
    )
    fraud = draws.random(n) < 0.01

    sold = propose(write(tmp_path / "sold.csv", frame.assign(y=is_bought).to_csv(index=False)), "y")
    other = propose(write(tmp_path / "other.csv", frame.assign(y=fraud).to_csv(index=False)), "y")
    amount = propose(write(tmp_path / "amount.csv", frame.assign(y=np.round(x**3 * 100, 3)).to_csv(index=False)), "y")

    assert sold.document.value["data"]["drop"] == ["shifted", "refund", "grade"]
    assert other.document.value["data"]["drop"] == []
    assert amount.document.value["data"]["drop"] == ["shifted"]


def test_a_few_rows_of_a_rare_class_tell_nothing_for_certain(tmp_path: Path) -> None:
    frame = make_frame().assign(x=np.linspace(0.1, 0.9, N), y=[0] * (N - 5) + [1] * 5)

    assert propose(write(tmp_path / "table.csv", frame.to_csv(index=False)), "y").document.value["data"]["drop"] == []


def test_what_would_leave_nothing_to_learn_from_is_kept(tmp_path: Path) -> None:
    x = np.random.default_rng(5).normal(size=N)
    words = np.random.default_rng(5).choice(["free", "win", "hello", "you", "meeting", "lunch"], (N, 8))
    frame = pd.DataFrame({"x": x, "y": x > 0})
    texts = pd.DataFrame({"text": [" ".join(row) for row in words], "y": x > 0})

    told = propose(write(tmp_path / "told.csv", frame.to_csv(index=False)), "y")
    read = propose(write(tmp_path / "read.csv", texts.to_csv(index=False)), "y")

    assert told.document.value["data"]["drop"] == read.document.value["data"]["drop"] == []
    assert list_lines(told, "leak") == ["x: tells the target alone, nearly without error; kept, since no other column is left"]
    assert read.document.value["preprocessing"]["columns"][0]["columns"] == ["text"]


def test_rows_are_divided_as_the_table_suggests(tmp_path: Path) -> None:
    draws = np.random.default_rng(6)
    frame = make_frame()
    tables = {
        "random": frame,
        "time": frame.assign(day=pd.date_range("2020-01-01", periods=N)),
        "group": frame.assign(patient_id=draws.integers(0, 40, N)),
        "value": frame.assign(part=np.where(draws.random(N) < 0.2, "test", "train")),
    }

    for method, table in tables.items():
        proposal = propose(write(tmp_path / f"{method}.csv", table.to_csv(index=False)))
        assert proposal.document.value["split"]["method"] == method


def test_a_table_that_no_split_by_time_fits_is_divided_at_random(tmp_path: Path) -> None:
    frame = make_frame().assign(day=pd.date_range("2020-01-01", periods=N)).sort_values("bought")
    frame["day"] = sorted(frame["day"])

    proposal = propose(write(tmp_path / "table.csv", frame.to_csv(index=False)))

    assert proposal.document.value["split"]["method"] == "random"


def test_classes_are_named_counted_and_left_out_where_they_are_too_few(tmp_path: Path) -> None:
    frame = make_frame()
    rare = frame.assign(kind=["a", "b", "c"] * 64 + ["z"] * 3 + ["r"] * 5)
    missing = frame.assign(bought=frame.bought.where(frame.index % 5 > 0))
    fraud = frame.assign(fraud=[1] * 6 + [0] * (N - 6))

    of_rare = propose(write(tmp_path / "rare.csv", rare.to_csv(index=False)), "kind")
    of_missing = propose(write(tmp_path / "missing.csv", missing.to_csv(index=False)))
    of_fraud = propose(write(tmp_path / "fraud.csv", fraud.to_csv(index=False)), "fraud")

    assert of_rare.document.value["data"]["rows"] == [{"min_class_rows": 5}]
    assert of_rare.document.value["cv"]["n_splits"] == 4  # of the five rows of r one is for the test
    assert "rare, by their rows: r (5)" in list_lines(of_rare, "class")
    assert of_missing.document.value["data"]["rows"] == [{"drop_missing": ["bought"]}]
    assert of_missing.document.value["data"]["positive"] == "yes"
    assert any(line.startswith("imbalanced: the rarer class has 3.00%") for line in list_lines(of_fraud, "class"))


def test_rows_that_repeat_are_counted(tmp_path: Path) -> None:
    frame = pd.concat([make_frame(), make_frame()[:30]]).assign(id=range(N + 30))

    (line,) = list_lines(propose(write(tmp_path / "table.csv", frame.to_csv(index=False))), "duplicate")

    assert line.startswith("30 of 230 rows repeat an earlier one")


def test_many_categories_are_joined(tmp_path: Path) -> None:
    draws = np.random.default_rng(7)
    frame = pd.concat([make_frame()] * 15).assign(x=draws.normal(size=15 * N), zip=draws.choice([f"z{i}" for i in range(140)], 15 * N))

    proposal = propose(write(tmp_path / "table.csv", frame.to_csv(index=False)))

    assert [group["columns"] for group in proposal.document.value["preprocessing"]["columns"]] == [["zip"]]


@pytest.mark.parametrize(
    ("content", "target", "said"),
    [
        (b"", "y", "expected a table in CSV or Parquet, found an empty file."),
        (bytes(range(256)) * 20, "y", "found bytes that are no text."),
        (b"a,b\n1,2\n", "b", "expected at least 10 rows to learn from, found 1"),
        (b"a,b\n" + b"1,2\n2,2\n" * 20, "b", "expected at least two classes, found only 2."),
        (b"a\n" + b"1\n2\n" * 20, "a", "expected a table of several columns, found one column, 'a'."),
        (b"1,2\n" * 20, "y", "The first line looks like values"),
        (b"M,5.1,2\n" * 20, None, "found nothing. The first line looks like values: give the table a line of names."),
        (b"amount,churned\n" + b"1,0\n" * 20, "chruned", "found 'chruned'. Did you mean 'churned'?"),
        (b"amount,churned,x\n" + b"1,0,3\n" * 20, None, "perhaps churned or x. There are amount, churned, x."),
        (b"a,b,c\n" + b"".join(b"%d,k%d,3\n" % (i % 7, i) for i in range(40)), "b", "Is this an id, or text?"),
        (b"a,b\n" + b"1,2020-01-01\n" * 20, "b", "expected classes or numbers, found dates."),
        (b"a,b\n" + b"1,0\n2,0\n" * 20 + b"1,1\n1,1\n", "b", "expected at least 5 rows of each class, found 2 of 1."),
        (b"id,b\n" + b"".join(b"%d,%d\n" % (i, i % 2) for i in range(40)), "b", "expected columns to learn from"),
        (b"a,a,b\n" + b"1,2,0\n1,3,1\n" * 20, "b", "expected each column once, found 'a' twice."),
    ],
)
def test_what_cannot_be_learned_from_is_refused_in_words(content: bytes, target: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)

    with pytest.raises(DataError) as refused:
        propose(path, target)

    assert said in str(refused.value)


@pytest.mark.parametrize(("header", "is_said"), [("5.1,3.5,0", True), ("1990,1991,1992", False), ("a,v1.2,0.5", False)])
def test_a_first_line_of_values_is_said_though_a_column_is_named_so(header: str, is_said: bool, tmp_path: Path) -> None:
    rows = "".join(f"{i % 9},{i % 7 / 2},{i % 2}\n" for i in range(60))

    proposal = propose(write(tmp_path / "table.csv", f"{header}\n{rows}"), header.rsplit(",", 1)[1])

    assert any("the first line looks like values" in line for line in list_lines(proposal, "layout")) == is_said


def test_days_too_coarse_for_a_test_part_are_not_divided_by(tmp_path: Path) -> None:
    days = np.r_[np.repeat(np.arange(30), 2), np.full(60, 30)]  # half of the rows are of the last day
    frame = pd.DataFrame({"day": pd.Timestamp("2026-01-01") + pd.to_timedelta(days, unit="D"), "x": days % 7, "bought": days % 11 / 3})

    proposal = propose(write(tmp_path / "table.csv", frame.to_csv(index=False)))

    assert proposal.document.value["split"]["method"] == "random"
    assert any(
        "day (so divided, a part lacks a class, or is far from the size wished)" in line for line in list_lines(proposal, "date")
    )


REAL = {
    "bike_sharing_hour.csv": ("cnt", "regression", "time", ["instant", "casual", "registered"]),
    "online_shoppers_intention.csv": ("Revenue", "binary", "random", []),
    "winequality_white.csv": ("quality", "multiclass", "random", []),
}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.skipif(not SHARED.is_dir(), reason="the real tables lie beside the project, and not here")
def test_real_tables_are_seen_as_they_are(name: str, tmp_path: Path) -> None:
    target, task, method, dropped = REAL[name]

    value = propose_config(Place(SHARED / name, str(SHARED / name), "new", tmp_path / "new.yaml", tmp_path), target).document.value

    assert (value["task"], value["split"]["method"], value["data"]["drop"]) == (task, method, dropped)
