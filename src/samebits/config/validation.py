"""Validation: everything that is wrong with a config's keys and values, said at once, each with its line and the key that was meant.

No file is read here and nothing heavy imported; what only scikit-learn knows (a model's own parameters) is checked by `components`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from samebits.config import catalog
from samebits.config.documents import Document, KeyPath
from samebits.config.keys import MLFLOW_NAME, THRESHOLD_METHODS, Config, Split
from samebits.errors import Problem, suggest


def find_problems(document: Document) -> list[Problem]:
    """Return everything that is wrong with a config's keys and values, as far as no library is needed to know it."""
    problems = []
    try:
        Config.model_validate(document.value)
    except ValidationError as error:
        problems = [_describe(document, details) for details in error.errors()]
    problems += [Problem(document.locate(key_path), *facts) for key_path, facts in _find_contradictions(document.value)]
    return list({problem.where: problem for problem in problems}.values())


def _describe(document: Document, details: ErrorDetails) -> Problem:
    key_path: KeyPath = ()
    for part in details["loc"]:
        if (*key_path, part) in document.lines or not _is_union_branch(part):
            key_path = (*key_path, part)
    where = document.locate(key_path)
    if details["type"] == "extra_forbidden":
        allowed = sorted(_list_keys(key_path[:-1]))
        remedy = suggest(str(key_path[-1]), allowed, "Remove it.")
        return Problem(where, f"one of {', '.join(allowed)}", repr(key_path[-1]), remedy)
    if details["type"] == "missing":
        return Problem(where, "this key", "nothing", "Add it.")
    expected = details["msg"].removeprefix("Input should be ").removeprefix("Value should have ")
    remedy = suggest(str(details["input"]), _list_literals(details), _hint(key_path))
    return Problem(where, expected[0].lower() + expected[1:], repr(details["input"]), remedy)


def _is_union_branch(part: str | int) -> bool:
    """Pydantic names the branch of a union it tried, such as `list[str]` or `literal['all']`, inside the key's path."""
    return isinstance(part, str) and (part in {"str", "int", "float", "bool"} or "[" in part)


def _list_literals(details: ErrorDetails) -> list[str]:
    expected = str(details.get("ctx", {}).get("expected", "")) if details["type"] == "literal_error" else ""
    return [part.strip(" '") for part in expected.replace(" or ", ",").split(",") if part.strip(" '")]


def _hint(key_path: KeyPath) -> str:
    hints: dict[KeyPath, str] = {
        ("version",): "Write YYYY.M.PATCH, in quotes if it has one dot only.",
        ("data", "digest"): "Let `samebits data pin` write it.",
    }
    return hints.get(key_path, "Change the value.")


def _list_keys(key_path: KeyPath) -> Iterator[str]:
    """Return the keys that the section at a path allows."""
    section: Any = Config
    for part in key_path:
        section = (
            _find_section(section.model_fields[part].annotation)
            if _is_section(section) and isinstance(part, str) and (part in section.model_fields)
            else section
        )
    for name, field in section.model_fields.items():
        yield field.alias or name


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _find_section(annotation: Any) -> Any:
    if _is_section(annotation):
        return annotation
    found = [section for member in get_args(annotation) if (section := _find_section(member)) is not None]
    return found[0] if found else None


_Facts = tuple[str, str, str]


def take_section(raw: Any, *keys: str) -> dict[str, Any]:
    """Return the mapping below some keys, or an empty one where the file has something else there."""
    for key in keys:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw if isinstance(raw, dict) else {}


def _find_contradictions(raw: dict[str, Any]) -> Iterator[tuple[KeyPath, _Facts]]:
    """Yield what no single field can know: keys that need each other or exclude each other."""
    yield from _check_models(take_section(raw, "models"), raw.get("task", "auto"))
    yield from _check_split(take_section(raw, "split"))
    cv = take_section(raw, "cv")
    for key in [] if cv.get("class") is not None else sorted(set(cv) - {"n_splits", "class"}):
        yield ("cv", key), ("n_splits or class", repr(key), suggest(key, ["n_splits", "class"], "Name a class for it."))
    yield from _check_business(take_section(raw, "business"), raw.get("task", "auto"))
    data = take_section(raw, "data")
    if isinstance(data.get("drop"), list) and data.get("target") in data["drop"]:
        yield ("data", "drop"), ("feature columns", f"the target {data['target']!r}", "Take it off the list.")
    if data.get("target_transform") is not None and raw.get("task") in catalog.CLASSIFICATION:
        yield ("data", "target_transform"), ("a regression", str(raw["task"]), "Remove the key.")
    yield from _check_weights(take_section(raw, "weights"), data, raw.get("task", "auto"))
    if raw.get("n_jobs") == 0:
        yield ("n_jobs",), ("-1 or at least 1", "0", "Write 1 for one process.")
    sums, ratios = take_section(raw, "features", "weighted_sums"), take_section(raw, "features", "ratios")
    for name in sorted(set(sums) & set(ratios)):
        yield ("features", "ratios", name), ("a name of its own", "a weighted sum of that name", "Rename one.")


def _check_models(models: dict[str, Any], task: Any) -> Iterator[tuple[KeyPath, _Facts]]:
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


def _check_business(business: dict[str, Any], task: Any) -> Iterator[tuple[KeyPath, _Facts]]:
    named = [key for key in THRESHOLD_METHODS if business.get(key) is not None]
    for key in named if task in ("multiclass", "regression") else []:
        yield ("business", key), ("a binary task", str(task), "Remove the key.")
    for key in named[1:]:
        yield ("business", key), (f"one of {', '.join(THRESHOLD_METHODS)}", f"{named[0]} and {key}", "Keep one.")
    costs = take_section(business, "costs")
    if costs.get("false_positive") == 0 and costs.get("false_negative") == 0:
        yield ("business", "costs"), ("a cost above 0", "none", "Without one every threshold costs the same.")


def _check_weights(weights: dict[str, Any], data: dict[str, Any], task: Any) -> Iterator[tuple[KeyPath, _Facts]]:
    column = weights.get("column")
    if column is not None and column == data.get("target"):
        yield ("weights", "column"), ("another column", f"the target {column!r}", "Name another.")
    if column is not None and isinstance(data.get("drop"), list) and column in data["drop"]:
        yield (
            ("weights", "column"),
            ("a column that is read", f"{column!r}, named in data.drop", "Take it off data.drop: it is no feature."),
        )
    if weights.get("classes") is not None and task == "regression":
        yield ("weights", "classes"), ("a classification", "regression", "Remove the key.")


def _check_split(split: dict[str, Any]) -> Iterator[tuple[KeyPath, _Facts]]:
    if split.get("class") is not None:
        return
    allowed = sorted(field.alias or name for name, field in Split.model_fields.items())
    for key in sorted(set(split) - set(allowed)):
        yield ("split", key), (f"one of {', '.join(allowed)}", repr(key), suggest(key, allowed, "Remove it."))
    method = split.get("method", "random")
    if method in ("time", "group") and split.get("column") is None:
        yield ("split", "column"), (f"the column of the {method}", "nothing", "Add it.")
    test_size = split.get("test_size", 0.2)
    if isinstance(test_size, int | float) and test_size >= 1:
        yield ("split", "test_size"), ("a fraction less than 1", repr(test_size), "Write 0.2 for a fifth.")
    for key in ("random_state", "stratify"):
        if method == "time" and split.get(key):
            yield ("split", key), ("no such key under method time", "it", "Remove it: nothing is drawn.")
