"""Validation: everything that is wrong with a config's keys and values, said at once, each with its line and the key that was meant.

No file is read here and nothing heavy imported; what only scikit-learn knows (a model's own parameters) is checked by `components`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from samebits.config import catalog
from samebits.config.documents import Document, Facts, KeyPath, take_section
from samebits.config.step_order import find_step_problems
from samebits.config.variants import check_backtest, check_search
from samebits.errors import Problem, suggest
from samebits.keys.config import Config
from samebits.keys.derivation import DERIVATIONS
from samebits.keys.division import BOUNDS, Split
from samebits.keys.judging import THRESHOLD_METHODS
from samebits.keys.learning import Interval
from samebits.keys.sections import MLFLOW_NAME
from samebits.keys.steps import InputFile
from samebits.keys.table import ROW_RULES, Range
from samebits.wording import describe_expected


def find_problems(document: Document) -> list[Problem]:
    """Return everything that is wrong with a config's keys and values, as far as no library is needed to know it."""
    problems: dict[str, Problem] = {}
    value, left_out = document.value, list[KeyPath]()
    try:
        Config.model_validate(value)
    except ValidationError as error:
        located = [(_find_key_path(document, details), details) for details in error.errors()]
        problems, left_out = _join_branches(document, located), _list_odd(located)
        value = functools.reduce(_leave_out, left_out, value)
    for key_path, facts in _find_contradictions(value):
        if _is_above(key_path, left_out):
            continue  # of a section from which something was taken nobody knows what it lacks
        where = document.locate(key_path)
        problems[where] = Problem(where, *facts)
    return list(problems.values())


def _leave_out(value: Any, key_path: KeyPath) -> Any:
    """Return a config without the mapping or list that stands where there should be a word or a number: nothing can be asked of it."""
    if not key_path or not isinstance(value, dict) or key_path[0] not in value:
        return value
    first, *rest = key_path
    if rest:
        return {**value, first: _leave_out(value[first], tuple(rest))}
    return {key: member for key, member in value.items() if key != first}


def _list_odd(located: list[tuple[KeyPath, ErrorDetails]]) -> list[KeyPath]:
    """Return the places of mappings and lists that stand where there should be something else, or are not as they should be."""
    paths = [key_path for key_path, _ in located]
    return [
        key_path
        for key_path, details in located
        if isinstance(details["input"], dict | list) and details["type"] != "missing" and not _is_above(key_path, paths)
    ]


def _join_branches(document: Document, located: list[tuple[KeyPath, ErrorDetails]]) -> dict[str, Problem]:
    """Return one problem for each key: what may stand there in several forms is said with all of them."""
    paths = [key_path for key_path, _ in located]
    missing = [key_path for key_path, details in located if details["type"] == "missing"]
    meant = {key_path: _find_meant(key_path, missing) for key_path, details in located if details["type"] == "extra_forbidden"}
    together: dict[KeyPath, list[ErrorDetails]] = {}
    for key_path, details in located:
        is_only_above = isinstance(details["input"], dict | list) and _is_above(key_path, paths)  # and what is wrong lies in it
        is_told = details["type"] == "missing" and key_path in meant.values()  # of the key that stands in its place
        if is_only_above or is_told:
            continue
        together.setdefault(key_path, []).append(details)
    described = [_describe(document, key_path, one, meant.get(key_path)) for key_path, one in together.items()]
    return {problem.where: problem for problem in described}


def _find_meant(key_path: KeyPath, missing: list[KeyPath]) -> KeyPath | None:
    """Return the missing key for which one that is not known was written: a near name, or the only one that the section has."""
    allowed = sorted(_list_keys(key_path[:-1]))
    beside = [path for path in missing if path[:-1] == key_path[:-1]]
    near = suggest(str(key_path[-1]), allowed, "")
    return next((path for path in beside if repr(path[-1]) in near or allowed == [path[-1]]), None)


def _is_above(key_path: KeyPath, paths: list[KeyPath]) -> bool:
    return any(len(path) > len(key_path) and path[: len(key_path)] == key_path for path in paths)


def _find_key_path(document: Document, details: ErrorDetails) -> KeyPath:
    """Of a key that is not known, or missing, the last part is its name, whatever that looks like."""
    key_path: KeyPath = ()
    *parts, last = details["loc"]
    is_named = details["type"] in ("extra_forbidden", "missing")
    for part in parts:
        if (*key_path, part) in document.lines or not _is_union_branch(part):
            key_path = (*key_path, part)
    return (*key_path, last) if is_named or (*key_path, last) in document.lines or not _is_union_branch(last) else key_path


def _describe(document: Document, key_path: KeyPath, found: list[ErrorDetails], meant: KeyPath | None) -> Problem:
    where, details = document.locate(key_path), found[-1]
    if details["type"] == "extra_forbidden":
        allowed = sorted(_list_keys(key_path[:-1]))
        expected = f"one of {', '.join(allowed)}" if len(allowed) > 1 else f"the key {allowed[0]}"
        remedy = f"Write {meant[-1]} in its place." if meant is not None and len(allowed) == 1 else "Remove it."
        return Problem(where, expected, repr(key_path[-1]), suggest(str(key_path[-1]), allowed, remedy))
    if details["type"] == "missing":
        return Problem(where, "this key", "nothing", PIN_REMEDY if _is_input_pin(key_path) else "Add it.")
    same = [one for one in found if repr(one["input"]) == repr(details["input"])]
    literals = [literal for one in same for literal in _list_literals(one)]
    return Problem(where, describe_expected(same), repr(details["input"]), suggest(str(details["input"]), literals, _hint(key_path)))


def _is_input_pin(key_path: KeyPath) -> bool:
    """Tell whether a key is the digest of a step's input."""
    return len(key_path) == 5 and (key_path[0], key_path[2], key_path[4]) == ("steps", "inputs", "digest")


def _is_union_branch(part: str | int) -> bool:
    """Pydantic names the branch of a union it tried, such as `list[str]`, `literal['all']` or `Range`, inside the key's path."""
    return isinstance(part, str) and (part in _BRANCHES or "[" in part)


def _list_literals(details: ErrorDetails) -> list[str]:
    expected = str(details.get("ctx", {}).get("expected", "")) if details["type"] == "literal_error" else ""
    return [part.strip(" '") for part in expected.replace(" or ", ",").split(",") if part.strip(" '")]


def _hint(key_path: KeyPath) -> str:
    if _is_input_pin(key_path):
        return PIN_REMEDY
    hints: dict[KeyPath, str] = {
        ("version",): "Write YYYY.M.PATCH, in quotes if it has one dot only.",
        ("data", "digest"): "Let `samebits data pin` write it.",
        **{("backtest", key): "Write such as 30d, 12h, 4w or 90s, or a number." for key in ("horizon", "gap", "training", "step")},
    }
    return hints.get(key_path, "Change the value.")


def _list_keys(key_path: KeyPath) -> Iterator[str]:
    """Return the keys that the section at a path allows."""
    section: Any = Config
    is_name = False  # a name in a mapping of sections is no key of theirs
    for part in key_path:
        is_key = not is_name and _is_section(section) and isinstance(part, str) and part in section.model_fields
        annotation = section.model_fields[part].annotation if is_key else None
        section, is_name = _find_section(annotation) or section, _holds_mapping(annotation)
    for name, field in section.model_fields.items():
        yield field.alias or name


def _holds_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict or any(map(_holds_mapping, get_args(annotation)))


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _find_section(annotation: Any) -> Any:
    if _is_section(annotation):
        return annotation
    found = [section for member in get_args(annotation) if (section := _find_section(member)) is not None]
    return found[0] if found else None


_CONSTRAINED = {"constrained-str", "constrained-int", "constrained-float"}
_BRANCHES = {"str", "int", "float", "bool", *_CONSTRAINED, Range.__name__, Interval.__name__, InputFile.__name__}


def _check_marks(read: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    decimal, thousands = read.get("decimal", "."), read.get("thousands")
    columns = [name for marks in (decimal, thousands) if isinstance(marks, dict) for name in marks]
    for name in (None, *columns):  # None: a column that is not named
        mark = decimal.get(name, ".") if isinstance(decimal, dict) else decimal
        group = thousands.get(name) if isinstance(thousands, dict) else thousands
        if group is not None and group == mark:
            yield ("data", "read", "thousands"), ("another mark than data.read.decimal", repr(group), "Set decimal too.")
            return


def _find_contradictions(raw: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    """Yield what no single field can know: keys that need each other or exclude each other."""
    yield from _check_models(take_section(raw, "models"), raw.get("task", "auto"))
    yield from _check_split(take_section(raw, "split"), take_section(raw, "data"))
    yield from _check_marks(take_section(raw, "data", "read"))
    yield from _check_choices(raw)
    cv = take_section(raw, "cv")
    yield from _check_cv(cv, take_section(raw, "split"))
    yield from _check_business(take_section(raw, "business"), raw.get("task", "auto"))
    data = take_section(raw, "data")
    if isinstance(data.get("drop"), list) and data.get("target") in data["drop"]:
        yield ("data", "drop"), ("feature columns", f"the target {data['target']!r}", "Take it off the list.")
    for key, other in (("query", "database"), ("database", "query")):
        if data.get(key) is not None and data.get(other) is None:
            yield ("data", key), (f"data.{other} beside it", "nothing", f"Add data.{other}, or remove data.{key}.")
    if data.get("target_transform") is not None and raw.get("task") in catalog.CLASSIFICATION:
        yield ("data", "target_transform"), ("a regression", str(raw["task"]), "Remove the key.")
    yield from _check_weights(take_section(raw, "weights"), data, raw.get("task", "auto"))
    yield from _check_claims(take_section(raw, "claims"), take_section(raw, "report"), raw.get("task", "auto"))
    yield from _check_registry(take_section(raw, "registry"))
    yield from check_backtest(raw)
    yield from check_search(take_section(raw, "search"), take_section(raw, "models"), take_section(raw, "split"))
    yield from find_step_problems(raw)
    if raw.get("n_jobs") == 0:
        yield ("n_jobs",), ("-1 or at least 1", "0", "Write 1 for one process.")
    sums, ratios = take_section(raw, "features", "weighted_sums"), take_section(raw, "features", "ratios")
    for name in sorted(set(sums) & set(ratios)):
        yield ("features", "ratios", name), ("a name of its own", "a weighted sum of that name", "Rename one.")


def _check_models(models: dict[str, Any], task: Any) -> Iterator[tuple[KeyPath, Facts]]:
    for name, parameters in models.items():
        if not MLFLOW_NAME.fullmatch(name):
            expected = "a name of letters, digits, spaces and _ - . : /, as MLflow takes them"
            yield ("models", name), (expected, repr(name), "Rename it.")
        if isinstance(parameters, dict) and parameters.get("class") is not None:
            continue
        if name not in catalog.MODELS:
            remedy = suggest(name, sorted(catalog.MODELS), "Give it a class.")
            yield ("models", name), (f"one of {', '.join(sorted(catalog.MODELS))}, or a class", repr(name), remedy)
        elif task in get_args(catalog.Task) and catalog.name_model_class(name, task) is None:
            yield ("models", name), (f"a model for {task}", repr(name), "Remove it, or give it a class.")


def _check_cv(cv: dict[str, Any], split: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    own = ["n_splits", "validation_size", "class"]
    for key in [] if cv.get("class") is not None else sorted(set(cv) - set(own)):
        yield ("cv", key), ("n_splits, validation_size or class", repr(key), suggest(key, own, "Name a class for it."))
    if cv.get("validation_size") is not None and (cv.get("n_splits") != 1 or cv.get("class") is not None):
        yield ("cv", "validation_size"), ("n_splits: 1 beside it", repr(cv.get("n_splits")), "Write n_splits: 1, or remove it.")
    if split.get("method") == "none" and split.get("column") is not None and cv.get("class") is None:
        yield ("split", "column"), ("a splitter of groups in cv.class, which it is for", "none", "Name one, or remove the key.")
    if split.get("validation") is not None and cv.get("validation_size") is not None:
        yield ("cv", "validation_size"), ("no such key beside split.validation", "it", "Remove one of the two.")
    if split.get("validation") is not None and (cv.get("class") is not None or cv.get("n_splits") not in (None, 1)):
        yield ("cv",), ("no folds, since split.validation names the one part", "folds", "Remove one of the two.")


def _check_business(business: dict[str, Any], task: Any) -> Iterator[tuple[KeyPath, Facts]]:
    named = [key for key in THRESHOLD_METHODS if business.get(key) is not None]
    for key in named if task in ("multiclass", "regression") else []:
        yield ("business", key), ("a binary task", str(task), "Remove the key.")
    for key in named[1:]:
        yield ("business", key), (f"one of {', '.join(THRESHOLD_METHODS)}", f"{named[0]} and {key}", "Keep one.")
    costs = take_section(business, "costs")
    if costs.get("false_positive") == 0 and costs.get("false_negative") == 0:
        yield ("business", "costs"), ("a cost above 0", "none", "Without one every threshold costs the same.")


def _check_weights(weights: dict[str, Any], data: dict[str, Any], task: Any) -> Iterator[tuple[KeyPath, Facts]]:
    column = weights.get("column")
    if column is not None and column == data.get("target"):
        yield ("weights", "column"), ("another column", f"the target {column!r}", "Name another.")
    if weights.get("classes") is not None and task == "regression":
        yield ("weights", "classes"), ("a classification", "regression", "Remove the key.")


def _check_claims(claims: dict[str, Any], report: dict[str, Any], task: Any) -> Iterator[tuple[KeyPath, Facts]]:
    known = sorted(
        catalog.METRICS[task] if task in catalog.METRICS else {name for names in catalog.METRICS.values() for name in names}
    )
    gap = take_section(claims, "group_gap")
    named = [(("claims", name), name, bound) for name, bound in claims.items() if name != "group_gap"]
    for path, name, bound in named:
        if name not in known:
            yield path, (f"a metric: {', '.join(known)}", repr(name), suggest(name, [*known, "group_gap"], "Name one of them."))
        elif isinstance(bound, dict) and bound.get("at_least") is None and bound.get("at_most") is None:
            yield path, ("at_least or at_most", "neither", "Say what is expected.")
    if isinstance(gap.get("metric"), str) and gap["metric"] not in known:
        remedy = suggest(gap["metric"], known, "Name one of them.")
        yield ("claims", "group_gap", "metric"), (f"a metric: {', '.join(known)}", repr(gap["metric"]), remedy)
    groups = report.get("groups")
    if "column" in gap and gap["column"] not in (groups if isinstance(groups, list) else []):
        yield (
            ("claims", "group_gap", "column"),
            ("one of report.groups", repr(gap["column"]), f"Add it: report: {{groups: [{gap['column']}]}}."),
        )


def _check_registry(registry: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    name, alias = registry.get("name"), registry.get("alias")
    if name in (".", ".."):
        yield ("registry", "name"), ("a name that is no path", repr(name), "Rename it.")
    if isinstance(alias, str) and (alias.lower() == "latest" or re.fullmatch(r"[vV]\d+", alias)):
        yield ("registry", "alias"), ("an alias that means no version by itself", repr(alias), "Take another, such as champion.")
    if name is None and any(registry.get(key) is not None for key in ("alias", "margin", "level")) and "name" not in registry:
        yield ("registry",), ("the name of a registered model beside them", "none", "Name it: registry: {name: …}.")


def _check_choices(raw: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    """Yield each row rule and derived column that does not say one thing."""
    lists: list[tuple[KeyPath, Any, tuple[str, ...]]] = [
        (("data", "rows"), take_section(raw, "data").get("rows"), ROW_RULES),
        (("features", "derived"), take_section(raw, "features").get("derived"), DERIVATIONS),
    ]
    for key_path, members, choices in lists:
        for index, member in enumerate(members if isinstance(members, list) else []):
            named = [name for name in choices if isinstance(member, dict) and member.get(name) is not None]
            if isinstance(member, dict) and len(named) != 1:
                found = " and ".join(named) or "none"
                yield (*key_path, index), (f"one of {', '.join(choices)}", found, "Write each in an entry of its own.")
    rules = take_section(raw, "data").get("rows")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        for word in ("keep", "drop"):
            for column in [column for column, condition in take_section(rule, word).items() if condition in ({}, [])]:
                yield ("data", "rows", index, word, column), ("a value, values, or a range", "nothing", "Say which rows are meant.")
        if isinstance(rule, dict) and rule.get("random_state") is not None and rule.get("sample") is None:
            yield ("data", "rows", index, "random_state"), ("a sample beside it", "none", "Remove it: nothing is drawn.")


# What each way to divide rows takes beside `class`, test_size and the ways of folding; and what it needs.
_SPLIT_KEYS: dict[str, tuple[str, ...]] = {
    "random": ("column", "random_state", "strata_bins"),
    "time": ("column", *BOUNDS),
    "group": ("column", "random_state"),
    "value": ("column", "test", "validation"),
    "file": ("test", "validation"),
    "path": (),
    "rows": ("rows_file", "rows_digest"),
    "order": ("n_train",),
    "none": ("column", "strata_bins"),
    "class": ("column", "random_state"),
}
_SPLIT_NEEDS: dict[str, dict[str, str]] = {
    "time": {"column": "the column of the time"},
    "group": {"column": "the column of the group"},
    "value": {"column": "the column whose values name the test rows", "test": "the values of test rows"},
    "rows": {"rows_file": "the file of row numbers", "rows_digest": "the digest of split.rows_file"},
}
_WITHOUT_SIZE = ("value", "file", "path", "rows", "none")
_OWN_KEYS = ("column", "test", "validation", "rows_file", "rows_digest", "n_train", "strata_bins", "random_state", *BOUNDS)
PIN_REMEDY = "Let `samebits data pin CONF` write it."


def _check_split_keys(method: str, split: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    for key, what in _SPLIT_NEEDS.get(method, {}).items():
        if split.get(key) is None:
            yield ("split", key), (what, "nothing", PIN_REMEDY if key == "rows_digest" else "Add it.")
    for key in _OWN_KEYS:
        if split.get(key) is not None and key not in _SPLIT_KEYS[method]:
            takers = [name for name, keys in _SPLIT_KEYS.items() if key in keys and name != "class"]
            remedy = "Remove it: nothing is drawn." if key == "random_state" else f"It belongs to method {' and '.join(takers)}."
            yield ("split", key), (f"no such key {'beside class' if method == 'class' else f'under method {method}'}", "it", remedy)
    size = split.get("test_size")
    if size not in (None, 0.2) and (method in _WITHOUT_SIZE or split.get("n_train") is not None):
        yield ("split", "test_size"), (f"no such key under method {method}", "it", "Remove it: it says nothing there.")
    yield from _check_bounds(method, split)
    if split.get("strata_bins") is not None and split.get("stratify") is False:
        yield ("split", "strata_bins"), ("strata, or stratify: false", "both", "Remove one of the two.")
    if method == "class" and split.get("method", "random") != "random":
        yield ("split", "method"), ("class or method", "both", "Keep one.")
    if method == "random" and split.get("column") is not None and split.get("stratify") is False:
        yield ("split", "stratify"), ("nothing, since split.column names the strata", "false", "Remove one of the two.")


def _check_bounds(method: str, split: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    named = [key for key in BOUNDS if split.get(key) is not None]
    if not named or method != "time":
        return
    if split.get("train_until") is None:
        yield ("split", "train_until"), (f"the end of the training rows beside {named[0]}", "nothing", "Add it.")
    if split.get("test_size") not in (None, 0.2):
        yield (
            ("split", "test_size"),
            (f"no such key beside split.{named[0]}", "it", "Remove one of the two: both say what is tested."),
        )


def _check_test_table(method: str, data: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    if (data.get("test_path") is not None) != (method == "path"):
        if method == "path":
            yield ("data", "test_path"), ("the file with the test rows, under split.method path", "nothing", "Add it.")
        else:
            yield ("split", "method"), ("path, since data.test_path has the test rows", repr(method), "Write method: path.")
    if data.get("test_path") is not None and data.get("test_digest") is None:
        yield ("data", "test_digest"), ("the digest of data.test_path", "nothing", PIN_REMEDY)


def _check_split(split: dict[str, Any], data: dict[str, Any]) -> Iterator[tuple[KeyPath, Facts]]:
    if split.get("class") is not None:
        yield from _check_split_keys("class", split)
        yield from _check_test_table("class", data)
        return
    allowed = sorted(field.alias or name for name, field in Split.model_fields.items())
    for key in sorted(set(split) - set(allowed)):
        yield ("split", key), (f"one of {', '.join(allowed)}", repr(key), suggest(key, allowed, "Remove it."))
    method = split.get("method", "random")
    if method not in _SPLIT_KEYS:
        return
    yield from _check_split_keys(method, split)
    yield from _check_test_table(method, data)
    test_size = split.get("test_size", 0.2)
    if isinstance(test_size, float) and test_size >= 1:
        yield ("split", "test_size"), ("a fraction less than 1, or a whole number of rows", repr(test_size), "Write 0.2 for a fifth.")
    if method == "time" and split.get("stratify"):
        yield ("split", "stratify"), ("no such key under method time", "it", "Remove it: nothing is drawn.")
