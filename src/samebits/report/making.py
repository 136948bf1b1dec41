"""The report made: one page that needs nothing beside it, and pictures with what they show.

The page has two places for what is said of one run alone (its id, its times, the code and machine, proofs gathered later), each
between two comments. What is outside of them is an output of the run: with equal outputs, equal to the bit. The places are filled
where that is known: when a run is packed, and by `samebits report` later. All text is cleaned and escaped here, whoever wrote it.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup

from samebits.config.catalog import name_metric
from samebits.digests import canonical_json, digest_bytes
from samebits.lineage.found_values import shorten_key, take_found
from samebits.lineage.manifest import FIGURES_FOLDER, PAGE_FILE, UNMADE, Stage, make_stage
from samebits.lineage.report_page import EMPTY_PLACE, digest_page, fill_places
from samebits.report.account import Account
from samebits.report.words import (
    as_quantity,
    as_score,
    as_share,
    begin,
    begin_remarks,
    describe_rows,
    describe_score,
    describe_split,
    describe_stages,
    describe_task,
    describe_threshold,
    draw_steps,
    find_sign,
    list_cases,
    list_claims,
    list_doubts,
    list_facts,
    list_promises,
    list_worth,
    name_in_words,
    say_ends,
)
from samebits.text import clean_recorded, shorten_list
from samebits.verdicts import Level

if TYPE_CHECKING:
    from samebits.report.gallery import Gallery

_MOST_COLUMNS, _MOST_GROUP_METRICS, _MOST_LETTERS = 100, 6, 200
_MOST_DROPPED = 20
_SHORT_ID = 8
_LEVELS = {
    Level.L0: "it is on record what went in, what came out, and a digest of each.",
    Level.L1: "code, table and environment were brought back from the record alone.",
    Level.L2: "made again from the record alone, equal to the bit also under other conditions; and a changed input was seen.",
    Level.L3: "as L2, and on a machine of another class too.",
}
_LIMITS = (
    "That the model is right for other rows than such as it was tested on: an interval tells of chance in drawing the test rows, and "
    "of nothing else.",
    "That what a model relies on causes anything.",
    "The same bits with other packages, or on {}.",
    "Who made this: a report is not signed. Whoever may write to the server can replace record, page and pictures together; "
    "samebits verify and samebits reproduce ask the server, not this page.",
    "That nobody chose among many runs: the test rows say what they say once.",
)


@dataclass(frozen=True)
class Report:
    """A report.

    Parameters
    ----------
    page
        With nothing in its two places.
    figures
        Bytes of each file, by its name below the folder of figures.
    """

    page: bytes
    figures: dict[str, bytes]

    def describe(self) -> Stage:
        """Return the stage of a lineage."""
        figures = {name: digest_bytes(content) for name, content in sorted(self.figures.items())}
        return make_stage({"page": digest_page(self.page), "figures": figures})

    def list_files(self) -> dict[str, bytes]:
        """Return the files of a run, by their path in it."""
        return {PAGE_FILE: self.page, **{f"{FIGURES_FOLDER}{name}": content for name, content in self.figures.items()}}


@dataclass(frozen=True)
class ThisRun:
    """What is told of one run alone.

    Parameters
    ----------
    run
        Its id, when it was made and how long that took, and by whom, as its lineage has it.
    stages
        Of its lineage.
    tags
        What the server says of how far it is proved; empty when it was just made.
    proofs
        In words, each proof gathered since.
    looks
        In words, which place it has among all that were judged by its test rows; empty where nobody counted.
    """

    run: Mapping[str, Any]
    stages: Mapping[str, Stage]
    tags: Mapping[str, str] = field(default_factory=dict)
    proofs: Sequence[str] = ()
    looks: str = ""


def draw_pictures(account: Account) -> Gallery:
    """Return the pictures of a run, and why each that is left out is; they show nothing of the assessment and the remarks."""
    with _uncollected():
        from samebits.report.gallery import hang_pictures  # which imports Matplotlib: who only fills a page has no need of it

        return hang_pictures(account)


def make_report(account: Account, gallery: Gallery | None = None) -> Report:
    """Return the report of a run.

    Parameters
    ----------
    gallery
        What `draw_pictures` gave of this run; None: they are drawn now.
    """
    pictures, left_out = gallery or draw_pictures(account)
    figures = {f"{one.name}.png": one.png for one in pictures} | {f"{one.name}.json": one.values for one in pictures}
    untold = {f"{name}.json": canonical_json(values) for name, values in account.explored.items()}
    figures = untold | figures  # why something is left out is told a second time too
    shown = [{"title": one.title, "caption": one.caption, "svg": Markup(one.svg)} for one in pictures]
    names = [one.name for one in pictures] if account.keeps_figures else []
    page = _render("page.html", pictures=shown, left_out=left_out, figures=_say_files(names), **_tell(account))
    return Report(page.encode("utf-8"), figures)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no garbage meanwhile: among all that Matplotlib makes there is little, and to look for it takes a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def fill_page(page: bytes, run: ThisRun) -> bytes:
    """Return a page with both places filled."""
    level = next((level for level in Level if level == run.tags.get("level")), Level.L0)
    told = {
        "short_id": str(run.run["run_id"])[:_SHORT_ID],
        "started": _say_moment(run.run),
        "level": str(level),
        "levels": [(str(one), means, one == level) for one, means in _LEVELS.items()],
        "proved": _describe_proof(run.tags, run.proofs),
        "proofs": run.proofs,
        "code": _describe_code(run.stages["code"]),
        "looks": f"It is {run.looks}." if run.looks else "",
        "facts": list_facts(run.run, run.stages),
        "stages": describe_stages(run.stages),
    }
    parts = iter([_render("standing.html", **told), _render("record.html", **told)])
    return fill_places(page, lambda: next(parts).encode("utf-8"))


def is_report(content: bytes) -> bool:
    """Tell whether some bytes are such a page."""
    return content.startswith(b"<!doctype html>") and b'<meta name="generator" content="samebits">' in content[:4096]


def _say_files(names: Sequence[str]) -> str:
    if not names:
        return ""
    listed = ", ".join(f"{FIGURES_FOLDER}{name}.png" for name in names)
    return f"They are files of the run: {listed}; what each shows is there under the same name as .json."


def _render(name: str, **values: Any) -> str:
    return _open_templates().get_template(name).render(values)


@functools.cache
def _open_templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else clean_recorded(str(value)),
        trim_blocks=False,
        cache_size=8,
    )


def _tell(account: Account) -> dict[str, Any]:
    """Return all that the page says, but for the pictures."""
    report = account.config.get("report") or {}
    question = str(report.get("question") or "").strip()
    place = Markup(EMPTY_PLACE)
    return {
        "style": Markup(Path(__file__).with_name("page.css").read_text(encoding="utf-8")),
        "title": question or f"Predicting {account.target}",
        "question": question,
        "task": describe_task(account),
        "rows": describe_rows(account),
        "best": account.stages["cross_validation"]["best"],
        "score": describe_score(account),
        "worth": list_worth(account),
        "promises": list_promises(account),
        "claims": list_claims(account),
        "scoring": find_sign(str(account.stages["cross_validation"].get("scoring", "")))[1],
        "source": report.get("source"),
        "licence": report.get("licence"),
        "split": describe_split(account),
        "cases": list_cases(account),
        "threshold": describe_threshold(account),
        "groups": _list_groups(account),
        "steps": draw_steps(account),
        "rows_name": account.rows_name,
        "remarks": account.remarks,
        "first_remark": " ".join(filter(None, begin_remarks(account.remarks))),
        "dropped": shorten_list([_cut(name, 60) for name in account.config["data"].get("drop") or []], _MOST_DROPPED),
        "limits": [limit.format(_name_other_machines(account)) for limit in _LIMITS],
        "standing": place,
        "record": place,
        **_list_columns(account),
        **_list_candidates(account),
        **_list_metrics(account),
    }


def _name_other_machines(account: Account) -> str:
    profile = account.stages.get("numeric_profile", {})
    other = "machines without AVX2 and FMA" if profile.get("name", "portable") == "portable" else "a machine whose kernels are others"
    return f"{other}, or with another GPU or driver" if "gpu" in (profile.get("torch") or {}) else other


def _list_columns(account: Account) -> dict[str, Any]:
    columns, n_rows = account.baseline.get("columns", {}), max(1, account.baseline.get("n_rows", 1))
    told = [
        {
            "name": _cut(name, 60),
            "kind": one.get("kind", ""),
            "missing": f"{one['n_missing']:,} ({one['n_missing'] / n_rows:.1%})" if one.get("n_missing") else "none",
            "holds": _describe_column(one, n_rows),
        }
        for name, one in list(columns.items())[:_MOST_COLUMNS]
    ]
    more = len(columns) - len(told)
    return {"columns": told, "columns_note": f"; the first {len(told)} of {len(columns)}" if more else ""}


def _describe_column(one: Mapping[str, Any], n_rows: int) -> str:
    if "counts" in one and isinstance(one["counts"], dict):
        most = sorted(one["counts"].items(), key=lambda item: (-item[1], item[0]))[:3]
        shares = ", ".join(f"{_cut(name, 30)} {as_share(count / n_rows)}" for name, count in most)
        return f"{one.get('n_distinct', len(one['counts']))} values: {shares}{', …' if len(one['counts']) > 3 else ''}"
    if "mean" not in one:
        return "nothing but missing values"
    if one.get("kind") == "boolean":
        return f"true in {as_share(one['mean'])}"
    if one.get("kind") == "date":
        first, last = (np.datetime64(0, "D") + np.timedelta64(int(one["edges"][end]), "D") for end in (0, -1))
        return f"{first} to {last}"
    ends = [float(one["edges"][0]), float(one["edges"][-1])]
    shown = [as_quantity(float(value), max(map(abs, ends))) for value in (*ends, one["mean"], one["std"])]
    return "{} to {}, mean {} ± {}".format(*shown)


def _list_candidates(account: Account) -> dict[str, Any]:
    stage = account.stages["cross_validation"]
    scoring = str(stage.get("scoring", ""))
    (sign, metric), name_of = find_sign(scoring), name_metric(scoring)
    models, as_good = account.config.get("models") or {}, account.assessment.get("as_good", [])
    ordered = sorted(stage["candidates"].items(), key=lambda item: -_as_float(item[1]["mean"]))
    told = []
    for name, one in ordered:
        scores = np.array([_as_float(score) for score in one["scores"]])
        is_best = name == stage["best"]
        found = {shorten_key(key, name): value for key, value in take_found(stage, name).items()}
        settings = {key: value for key, value in {**(models.get(name) or {}), **found}.items() if value is not None}
        told.append(
            {
                "name": name,
                "is_best": is_best,
                "mean": as_score(name_of, sign * _as_float(one["mean"])),
                "spread": f"± {as_score(name_of, float(scores.std()))}" if len(scores) > 1 else "–",
                "searched": f"best of {one['n_trials']:,} trials" if found else "",
                "settings": _cut(shorten_list([f"{key} {value}" for key, value in settings.items()], 6)) or "as scikit-learn has them",
                "verdict": "chosen" if is_best else "as good" if name in as_good else "",
            }
        )
    caption = f"{begin(metric)} in the folds, {'less' if sign < 0 else 'more'} is better; spread is a standard deviation"
    return {"candidates": told, "scoring_caption": caption, "search_note": _say_search(stage, name_of, sign)}


def _say_search(stage: dict[str, Any], metric: str, sign: int) -> str:
    """How parameters were searched, and what the search itself is worth where that was asked."""
    search = stage.get("search")
    if search is None:
        return ""
    failed = f", of which {search['n_failed']:,} failed" if search["n_failed"] else ""
    said = f"Parameters were searched ({search['method']}): {search['n_trials']:,} trials{failed}; all are in search.csv."
    nested = [sign * _as_float(fold["score"]) for fold in search.get("nested", [])]
    if nested:
        mean, spread = as_score(metric, float(np.mean(nested))), as_score(metric, float(np.std(nested)))
        said += f" Searched anew without each fold's rows and scored on them, the whole search comes to {mean} ± {spread}."
    return said


def _as_float(value: Any) -> float:
    """What JSON has no number for stands in a lineage as text."""
    return float(value)


def _list_metrics(account: Account) -> dict[str, Any]:
    found, stage = account.assessment, account.stages["metrics"]
    intervals = found.get("uncertainty", {}).get("intervals", {})
    nothing, train = found.get("baseline", {}).get("metrics", {}), stage.get("train", {})
    told = [
        {
            "name": name_in_words(name),
            "is_chosen": name == found.get("metric"),
            "value": as_score(name, value),
            "interval": say_ends(name, intervals[name]) if name in intervals else "–",
            "baseline": as_score(name, nothing.get(name)),
            "train": as_score(name, train.get(name)),
        }
        for name, value in account.metrics.items()
    ]
    n_rows = found.get("n_rows")
    caption = f"Metrics of {account.stages['model']['name']}" + (f" on {n_rows:,} {account.rows_name}" if n_rows else "")
    return {
        "metrics": told,
        "metrics_caption": caption,
        "rows_heading": account.rows_name.capitalize(),
        "has_intervals": bool(intervals),
        "interval_heading": f"{found.get('uncertainty', {}).get('confidence', 0.95):.0%} interval",
        "has_baseline": bool(nothing),
        "has_train": bool(train),
        "result_notes": _note_result(account),
    }


def _note_result(account: Account) -> list[str]:
    found = account.assessment
    if not found:
        return []
    sure, as_good, nothing = found["uncertainty"], found["as_good"], found["baseline"]
    drawn = f"{sure['resampled']} drawn with replacement {sure['n_resamples']:,} times (bootstrap, seed {sure['seed']})"
    if "of_rows" in sure:
        drawn += f", of {sure['of_rows']:,} of them, the widths taken to all by the root of the share"
    strategies = {"prior": "the most frequent class and the classes' shares", "mean": "the mean of the target", "median": "its median"}
    known = strategies.get(nothing["strategy"], nothing["strategy"])
    lines = [" ".join([f"Intervals: {drawn}.", *list_doubts(account)])] if sure["intervals"] else []
    lines += [f"Knowing nothing: a model that answers {known} of the training rows."] if nothing["metrics"] else []
    lines += [f"No {what}, for it failed: {why}." for what, why in found.get(UNMADE, {}).items()]
    if as_good:
        lines.append(
            f"{shorten_list(as_good)} did as well in the folds, within one standard error of the paired differences: the choice among "
            "them is no finding."
        )
    return lines


def _list_groups(account: Account) -> list[dict[str, Any]]:
    told, order = [], list(account.metrics)
    for column, groups in account.assessment.get("groups", {}).items():
        asked = _list_asked(account, column)
        found = {name for one in groups for name in one["metrics"]}
        names = sorted(found, key=lambda name: (name not in asked, order.index(name) if name in order else len(order)))
        names = names[: max(_MOST_GROUP_METRICS, len(asked))]
        rows = [
            {
                "value": _cut(one["value"]),
                "n_rows": f"{one['n_rows']:,}",
                "metrics": [as_score(name, one["metrics"].get(name)) for name in names],
            }
            for one in groups
        ]
        told.append({"column": _cut(column), "metrics": [name_in_words(name) for name in names], "rows": rows})
    return told


def _list_asked(account: Account, column: str) -> set[str]:
    """Return the metrics that whoever reads of a column's groups is sure to look for: the one that chose, and the claimed ones."""
    claims = dict(account.config.get("claims") or {})
    gap = claims.pop("group_gap", None) or {}
    return {str(account.assessment.get("metric")), *claims, *([str(gap["metric"])] if gap.get("column") == column else [])}


def _cut(text: Any, most: int = _MOST_LETTERS) -> str:
    shown = str(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def _say_moment(run: Mapping[str, Any]) -> str:
    return f"{str(run.get('started', ''))[:16].replace('T', ' ')} UTC"


def _describe_proof(tags: Mapping[str, str], proofs: Sequence[str]) -> str:
    made = f"Made again: {tags['verdict']}{_say_day(tags, 'verdict_time')}." if tags.get("verdict") else ""
    held = f"Its record was verified: {tags['verified']}{_say_day(tags, 'verified_time')}, by its tag." if tags.get("verified") else ""
    tried = "What was tried since is told below, as proof so far." if proofs else "When this was written, nobody had made it again."
    return " ".join(filter(None, [made, held])) or tried


def _say_day(tags: Mapping[str, str], name: str) -> str:
    day = tags.get(name, "")[:10]
    return f" on {day}" if day else ""


def _describe_code(code: Mapping[str, Any]) -> str:
    commit = code.get("commit")
    if not commit:
        return "The code is of no commit."
    n_changes = len(code.get("changes") or {})
    unchanged = "itself unchanged, in a tree with other uncommitted files" if code.get("dirty") else "clean"
    tree = f"and {n_changes} changed file{'s' * (n_changes > 1)}, kept with the run" if n_changes else unchanged
    return f"Code: commit {str(commit)[:12]}, {tree}."
