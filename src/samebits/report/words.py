"""What the page says in sentences: the task, the split, the score and what it is worth, the threshold, the proof so far.

Every sentence is plain text: what is between tags is escaped where the page is laid out. Nothing is said of code, environment or
place but in `describe_stages`, since runs that differ in those alone have equal outputs, and this page is one. Neither NumPy nor
pandas is imported: `train --reuse` tells claims in these words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from samebits.config.catalog import name_metric
from samebits.lineage.manifest import INPUT_STAGES, STAGES
from samebits.lineage.step_stage import has_steps, place_steps
from samebits.text import shorten_list

if TYPE_CHECKING:
    from samebits.report.account import Account

_MOST_LABELS = 8  # of a target of more classes
_LONGEST_WORK = 120  # letters
_PER = 1000
_FIRST_LETTERS = 110  # of a remark that a card has room for
_MOST_WRITTEN = 1e15  # in digits alone
_NOISE = 1e-12  # of a score that is no quantity of the target's own unit: what is less is what adding rounds
_IN_TARGETS_UNIT = ("rmse", "mae", "median_absolute_error", "max_error")
_NO_WORDS = ("true", "false", "yes", "no", "on", "off", "none", "positive", "negative")
_ORDER = list(STAGES)
_WHAT_DECIDES = {
    "code": "the program: samebits' own files, the commit, and each changed file beside it",
    "config": "every key of the config that can change a result",
    "steps": "each step that made the table: its work, and the digests of its inputs, modules and outputs",
    "data": "every byte of the table",
    "environment": "the Python version and each package with its version",
    "numeric_profile": "threads, kernels, and what they compute of known numbers",
    "seeds": "the root seed and each seed derived from it",
    "split": "which rows train, which test, and which are in each fold",
    "cross_validation": "each candidate's score in each fold, and which was chosen",
    "model": "what the chosen model learned, number by number",
    "threshold": "the response at and above which a row is called positive",
    "predictions": "what the model said of each row held back",
    "metrics": "how good that is, and on the training rows",
    "drift_baseline": "what each column looked like in training",
    "assessment": "intervals, baseline, groups and claims",
    "report": "this page, but for what it says of this one run, and its pictures",
}
_NAMES = {
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "roc_auc": "ROC AUC",
    "roc_auc_ovr": "ROC AUC, one against the rest",
    "brier_score": "Brier score",
    "matthews_corrcoef": "Matthews correlation",
}


def describe_task(account: Account) -> str:
    """Return what is predicted."""
    if account.task == "regression":
        return f"How much {account.target} is"
    if account.task == "binary":
        return f"Whether {account.target} is {account.positive} or {account.negative}"
    labels = shorten_list(account.labels, _MOST_LABELS)
    return f"Which of {len(account.labels)} classes of {account.target} a row is: {labels}"


def describe_rows(account: Account) -> str:
    """Return how many rows there were, and for what."""
    split, n_columns = account.stages["split"], len(list_features(account))
    n_rows = account.stages["data"].get("n_rows")
    held = f", {split['n_test']:,} held back to test" if split.get("n_test") else ", none held back"
    rows = f"{n_rows:,} rows: " if n_rows is not None else ""
    return f"{rows}{split.get('n_train', 0):,} to train{held}; {n_columns} columns to learn from."


def list_features(account: Account) -> list[str]:
    """Return the columns that the model learns from, as the baseline names them."""
    return list(account.baseline.get("columns", {})) or [
        name for name in account.stages["data"].get("columns", {}) if name != account.target
    ]


def name_in_words(metric: str) -> str:
    """Return a metric's name as a sentence has it.

    >>> name_in_words("average_precision"), name_in_words("rmse"), name_in_words("r2")
    ('average precision', 'RMSE', 'R²')
    """
    return _NAMES.get(metric, metric.replace("_", " ").replace("f1", "F1"))


def find_sign(scoring: str) -> tuple[int, str]:
    """Return what a score is multiplied with to be its metric, and the metric's name: errors are told as positive numbers.

    >>> find_sign("neg_mean_squared_error"), find_sign("r2")
    ((-1, 'mean squared error'), (1, 'R²'))
    """
    return (-1 if scoring.startswith("neg_") else 1), name_in_words(name_metric(scoring).removeprefix("neg_"))


def name_class(account: Account, label: str) -> str:
    """Return a class as a sentence names it: with its column, where one of the classes alone says nothing, such as 1 or yes."""
    return label if all(map(_is_word, account.labels)) else f"{account.target} = {label}"


def _is_word(label: str) -> bool:
    return sum(letter.isalpha() for letter in label) > 1 and label.lower() not in _NO_WORDS


def name_quantity(account: Account, named: str) -> str:
    """Return what was asked of the model, such as `response for 1`, with the class as a sentence names it."""
    for words in ("response for ", "probability of ", "share called "):
        if account.task != "regression" and named.startswith(words):
            return f"{words}{name_class(account, named.removeprefix(words))}"
    return named


def join_names(names: list[str]) -> str:
    """Return names as a sentence lists them.

    >>> join_names(["a", "b", "c"]), join_names(["a"])
    ('a, b and c', 'a')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def begin(sentence: str) -> str:
    """Return words with a capital letter at the beginning, the others as they are."""
    return sentence[:1].upper() + sentence[1:]


def as_number(value: Any) -> str:
    """Return a number as a table shows it; what is none as a dash.

    >>> as_number(0.99429), as_number(56.21), as_number(12345.6), as_number(None)
    ('0.9943', '56.21', '12,346', '–')
    >>> as_number(0.0), as_number(-0.0), as_number(1.0), as_number(float("inf")), as_number(9.99e8)
    ('0', '0', '1', 'inf', '999,000,000')
    """
    if not isinstance(value, int | float) or value != value:
        return "–" if value is None or value != value else str(value)
    size = abs(value)
    if size < 1000 and value == round(value):
        return f"{value + 0.0:.0f}"
    if size >= _MOST_WRITTEN or 0 < size < 1e-4:
        return f"{value:.3g}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.2f}" if size >= 10 else f"{value:.4f}"


def as_score(metric: str, value: Any) -> str:
    """Return a score as a table shows it: what rounding left of nothing is nothing.

    >>> as_score("explained_variance", -2.22e-16), as_score("rmse", 2e-13), as_score("r2", 0.5)
    ('0', '2e-13', '0.5000')
    """
    is_noise = isinstance(value, float) and abs(value) < _NOISE and metric not in _IN_TARGETS_UNIT
    return as_number(0.0 if is_noise else value)


def as_quantity(value: float, scale: float = 0.0) -> str:
    """Return a quantity of a column with as many digits as say something; beside one of that scale, what rounding left is nothing.

    >>> as_quantity(0.42), as_quantity(80.0), as_quantity(999_000_000.0), as_quantity(56.21749), as_quantity(-1e-17, scale=3.0)
    ('0.42', '80', '999,000,000', '56.22', '0')
    """
    size = abs(value)
    if size == 0 or size < _NOISE * scale:
        return "0"
    return f"{value:,.0f}" if 1000 <= size < _MOST_WRITTEN else f"{value:.4g}"


def as_share(share: float) -> str:
    """Return a share in whole percent, where what is not none or all is not called so.

    >>> as_share(0.5), as_share(0.0), as_share(0.002), as_share(0.998)
    ('50%', '0%', '<1%', '>99%')
    """
    if 0 < share < 0.005:
        return "<1%"
    return ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def describe_score(account: Account) -> str:
    """Return the metric that chose, on the rows nobody chose by."""
    if not account.assessment:
        name = next(iter(account.metrics), None)
        return "No metric" if name is None else f"{begin(name_in_words(name))} {as_score(name, account.metrics[name])}"
    return (
        f"{begin(name_in_words(account.assessment['metric']))} {as_score(account.assessment['metric'], account.assessment['value'])}"
    )


def list_worth(account: Account) -> list[str]:
    """Return what a score is worth, a sentence each: how sure, against what, and whether others were as good."""
    found, split = account.assessment, account.stages["split"]
    n_rows = found.get("n_rows", split.get("n_test") or split.get("n_train"))
    where = f"On {n_rows:,} {account.rows_name}"
    if not found:
        return [f"{where}."]
    metric, lines = found["metric"], []
    ends = found["uncertainty"]["intervals"].get(metric)
    sure = f"{found['uncertainty']['confidence']:.0%} interval {say_ends(metric, ends)}" if ends else "no interval"
    sure += ", which is no certainty (see the result)" if ends and is_point(metric, ends) else ""
    better = "less is better" if found["lower_is_better"] else "more is better"
    lines.append(f"{where}; {sure}; {better}.")
    nothing = found["baseline"]["metrics"].get(metric)
    if nothing is not None:
        lines.append(f"Without looking at any column: {as_score(metric, nothing)}.")
    if found["as_good"]:
        lines.append(f"In the folds as good: {shorten_list(found['as_good'])}.")
    return lines


def say_ends(metric: str, ends: Sequence[float]) -> str:
    """Return an interval in words."""
    return " to ".join(as_score(metric, end) for end in ends)


def is_point(metric: str, ends: Sequence[float]) -> bool:
    """Tell whether an interval is shown with two equal ends."""
    return as_score(metric, ends[0]) == as_score(metric, ends[1])


def list_doubts(account: Account) -> list[str]:
    """Return where intervals promise more than they hold: of rows that are alike, and with two equal ends."""
    sure = account.assessment["uncertainty"]
    if not sure["intervals"]:
        return []
    doubts, points = [], [name for name, ends in sure["intervals"].items() if is_point(name, ends)]
    if sure["resampled"] == "rows" and _is_in_order(account.config):
        doubts.append(
            "Rows were drawn one by one, though those that are near each other in time are often alike: the intervals are then too "
            "narrow."
        )
    if points:
        doubts.append(
            f"An interval of two equal ends ({shorten_list(map(name_in_words, points))}) is no certainty: it says only that none of "
            "these rows shows another value."
        )
        doubts += _list_rules_of_three(account, points)
    return doubts


def _is_in_order(config: Mapping[str, Any]) -> bool:
    split, cv = config.get("split") or {}, config.get("cv") or {}
    classes = f"{split.get('class')} {cv.get('class')}"
    return split.get("method") in ("time", "order") or "TimeSeries" in classes


def _list_rules_of_three(account: Account, points: list[str]) -> list[str]:
    """Return what no error among so many rows leaves possible: Hanley and Lippman-Hand, 1983, at 95%."""
    if account.task == "regression" or len(account.recorded) == 0:
        return []
    is_wrong = account.recorded != account.predicted
    parts = {"": is_wrong | ~is_wrong}  # every row
    if account.task == "binary" and is_wrong.any():
        name = name_class(account, account.positive)
        called = {"precision": ("called", account.predicted), "recall": ("of", account.recorded)}
        parts = {f" {word} {name}": values == account.positive for key, (word, values) in called.items() if key in points}
    more = "" if account.assessment["uncertainty"]["resampled"] == "rows" else ", and of more where rows of a group are alike"
    return [
        f"No error in {n:,} {account.rows_name}{which} is compatible with an error rate of up to {min(1.0, 3 / n):.1%}{more} (3/n, "
        "the rule of three)."
        for which, rows in parts.items()
        if (n := int(rows.sum())) and not is_wrong[rows].any()
    ]


def list_promises(account: Account) -> list[tuple[bool, str, str]]:
    """Return what was wished for or claimed beforehand: whether it came true, in a word, and what came."""
    found = list_claims(account)
    wanted = (account.config.get("business") or {}).get("target_precision")
    precision = account.metrics.get("precision")
    if wanted is not None and precision is not None:
        kept = precision >= wanted
        word = "Met" if kept else "Missed"
        found.insert(
            0, (kept, word, f"precision {as_score('precision', precision)} on the {account.rows_name}, wished for {wanted:g}")
        )
    return found


def list_claims(account: Account) -> list[tuple[bool, str, str]]:
    """Return what was claimed before training, likewise."""
    claims = account.assessment.get("claims", [])
    return [(bool(one["kept"]), "Kept" if one["kept"] else "Broken", describe_claim(one)) for one in claims]


def describe_claim(one: Mapping[str, Any]) -> str:
    """Return a judged claim and what came of it.

    >>> describe_claim({"claim": "average_precision", "at_least": 0.9, "found": 0.95123, "kept": True})
    'average precision 0.9512, claimed at least 0.9'
    """
    words = {"at_least": "at least", "at_most": "at most"}
    bounds = " and ".join(f"{text} {one[name]:.15g}" for name, text in words.items() if name in one)
    found = "not computed" if one.get("found") is None else as_score(str(one["claim"]), one["found"])
    without = f" (not computed for {shorten_list(map(str, one['left_out']))})" if one.get("left_out") else ""
    return f"{_name_claim(str(one['claim']))} {found}{without}, claimed {bounds}"


def _name_claim(claim: str) -> str:
    """A metric, or the gap of one between groups of a column, whose name stays as the table has it."""
    metric, between, column = claim.removeprefix("gap of ").partition(" between groups of ")
    return f"gap of {name_in_words(metric)}{between}{column}" if between else name_in_words(claim)


def describe_split(account: Account) -> list[str]:
    """Return how the rows were divided, a sentence each."""
    split, cv = account.config.get("split") or {}, account.config.get("cv") or {}
    lines = [_describe_holding_back(account, split), _describe_folds(account, split, cv)]
    rules = account.config["data"].get("rows") or []
    if rules:
        lines.insert(
            0,
            f"Before that, rows were left out by {len(rules)} rule{'s' * (len(rules) > 1)}: {shorten_list(map(_say_rule, rules), 9)}.",
        )
    return lines


def _say_rule(rule: Mapping[str, Any]) -> str:
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in rule.items())


def _describe_holding_back(account: Account, split: Mapping[str, Any]) -> str:
    method, column, size = split.get("method", "random"), split.get("column"), split.get("test_size", 0.2)
    n_test, n_train = (account.stages["split"].get(name, 0) for name in ("n_test", "n_train"))
    part = f" ({n_test / max(1, n_test + n_train):.0%} of all rows)" if isinstance(size, float) and size < 1 else ""
    values = shorten_list(map(str, split.get("test") or []), 6)
    strata = " in equal proportions of the classes" if account.task != "regression" and split.get("stratify") is not False else ""
    said = {
        "random": f"{n_test:,} test rows were drawn at random{part}{f' in equal proportions of {column}' if column else strata}",
        "time": f"the rows were ordered by {column}, and the last {n_test:,} are the test rows{part}: judged by what came later",
        "group": f"whole groups of {column} were drawn at random{part}, so that no group is on both sides: {n_test:,} test rows",
        "value": f"the test rows are those whose {column} is {values}: {n_test:,}",
        "file": f"the test rows are those of the files {values}: {n_test:,}",
        "path": f"the {n_test:,} test rows are a table of their own",
        "rows": f"a file names the {n_test:,} test rows by their numbers",
        "order": f"the first rows train, in the table's order, and the last {n_test:,} are the test rows",
        "none": "no rows were held back: the result is what was said of each row by a model that had not seen it, out of fold",
    }
    if split.get("class"):
        return f"{n_test:,} test rows were chosen by {split['class']}."
    words = said.get(str(method), f"{n_test:,} test rows were chosen by the method {method}")
    return f"{begin(words)}."


def _describe_folds(account: Account, split: Mapping[str, Any], cv: Mapping[str, Any]) -> str:
    n_folds = account.stages["split"].get("n_folds", 0)
    if split.get("validation"):
        column = split.get("column") or "the file"
        return f"Candidates were compared on one part: rows whose {column} is {shorten_list(map(str, split['validation']), 6)}."
    if n_folds == 1:
        return "Candidates were compared on one validation part of the training rows."
    how = (
        f", made by {cv['class']}"
        if cv.get("class")
        else ", each later than what it is predicted from"
        if split.get("method") == "time"
        else ""
    )
    return (
        f"Candidates were compared in {n_folds} folds of the training rows{how}: each row predicted by a model that had not seen it."
    )


def list_cases(account: Account) -> list[str]:
    """Return what the decisions of two classes come to, in cases that one can picture."""
    if account.task != "binary" or len(account.recorded) == 0:
        return []
    is_so, called = account.recorded == account.positive, account.predicted == account.positive
    n_called, n_hits = _scale(called, account), _scale(is_so & called, account)
    n_so = _scale(is_so, account)
    word = name_class(account, account.positive)
    so = f"{n_so} are {word}" if word == account.positive else f"{word} in {n_so}"
    lines = [
        f"Of {_PER:,} cases like the {account.rows_name}, {so}. The model says so of {n_called}: {n_hits} rightly, "
        f"{n_called - n_hits} wrongly. It misses {n_so - n_hits}."
    ]
    costs = (account.config.get("business") or {}).get("costs")
    if costs:
        total = costs["false_positive"] * (called & ~is_so).sum() + costs["false_negative"] * (is_so & ~called).sum()
        lines.append(
            f"At {costs['false_positive']:g} for each wrong alarm and {costs['false_negative']:g} for each miss, they cost "
            f"{as_number(float(total) * _PER / len(is_so))}."
        )
    return lines


def _scale(rows: Any, account: Account) -> int:
    return round(float(rows.sum()) * _PER / len(account.recorded))


def describe_threshold(account: Account) -> str:
    """Return where the threshold lies, and why there."""
    stage, value = account.stages["threshold"], account.threshold
    if account.task != "binary":
        return ""
    if value is None:
        return "No threshold was chosen: the model decides as its kind does, as a rule for the likelier class."
    goals = {
        "target_precision": "the one that finds most at a precision of at least {}",
        "f_beta": "the one of the highest F-beta, beta {}",
        "costs": "the one of the least total cost",
    }
    why = next((words.format(stage[name]) for name, words in goals.items() if name in stage), "the one that the config fixes")
    return (
        f"A row is called {name_class(account, account.positive)} where the response "
        f"({stage.get('response_method', 'of the model')}) is at least {value:.6g}: {why}. On the training folds that "
        f"gave precision {as_number(stage.get('precision'))} and recall {as_number(stage.get('recall'))}."
    )


def begin_remarks(remarks: Sequence[str]) -> tuple[str, str]:
    """Return the first remark as a card has room for it, and in words how many more there are.

    >>> begin_remarks(["One is odd.", "Two too.", "Three."]), begin_remarks([])
    (('One is odd.', '2 more below'), ('', ''))
    """
    if not remarks:
        return "", ""
    first, more = " ".join(remarks[0].split()), len(remarks) - 1
    if len(first) <= _FIRST_LETTERS:
        return first, f"{more} more below" if more else ""
    kept = first[:_FIRST_LETTERS]
    kept = kept.rsplit(" ", 1)[0] if " " in kept else kept
    return f"{kept.rstrip(' ,;:')} …", f"whole below, and {more} more" if more else "whole below"


_COLUMN, _ROW, _BOX = (190, 56), 64, 34  # of the drawing of steps: a column and what is between two, a row, a box's height


def draw_steps(account: Account) -> dict[str, Any] | None:
    """Return the boxes and lines of the drawing of a run's steps, in pixels, with a row for each step; None for a run without."""
    stage = account.stages.get("steps")
    if not has_steps(stage) or stage is None:
        return None
    places, edges = place_steps(stage)
    width, gap = _COLUMN
    corners = {node: (column * (width + gap) + 8, row * _ROW + 8) for node, (column, row) in places.items()}
    boxes = []
    for node, (x, y) in corners.items():
        kind, name, *_ = [*node.split(" "), ""]
        boxes.append({"kind": kind, "name": name or kind, "x": x, "y": y})
    ends = [(corners[one], corners[other]) for one, other in edges]
    lines = [{"x1": x1 + width, "y1": y1 + _BOX // 2, "x2": x2, "y2": y2 + _BOX // 2} for (x1, y1), (x2, y2) in ends]
    return {
        "boxes": boxes,
        "lines": lines,
        "box_width": width,
        "box_height": _BOX,
        "width": max(x for x, _ in corners.values()) + width + 8,
        "height": max(y for _, y in corners.values()) + _BOX + 8,
        "rows": [_describe_step(node[5:], stage["steps"][node[5:]]) for node in places if node.startswith("step ")],
    }


def _describe_step(name: str, step: Mapping[str, Any]) -> dict[str, str]:
    work = step.get("function") or " ".join(map(str, step.get("command") or []))
    settings = [f"{key} {value}" for key, value in sorted((step.get("parameters") or {}).items())]
    settings += [f"seed {step['seed']}"] if step.get("seed") else []
    return {
        "name": name,
        "work": str(work)[:_LONGEST_WORK],
        "settings": shorten_list(settings, 6) or "none",
        "inputs": _list_digests(step["inputs"]) or "none",
        "code": f"{len(step['modules'])} file{'s' if len(step['modules']) != 1 else ''}",
        "outputs": _list_digests(step["outputs"]),
    }


def _list_digests(digests: Mapping[str, str]) -> str:
    return shorten_list([f"{name} {digest[:15]}…" for name, digest in sorted(digests.items())], 6)


def describe_stages(stages: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return each stage of a lineage in words: its name, whether it went in or came out, what its digest covers, and the digest."""
    return [
        {
            "name": name.replace("_", " "),
            "side": "went in" if name in INPUT_STAGES else "came out",
            "covers": _WHAT_DECIDES.get(name, "what its name says"),
            "digest": str(stage.get("digest", "not known yet")),
        }
        for name, stage in sorted(
            _leave_out_empty(stages).items(), key=lambda item: _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER)
        )
    ]


def _leave_out_empty(stages: Mapping[str, Any]) -> dict[str, Any]:
    """A run without steps has nothing to say of them."""
    return {name: stage for name, stage in stages.items() if name != "steps" or has_steps(stage)}


def list_facts(run: Mapping[str, Any], stages: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return name and value of each fact of one run alone, in order."""
    config, data, environment = stages["config"], stages["data"], stages["environment"]
    pinned = config["resolved"].get("data", {}).get("digest")
    found = [
        ("Run", run.get("run_id")),
        ("Made", f"{run.get('started')}, in {as_number(run.get('seconds'))} s"),
        ("By", run.get("user")),
        ("Experiment", config["resolved"].get("name")),
        ("Config", f"{config.get('file')}, version {config.get('version')}"),
        ("Table", f"{data.get('path')}, {'pinned by its digest' if pinned else 'not pinned: the config takes any bytes'}"),
        ("Seed", config["resolved"].get("seed")),
        ("Python", environment.get("python")),
        ("Machine", ", ".join(str(environment[name]) for name in ("platform", "cpu") if environment.get(name))),
    ]
    return [(name, str(value)) for name, value in found if value not in (None, "")]
