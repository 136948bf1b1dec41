"""The page: the same bytes anywhere, nothing of a stranger's words obeyed, and readable by whoever reads it."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, TESTS, clean_environment
from told_runs import METRICS, TASKS, describe, make_account, make_predictions, make_run

from samebits.lineage.report_page import BEGIN, END, N_PLACES, digest_page
from samebits.lineage.step_stage import NO_STEPS
from samebits.report import gallery
from samebits.report.account import Account
from samebits.report.making import _describe_code, fill_page, is_report, make_report
from samebits.verdicts import Level

EVIL = '"><script>alert(1)</script><!-- this run --><img src=x onerror=alert(1)>\x1b[31m\u202e$x_1$'
QUESTIONS = ("What is this?", "How good is it?", "Can I trust it?", "How is it made again?")


class Outline(HTMLParser):
    """What a page is made of: its headings, its elements, and which of these say what they need to."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_data(self, data: str) -> None:
        self.text += data

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def make_page(account: Any, **fields: Any) -> bytes:
    return fill_page(make_report(account).page, make_run(account, **fields))


@pytest.mark.parametrize("task", TASKS)
def test_headings_go_down_step_by_step_and_pictures_and_tables_are_named(task: str) -> None:
    outline = Outline(make_page(make_account(task)))

    assert outline.headings[0] == 1 and outline.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False))
    pictures = [one for one in outline.find("svg") if one.get("role") == "img"]
    assert len(pictures) >= 4 and all(len(one["aria-label"] or "") > 20 for one in pictures)
    assert outline.find("th") and all(one.get("scope") in ("col", "row") for one in outline.find("th"))
    assert len(outline.find("caption")) == len(outline.find("table")) > 3
    ids = [one["id"] for _, one in outline.elements if one.get("id")]
    assert len(ids) == len(set(ids))
    assert all(question in outline.text for question in QUESTIONS)


@pytest.mark.parametrize("task", TASKS)
def test_a_page_asks_nothing_of_elsewhere_and_runs_nothing(task: str) -> None:
    outline = Outline(make_page(make_account(task)))

    assert not {"script", "iframe", "object", "embed", "link", "img", "base", "form"} & {tag for tag, _ in outline.elements}
    named = [value or "" for _, one in outline.elements for key, value in one.items() if key in ("href", "src", "xlink:href")]
    assert named and all(value.startswith("#") for value in named)


def test_words_of_others_are_shown_and_not_obeyed() -> None:
    config = {
        "name": EVIL,
        "data": {"path": EVIL, "target": EVIL, "positive": EVIL, "rows": [{"keep": {EVIL: EVIL}}]},
        "split": {"method": EVIL, "column": EVIL, "class": EVIL},
        "models": {"tree": {"class": EVIL, EVIL: EVIL}},
        "report": {"question": EVIL, "source": EVIL, "licence": EVIL},
    }
    table = make_predictions("binary").replace({"yes": EVIL})
    account = make_account("binary", table, config, remarks=(EVIL,))
    account.explored["importance"]["columns"][EVIL] = {"mean": 1.0, "spread": 0.1}
    account.baseline["columns"][EVIL] = {"kind": EVIL, "n_missing": 0, "counts": {EVIL: 3}}
    account.assessment["groups"][EVIL] = [{"value": EVIL, "n_rows": 1, "metrics": {EVIL: 1.0}}]
    account.assessment["claims"][0]["claim"] = EVIL
    tags = {"level": EVIL, "verdict": EVIL, "verdict_time": EVIL, "verified": EVIL}
    page = make_page(account, tags=tags, proofs=[EVIL], looks=EVIL)

    outline = Outline(page)
    assert not {"script", "img"} & {tag for tag, _ in outline.elements}
    assert not any(key.startswith("on") for _, one in outline.elements for key in one)
    assert page.count(BEGIN) == page.count(END) == N_PLACES
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", page.decode("utf-8"))
    assert len([one for one in outline.find("svg") if one.get("role") == "img"]) == 7


def test_the_same_values_make_the_same_bytes_whatever_the_reader_has_set(tmp_path: Path) -> None:
    settings = "font.size: 30\nfont.family: serif\nsvg.hashsalt: other\nsavefig.dpi: 30\naxes.grid: False\ntext.usetex: False\n"
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib/matplotlibrc").write_text(settings, encoding="utf-8")
    other = {
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "77",
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "SOURCE_DATE_EPOCH": "1",
    }

    done = subprocess.run(
        [sys.executable, TESTS / "told_runs.py"],
        cwd=tmp_path,
        env=clean_environment(**other),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == {task: describe(make_report(make_account(task))) for task in TASKS}
    assert all(len(one["figures"]) >= 8 for one in found.values())


def test_what_is_said_of_one_run_is_no_part_of_the_output() -> None:
    account = make_account("binary")
    empty = make_report(account).page

    pages = [
        fill_page(empty, make_run(account)),
        fill_page(
            empty, replace(make_run(account, proofs=["Made again"]), run={"run_id": "f" * 32, "started": "2027-01-01T00:00:00"})
        ),
    ]

    assert len(set(pages)) == 2 and {digest_page(page) for page in pages} == {digest_page(empty)}
    assert digest_page(pages[0].replace(b"0.9000", b"0.9001")) != digest_page(empty)
    assert is_report(pages[0]) and not is_report(b"<!doctype html><p>mine</p>")
    assert all(b"samebits reproduce ffffffff" in page for page in pages[1:])


def test_the_order_in_which_a_config_was_written_is_not_told() -> None:
    """A rerun trains the config as it was recorded, with its keys sorted."""
    rules = {"keep": {"b": 1, "a": 2}}, {"keep": {"a": 2, "b": 1}}
    models = {"tree": {"min_samples_leaf": 3, "max_depth": 2}}, {"tree": {"max_depth": 2, "min_samples_leaf": 3}}
    data = {"path": "a.csv", "target": "y", "positive": "yes"}
    pages = [
        make_page(make_account("binary", None, {"name": "a", "data": {**data, "rows": [rule]}, "models": model}))
        for rule, model in zip(rules, models, strict=True)
    ]

    assert pages[0] == pages[1]


def test_places_machine_and_code_are_in_no_output() -> None:
    account = make_account("binary")
    stages = {
        **account.stages,
        "code": {"digest": "sha256:1", "commit": None},
        "environment": {"digest": "sha256:2"},
        "data": {**account.stages["data"], "path": "elsewhere.csv"},
        "config": {**account.stages["config"], "file": "other.yaml", "version": "2027.1.0"},
    }

    assert make_report(replace(account, stages=stages)).describe() == make_report(account).describe()


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"name": "portable"}, "on machines without AVX2 and FMA."),
        ({"name": "native", "torch": None}, "on a machine whose kernels are others."),
        ({"name": "portable", "torch": {"gpu": {"card": "H100"}}}, "on machines without AVX2 and FMA, or with another GPU or driver."),
    ],
    ids=str,
)
def test_where_the_bits_are_not_promised_is_said_as_the_profile_has_it(profile: dict[str, Any], said: str) -> None:
    account = make_account("binary")

    page = make_page(replace(account, stages={**account.stages, "numeric_profile": profile}))

    assert f"The same bits with other packages, or {said}" in page.decode()


@pytest.mark.parametrize("task", TASKS)
def test_an_older_run_is_told_by_what_it_has(task: str) -> None:
    account = make_account(task, assessment={}, baseline={}, explored={}, remarks=())

    outline = Outline(make_page(account))

    assert all(question in outline.text for question in QUESTIONS)
    assert str(len(METRICS[task])) and "Left out is the columns' importance: nothing of it is on record." in outline.text


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ({"dirty": False, "changes": {}}, "clean."),
        ({"dirty": True, "changes": {}}, "itself unchanged, in a tree with other uncommitted files."),
        ({"dirty": True, "changes": {"a.py": "sha256:1"}}, "and 1 changed file, kept with the run."),
    ],
)
def test_a_tree_is_called_clean_only_where_everything_is_committed(code: dict[str, Any], said: str) -> None:
    assert _describe_code({"commit": "0123456789abcdef", **code}) == f"Code: commit 0123456789ab, {said}"


def test_proofs_and_looks_are_told() -> None:
    tags = {"level": "L2 repeatable", "verdict": "IDENTICAL", "verdict_time": "2026-12-01T10:00:00", "verified": "DIFFERENT"}

    text = Outline(make_page(make_account("binary"), tags=tags, proofs=["By run 1"], looks="number 2 of 7 runs")).text

    assert "L2 repeatable" in text and "IDENTICAL on 2026-12-01" in text and "By run 1" in text
    assert "It is number 2 of 7 runs." in text


def test_nothing_is_said_of_a_proof_but_what_is_so() -> None:
    account = make_account("binary")
    proofs = ["Made again: IDENTICAL, in the environment of whoever made it"]

    alone, tried = (Outline(make_page(account, proofs=found)).text for found in ([], proofs))

    assert "When this was written, nobody had made it again." in alone and "adds to its level" not in alone
    assert not re.search("(?i)nobody ha[sd] (tried|made)", tried) and "told below, as proof so far" in tried
    assert "raises no level" in tried


@pytest.mark.parametrize("level", Level)
def test_every_level_is_named_once_with_its_meaning(level: Level) -> None:
    page = make_page(make_account("binary"), tags={"level": str(level)}).decode("utf-8")

    items = re.findall(r"<li( class=\"best\")?>(L\d \w+): ", page)
    assert [name for _, name in items] == list(Level)
    assert [name for marked, name in items if marked] == [level]


def test_a_search_is_told_beside_its_candidates_and_what_it_is_worth() -> None:
    account = make_account("regression")
    scores = account.stages["cross_validation"]
    plain = make_report(account).page.decode()
    scores["candidates"]["ridge"] |= {"values": {"models.ridge.alpha": 0.25, "preprocessing.scale": False}, "trial": 2, "n_trials": 5}
    scores["search"] = {"method": "grid", "n_trials": 6, "n_failed": 1, "shown": [], "nested": [{"score": -0.5}, {"score": -0.7}]}

    page = make_report(account).page.decode()

    assert "alpha 0.25, preprocessing.scale False (best of 5 trials)" in page
    assert "Parameters were searched (grid): 6 trials, of which 1 failed; all are in search.csv." in page
    assert "the whole search comes to 0.6000 ± 0.1000." in page
    assert "search" not in plain


def test_steps_are_told_and_drawn_from_raw_files_to_the_training_and_a_run_without_has_the_page_that_it_had() -> None:
    account = make_account("binary")
    golden = json.loads((ROOT / "tests/goldens/lineage_6.json").read_text(encoding="utf-8"))
    steps = golden["stages"]["steps"]
    plain = make_report(account).page
    steps["steps"]["join"]["parameters"]["how"] = EVIL

    outline = Outline(make_report(replace(account, stages={**account.stages, "steps": steps})).page)

    assert [one["height"] for one in outline.find("rect") if one.get("rx") in ("4", "17")] == [
        "34"
    ] * 5  # two files, two steps, the training
    assert len([one for one in outline.find("line") if one.get("stroke-opacity") == "0.5"]) == 4
    assert "How the table was made" in outline.text and "churn.preparation.join_tables" in outline.text
    assert "table sha256:f3c41e6a…" in outline.text and "script" not in {tag for tag, _ in outline.elements}
    without = replace(account, stages={**account.stages, "steps": dict(NO_STEPS)})
    assert make_report(without).page == plain
    assert fill_page(plain, make_run(without)) == fill_page(plain, make_run(account))
    assert b"How the table was made" not in plain


def test_where_raw_files_lie_and_how_long_steps_took_is_in_no_output() -> None:
    account = make_account("binary")
    golden = json.loads((ROOT / "tests/goldens/lineage_6.json").read_text(encoding="utf-8"))
    pages = []
    for place, seconds, order in (("data/raw/orders.csv", 1.0, ["join", "clean"]), ("/elsewhere/orders.csv", 2.0, ["join", "clean"])):
        steps = json.loads(json.dumps(golden["stages"]["steps"]))
        steps["paths"]["join"]["inputs"]["orders"] = place
        steps["ran"]["join"]["seconds"] = seconds
        steps["order"] = order
        pages.append(make_report(replace(account, stages={**account.stages, "steps": steps})).page)

    assert pages[0] == pages[1]


@pytest.mark.parametrize("is_enabled", [True, False])
def test_garbage_is_not_looked_for_while_pictures_are_drawn_and_then_as_before(
    monkeypatch: pytest.MonkeyPatch, is_enabled: bool
) -> None:
    seen = []

    def hang(_: Account) -> Any:
        seen.append(gc.isenabled())
        return [], []

    monkeypatch.setattr(gallery, "hang_pictures", hang)
    was_enabled = gc.isenabled()
    (gc.enable if is_enabled else gc.disable)()
    try:
        make_report(make_account("binary"))
        seen.append(gc.isenabled())
    finally:
        (gc.enable if was_enabled else gc.disable)()

    assert seen == [False, is_enabled]


def test_a_groups_table_has_the_metric_that_its_gap_is_claimed_of() -> None:
    claims = {"group_gap": {"column": "site", "metric": "recall", "at_most": 0.1}}
    account = make_account("binary", config={"claims": claims})
    account.metrics.update({"accuracy": 0.9})
    for group in account.assessment["groups"]["site"]:
        group["metrics"] = {**{f"a{number}": 0.5 for number in range(9)}, "recall": 0.4321}

    (table,) = re.findall(r'<table class="labelled">.*?</table>', make_report(account).page.decode(), flags=re.DOTALL)

    assert table.count('data-name="recall">0.4321') == 2
    assert table.count('data-name="Rows"') == 2
