"""How a run and a proof show themselves in a notebook: small tables and the run's own pictures, with no script or style sheet.

All text in them is a stranger's until it is escaped; a picture is one by its first bytes, and there are no more and no larger ones
than a notebook should carry. A report is shown in a frame in which nothing runs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from samebits.config.catalog import name_metric
from samebits.lineage.found_values import describe_found
from samebits.lineage.manifest import take_held_back
from samebits.lineage.standing import describe_standing
from samebits.lineage.tracked_values import name_score, turn_score
from samebits.text import clean_text

MOST_PICTURES = 6
MOST_PICTURE_BYTES = 400 << 10
_MOST_ROWS = 12
_ROWS = {"test": "the test rows", "out_of_fold": "the folds' rows"}
_TYPED = re.compile("`([^`]*)`")
_PNG = b"\x89PNG\r\n\x1a\n"
_CELL = "text-align:left;vertical-align:top;padding:3px 12px 3px 0;border-bottom:1px solid rgba(128,128,128,.35)"
_WORDS = f"{_CELL};overflow-wrap:anywhere"
_NUMBER = f"{_CELL};text-align:right;font-variant-numeric:tabular-nums"
_BLOCK = "font-family:system-ui,sans-serif;font-size:14px;line-height:1.45;max-width:60em;color:inherit"
_HEADING = "font-weight:600;margin:12px 0 4px"
_TABLE = "border-collapse:collapse;background:none;color:inherit"
_FETCH_NOTHING = (  # of a page that a stranger may have written
    "<!doctype html>"
    "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
)


def show_run(run_id: str, name: str, tags: Mapping[str, str], lineage: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Return the HTML of a run: the four answers, its metrics, its candidates, what was remarked, its pictures."""
    stages = lineage["stages"]
    answers = [("What", _say_what(stages)), ("How good", _say_how_good(stages)), ("Trusted", _say_trust(tags))]
    parts = [
        f"<div style='{_HEADING}'>{_say(name)} <code>{_say(run_id)}</code></div>",
        _table([*((label, _say(text)) for label, text in answers), ("Again", f"<code>samebits reproduce {_say(run_id)}</code>")]),
        _show_lines("Claimed", _list_claims(stages.get("assessment", {}))),
        _show_lines("Remarked", lineage.get("remarks", [])),
        _section("Metrics", _show_metrics(stages["metrics"])),
        _section("Candidates", _show_candidates(stages["cross_validation"])),
        *_show_pictures(pictures),
    ]
    return f"<div style='{_BLOCK}'>{''.join(parts)}</div>"


def show_backtest(run_id: str, summary: Mapping[str, Any], windows: Sequence[str]) -> str:
    """Return the HTML of a backtest: the mean over its windows, and each of them with its run."""
    metric, heads = summary["metric"], ("Cut-off", summary["metric"], "low", "high", "baseline", "Run")
    rows = [
        (str(told["cutoff"]), *(_number(told[name]) for name in ("value", "low", "high", "baseline")), one)
        for told, one in zip(summary["windows"], windows, strict=True)
    ]
    mean = f"{metric} {_number(summary['mean'][metric])} over {len(rows)} windows"
    heading = f"<div style='{_HEADING}'>backtest <code>{_say(run_id)}</code></div>"
    answers = [("How good", _say(mean)), ("Again", f"<code>samebits reproduce {_say(run_id)}</code>")]
    return f"<div style='{_BLOCK}'>{heading}{_table(answers)}{_section('Windows', _grid(heads, rows[:_MOST_ROWS]))}</div>"


def show_outcome(
    of: str, verdict: str, level: str | None, reasons: Sequence[str], differences: Sequence[Mapping[str, Any]], unseen: Sequence[str]
) -> str:
    """Return the HTML of a proof: the verdict first, then why, what differs, and what was not looked at."""
    sign = "=" if verdict == "IDENTICAL" else "?" if verdict == "INCONCLUSIVE" else "≠"
    rows = [("Of", f"<code>{_say(of)}</code>"), *([("Level", _say(level))] if level else [])]
    rows += [("Why", _list(reasons))] if reasons else []
    more = [f"… and {len(differences) - _MOST_ROWS:,} more in its `differences`"] if len(differences) > _MOST_ROWS else []
    rows += [("Differences", _list([*map(_say_difference, differences[:_MOST_ROWS]), *more]))] if differences else []
    rows += [("Not checked", _list(unseen))] if unseen else []
    return f"<div style='{_BLOCK}'><div style='{_HEADING};font-size:16px'>{sign} {_say(verdict)}</div>{_table(rows)}</div>"


def show_page(html: str) -> str:
    """Return a whole page in a frame that runs none of its scripts and has no access to the notebook."""
    frame = "title='Report of the run' style='width:100%;height:640px;border:0'"
    return f"<iframe sandbox='' srcdoc='{escape(_FETCH_NOTHING + html)}' {frame}></iframe>"


def _say(text: Any) -> str:
    return escape(clean_text(str(text)))


def _say_what(stages: Mapping[str, Any]) -> str:
    resolved, data = stages["config"]["resolved"], stages["data"]
    name = f"{resolved.get('name')} {stages['config'].get('version', '')}".strip()
    classes = f" of {data.get('path')}, {data.get('n_rows', 0):,} rows"
    return f"{name}: {stages['model'].get('name')} for {resolved['data'].get('target')}{classes}"


def _say_how_good(stages: Mapping[str, Any]) -> str:
    scores = stages["cross_validation"]
    rows, metrics = take_held_back(stages["metrics"])
    metric = name_metric(str(scores["scoring"]))
    worth = _say_worth(stages.get("assessment", {}), metric)
    held_back = f"{metric} {metrics[metric]:.4f} on {_ROWS[rows]}{worth}; " if isinstance(metrics.get(metric), float) else ""
    mean, spread = _measure(scores, scores["best"])
    return f"{held_back}cross-validated {name_score(scores['scoring'])} {mean:.4f} ± {spread:.4f}"


def _say_worth(assessment: Mapping[str, Any], metric: str) -> str:
    """How far the score may be off, and what knowing nothing scores; a run that was made before this was assessed has neither."""
    uncertainty, nothing = assessment.get("uncertainty", {}), assessment.get("baseline", {}).get("metrics", {}).get(metric)
    ends = uncertainty.get("intervals", {}).get(metric)
    said = [f"{uncertainty['confidence']:.0%} interval {float(ends[0]):.4f} to {float(ends[1]):.4f}"] if ends else []
    said += [f"knowing nothing scores {float(nothing):.4f}"] if nothing is not None else []
    return f" ({'; '.join(said)})" if said else ""


def _list_claims(assessment: Mapping[str, Any]) -> list[str]:
    from samebits.report.words import describe_claim  # which imports pandas

    return [f"{'kept' if one['kept'] else 'BROKEN'}: {describe_claim(one)}" for one in assessment.get("claims", [])]


def _say_trust(tags: Mapping[str, str]) -> str:
    line = describe_standing(tags).partition("** ")[2]
    return re.sub(r"\\(.)|`", lambda found: found[1] or "", line)


def _measure(stage: Mapping[str, Any], name: str) -> tuple[float, float]:
    """Return a candidate's score over the folds as a page has it, an error as a positive number, and its spread."""
    candidate = stage["candidates"][name]
    scores, mean = [float(score) for score in candidate.get("scores", [])], float(candidate["mean"])
    spread = (sum((score - mean) ** 2 for score in scores) / len(scores)) ** 0.5 if scores else 0.0
    return turn_score(stage["scoring"], mean), spread


def _show_metrics(metrics: dict[str, Any]) -> str:
    rows, held_back = take_held_back(metrics)
    train = metrics.get("train", {})
    head = ("Metric", _ROWS[rows].removeprefix("the "), "training rows")
    return _grid(head, [(name, _number(value), _number(train.get(name))) for name, value in list(held_back.items())[:_MOST_ROWS]])


def _show_candidates(scores: Mapping[str, Any]) -> str:
    ordered = sorted(scores["candidates"].items(), key=lambda item: (item[0] != scores["best"], -float(item[1]["mean"])))
    rows = [
        (name, *(f"{value:.4f}" for value in _measure(scores, name)), describe_found(scores, name)) for name, _ in ordered[:_MOST_ROWS]
    ]
    heads = ("Candidate", name_score(scores["scoring"]), "± over folds", "Found by search")
    return _grid(heads, rows) if "search" in scores else _grid(heads[:3], [row[:3] for row in rows])


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)


def _show_lines(title: str, lines: Sequence[str]) -> str:
    return _section(title, _list(lines)) if lines else ""


def _show_pictures(pictures: Mapping[str, bytes]) -> list[str]:
    return [_show_picture(name, content) for name, content in pictures.items() if content.startswith(_PNG)][:MOST_PICTURES]


def _show_picture(name: str, content: bytes) -> str:
    data, title = base64.b64encode(content).decode("ascii"), _say(Path(name).stem.replace("_", " "))
    image = f"<img alt='{title}' src='data:image/png;base64,{data}' style='max-width:100%;width:28em;background:#fff'>"
    return f"<figure style='margin:8px 0'>{image}<figcaption>{title}</figcaption></figure>"


def _say_difference(difference: Mapping[str, Any]) -> str:
    """Say one of any proof's differences: of a check, of an output, or of a leaf of two lineages."""
    name = difference.get("path") or difference.get("name")
    if "recorded" in difference:
        return f"{name}: recorded {difference['recorded']}, observed {difference['observed']}"
    if "what" in difference:
        return f"{name}: {difference['what']}"
    is_changed = difference.get("kind") == "changed"
    left, right = (
        "absent" if difference.get(side) is None and not is_changed else str(difference.get(side)) for side in ("left", "right")
    )
    return f"{name}: {left} → {right}"


def _section(title: str, body: str) -> str:
    return f"<div style='{_HEADING}'>{escape(title)}</div>{body}"


def _list(lines: Iterable[str]) -> str:
    """Sentences, in which what stands in backticks is to be typed."""
    shown = (_TYPED.sub(r"<code>\1</code>", _say(line)) for line in lines)
    return "".join(f"<div>{line}</div>" for line in shown)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """Rows of a label and what is HTML already."""
    body = "".join(
        f"<tr><th scope='row' style='{_CELL};white-space:nowrap'>{escape(label)}</th><td style='{_WORDS}'>{cell}</td></tr>"
        for label, cell in rows
    )
    return f"<table style='{_TABLE}'>{body}</table>"


def _grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of a name and numbers, all plain text."""
    styles = [_CELL, *([_NUMBER] * (len(head) - 1))]
    top = "".join(f"<th scope='col' style='{style}'>{_say(cell)}</th>" for style, cell in zip(styles, head, strict=True))
    lines = ("".join(f"<td style='{style}'>{_say(cell)}</td>" for style, cell in zip(styles, row, strict=True)) for row in rows)
    return f"<table style='{_TABLE}'><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
