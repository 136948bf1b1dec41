"""`samebits diff LEFT RIGHT`: what differs between two runs or lineages, the most likely cause first."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samebits.commands.diff_windows import BacktestSide, check_kinds, compare_backtests, open_backtest
from samebits.differences.comparison import Comparison, compare_outputs, is_specified_output, list_unlike_unmade, may_be_unmade
from samebits.differences.contents import Side, compare_contents
from samebits.differences.lineages import Difference, diff_lineages, name_cause
from samebits.digests import digest_bytes, digest_file
from samebits.holdings.downloads import list_inner_files
from samebits.holdings.runs import names_file, read_given_file
from samebits.lineage.manifest import (
    INPUT_STAGES,
    find_contradictions,
    find_parting_stage,
    list_parting_outputs,
    read_lineage,
    take_held_back,
    write_lineage,
)
from samebits.project import expand_home, find_project_root
from samebits.text import clean_text, list_in_column, tell, tell_json
from samebits.trust.own_runs import is_own_run
from samebits.verdicts import Verdict

MOST_LISTED = 100_000  # differences of a document, the most likely causes first
_LINES = 6  # of one section, in a terminal
_WIDTH = 132


def run_diff(left: str, right: str, as_json: bool, is_trusted: bool = False) -> Verdict:
    """Compare two runs, print what differs, and return the verdict on their outputs.

    Parameters
    ----------
    is_trusted
        Ask the places that the runs name for their tables and commits too.

    Raises
    ------
    TrackingError, LineageError
        There is no such run, or it is not finished.
    """
    root = find_project_root()
    with contextlib.ExitStack() as stack:
        opened = list(stack.enter_context(_open_sides([left, right], root)))
        if any(isinstance(side, BacktestSide) for side in opened):
            return _diff_backtests(opened, root, as_json, is_trusted)
        compared = _compare_runs(opened, root, is_trusted)
    if as_json:
        tell_json(_make_document(*compared))
    else:
        _print_screen(*compared)
    return compared[1].verdict


def _compare_runs(
    opened: list[Side | BacktestSide], root: Path, is_trusted: bool
) -> tuple[list[Side], Comparison, list[Difference], dict[str, Any]]:
    left, right = sides = [side for side in opened if isinstance(side, Side)]
    differences = diff_lineages(left.lineage, right.lineage)
    contents = compare_contents(left, right, [root], is_trusted or all(map(_is_own, sides)))
    return sides, _compare(left, right), differences, contents


def _diff_backtests(opened: list[Side | BacktestSide], root: Path, as_json: bool, is_trusted: bool) -> Verdict:
    """Say of two backtests which window is the first to part, and what differs between the two runs of it."""
    compared = compare_backtests(*check_kinds(opened))
    document = compared.as_document()
    if not as_json:
        tell(*compared.list_lines())
    if compared.parting is not None:
        with _open_sides(list(compared.parting), root) as sides:
            of_window = _compare_runs(sides, root, is_trusted)
        if not as_json:
            _print_screen(*of_window)
        document |= {"first_unequal_window": _make_document(*of_window)}
    if as_json:
        tell_json(document)
    return compared.verdict


@contextlib.contextmanager
def _open_sides(references: list[str], root: Path) -> Iterator[list[Side | BacktestSide]]:
    """A lineage file is read as it is, with the artifacts that lie beside it; a server is asked only for what is no file."""
    here = Path.cwd()
    paths = [here / expand_home(reference) for reference in references]
    with contextlib.ExitStack() as stack:
        sides: list[Side | BacktestSide] = []
        for reference, path in zip(references, paths, strict=True):
            if names_file(str(path)):
                sides.append(_read_side(reference, path))
                continue
            from samebits.delivery.offline import connect_for

            sides.append(stack.enter_context(_open_run(*connect_for(reference, root))))
        yield sides


def _is_own(side: Side) -> bool:
    """Tell whether this user made the run here, so that what it names is where this user put it."""
    return is_own_run(str(side.lineage["run"].get("run_id")), digest_bytes(write_lineage(side.lineage)))


def _read_side(name: str, path: Path) -> Side:
    lineage = read_lineage(read_given_file(path), str(path))
    return Side(name, lineage, list_inner_files(path.parent, lineage["artifacts"]))


@contextlib.contextmanager
def _open_run(client: Any, reference: str) -> Iterator[Side | BacktestSide]:
    from samebits.holdings.runs import open_recorded_run

    with open_recorded_run(client, reference) as recorded:
        if recorded.is_backtest:
            yield open_backtest(recorded)
            return
        lineage = recorded.read_lineage()
        yield Side(f"run {recorded.run_id}", lineage, recorded.files, recorded.archive, str(recorded.run.info.status))


def _compare(left: Side, right: Side) -> Comparison:
    """Artifacts count as they are where they are at hand; between lineages alone, as they were recorded."""
    parting_stage = find_parting_stage(left.lineage, right.lineage)
    if (left.status, right.status) != ("FINISHED", "FINISHED"):
        return Comparison(Verdict.INCONCLUSIVE, parting_stage=parting_stage)
    if left.archive is not None and right.archive is not None:
        comparison = compare_outputs(left.lineage, right.lineage, left.files, right.files)
    else:
        comparison = _compare_records(left, right, parting_stage)
    sides = {"left": left, "right": right}
    contradicted = {f"{label} {name}": "contradicts its lineage" for label in sides for name in _list_contradictions(sides[label])}
    if contradicted and comparison.verdict == Verdict.IDENTICAL:  # equal digests of what is not what they say
        return Comparison(Verdict.INCONCLUSIVE, artifacts=contradicted, parting_stage=parting_stage)
    return comparison


def _compare_records(left: Side, right: Side, parting_stage: str | None) -> Comparison:
    """Where a side is a file, what it says of its outputs stands for them; what is at hand of either must be what it says."""
    stages = list_parting_outputs(left.lineage, right.lineage)
    unmade = list_unlike_unmade(left.lineage, right.lineage)
    expected = [_list_outputs(side) for side in (left, right)]
    unequal = {name: "not equal" for name in sorted(expected[0] | expected[1]) if expected[0].get(name) != expected[1].get(name)}
    unequal = {name: what for name, what in unequal.items() if not (unmade and may_be_unmade(name))}
    for label, side in (("left", left), ("right", right)):
        unequal |= {f"{label} {name}": "not what its own run recorded" for name in _list_damaged(side)}
    verdict = Verdict.DIFFERENT if stages or unequal else Verdict.INCONCLUSIVE if unmade else Verdict.IDENTICAL
    return Comparison(verdict, stages, unequal, parting_stage, unmade if verdict == Verdict.INCONCLUSIVE else [])


def _list_outputs(side: Side) -> dict[str, str]:
    return {name: record["digest"] for name, record in side.lineage["artifacts"].items() if is_specified_output(name)}


def _list_damaged(side: Side) -> list[str]:
    expected = _list_outputs(side)
    present = {name: digest_file(path) for name, path in side.files.items() if is_specified_output(name)}
    missing = set(expected) - set(present) if side.archive is not None else set()
    return sorted(missing | {name for name, digest in present.items() if expected.get(name) != digest})


def _list_contradictions(side: Side) -> list[str]:
    return [name for name, _, _ in find_contradictions(side.lineage)]


def _list_not_checked(sides: list[Side]) -> list[str]:
    found = ["whether either record is still what it was: `samebits verify RUN`"]
    if any(side.archive is None for side in sides):
        found.append("artifacts that do not lie beside a side that is a file: only what its lineage says of them")
    return found


def _make_document(
    sides: list[Side], comparison: Comparison, differences: list[Difference], contents: dict[str, Any]
) -> dict[str, Any]:
    return {
        "left": sides[0].name,
        "right": sides[1].name,
        "verdict": comparison.verdict,
        "parting_stage": comparison.parting_stage,
        "cause": name_cause(differences) if comparison.verdict != Verdict.IDENTICAL or any(d.decides for d in differences) else None,
        "unequal_stages": comparison.stages,
        "unequal_artifacts": comparison.artifacts,
        "differences": [vars(difference) for difference in differences[:MOST_LISTED]],
        "differences_left_out": max(len(differences) - MOST_LISTED, 0),
        **contents,
        "not_checked": _list_not_checked(sides),
    }


def _print_screen(sides: list[Side], comparison: Comparison, differences: list[Difference], contents: dict[str, Any]) -> None:
    for label, side in zip(("left", "right"), sides, strict=True):
        tell(f"{label:11} {side.name}  {side.lineage['run'].get('started', '')}")
    unequal = ", ".join([*comparison.stages, *_list_unexplained(comparison)]) or "every specified output equal to the bit"
    unequal = "; ".join([unequal, *comparison.unmade])
    _print_section("verdict", [f"{comparison.verdict}: {unequal}"])
    if comparison.parting_stage:
        _print_section("parts at", [comparison.parting_stage])
    if comparison.verdict != Verdict.IDENTICAL and not comparison.unmade:
        _print_section("likely cause", [name_cause(differences)])
    for stage in INPUT_STAGES:
        _print_section(stage, _describe_stage(stage, differences, contents))
    _print_section("model", _describe_model(contents.get("model")))
    _print_section("predictions", _describe_predictions(contents.get("predictions")))
    _print_section("metrics", _describe_metrics(sides, comparison))
    n_facts = sum(not found.decides for found in differences)
    tell(f"{'facts':11} {n_facts} further leaves differ that decide nothing (times, paths, digests, outputs): --json lists them")
    _print_section("not checked", _list_not_checked(sides))


def _list_unexplained(comparison: Comparison) -> list[str]:
    """An artifact that is not equal is said only where no stage says so already."""
    return [f"{name} ({what})" for name, what in comparison.artifacts.items() if what != "not equal" or not comparison.stages]


def _print_section(label: str, lines: list[str]) -> None:
    shown = lines if len(lines) <= _LINES else [*lines[: _LINES - 1], f"… {len(lines) - _LINES + 1} more: --json"]
    tell(*list_in_column(label, [line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…" for line in map(clean_text, shown)]))


def _describe_stage(stage: str, differences: list[Difference], contents: dict[str, Any]) -> list[str]:
    own = [found for found in differences if found.stage == stage and found.decides]
    if stage == "data" and own:
        return [f"{own[0].left} -> {own[0].right}", *_describe_table(contents.get("data", {}))]
    if stage == "code" and own:
        return _describe_code(own, contents.get("code", {}))
    prefix = {"config": "stages.config.resolved.", "steps": "stages.steps.steps.", "environment": "stages.environment.packages."}.get(
        stage, f"stages.{stage}."
    )
    return [f"{found.path.removeprefix(prefix)}: {_show(found.left, found)} -> {_show(found.right, found)}" for found in own]


def _show(value: Any, difference: Difference) -> str:
    if value is None and difference.kind != "changed":
        return "absent"
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return f"{text[:19]}…" if text.startswith("sha256:") else text


def _describe_code(own: list[Difference], code: dict[str, Any]) -> list[str]:
    commits = [f"commit {found.left} -> {found.right}" for found in own if found.path.endswith(".commit")]
    if "not_compared" in code or not code:
        files = [found.path.removeprefix("stages.code.changes.") for found in own if ".changes." in found.path]
        return [*commits, *files, f"no patch: {code.get('not_compared', 'not made')}"]
    hunks = [line for line in code["patch"].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    files = [f"{len(code['files'])} files: {', '.join(code['files'])}"] if code["files"] else []
    return [*commits, *(files or ["the same files"] * bool(commits)), *_list_untold(own, code["files"]), *hunks]


def _list_untold(own: list[Difference], files: list[str]) -> list[str]:
    """Return what no patch between the two trees shows: in both lies a config that is the one run's own, and to the other a change."""
    leaves = {found.path.removeprefix("stages.code.").removeprefix("changes."): found for found in own}
    if "commit" in leaves:
        return []
    changed = [name for name, found in leaves.items() if ".changes." in found.path and name not in files]
    untold = changed if files or changed else list(leaves)
    return [f"{name}: {_show(leaves[name].left, leaves[name])} -> {_show(leaves[name].right, leaves[name])}" for name in untold]


def _describe_table(table: dict[str, Any]) -> list[str]:
    if "not_compared" in table or not table:
        return [f"rows not compared: {table.get('not_compared', 'not made')}"]
    key = f"by {', '.join(table['key'])}" if table["key"] else "by position"
    lines = [
        f"rows {table['n_rows_left']} -> {table['n_rows_right']} {key}: "
        f"{table['rows_changed']} changed, {table['rows_added']} added, {table['rows_removed']} removed"
        + (", in another order" if table["rows_reordered"] else "")
    ]
    if table["columns_added"] or table["columns_removed"]:
        added, removed = (", ".join(table[name]) or "none" for name in ("columns_added", "columns_removed"))
        lines.append(f"columns added: {added}; removed: {removed}")
    if table["examples"]:
        example = table["examples"][0]
        lines.append(f"such as {example['column']} of row {example['row']}: {example['left']} -> {example['right']}")
    return lines


def _describe_model(model: dict[str, Any] | None) -> list[str]:
    if model is None:
        return []
    if "not_compared" in model:
        return [f"not equal; fitted content not compared: {model['not_compared']}"]
    return [f"{found['path']}: {found['what']}" for found in model["differences"]]


def _describe_predictions(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    if "not_compared" in found:
        return [f"not equal; rows not compared: {found['not_compared']}"]
    by_class = ", ".join(f"{label} {count}" for label, count in found["flips_by_class"].items())
    flips = f"{found['n_flips']} labels flip" + (f" ({by_class})" if by_class else "")
    lines = [f"{flips}; {found['n_changed']} of {found['n_left']} rows change"]
    if found["largest_change_row"] is not None:
        largest = ", ".join(f"{label} {change:.3g}" for label, change in found["largest_change_by_class"].items()) or "none"
        lines.append(f"largest change {found['largest_change']:.6g}, at row {found['largest_change_row']}; per class: {largest}")
    if found["only_left"] or found["only_right"]:
        lines.append(f"rows on one side only: {len(found['only_left'])} left, {len(found['only_right'])} right (another split)")
    return lines


def _describe_metrics(sides: list[Side], comparison: Comparison) -> list[str]:
    """Equal metrics hide changed models, so both are said."""
    stages = [side.lineage["stages"]["metrics"] for side in sides]
    left, right = (take_held_back(stage)[1] for stage in stages)
    changed = [f"{name} {left.get(name)} -> {right.get(name)}" for name in sorted(left | right) if left.get(name) != right.get(name)]
    if "model" not in comparison.stages:
        return changed
    if not changed:
        return ["all equal, and yet the models differ"]
    equal = [name for name in ("accuracy", "r2") if name in left and left[name] == right.get(name)]
    return [*(f"{name} {left[name]} in both, and yet the models differ" for name in equal), *changed]
