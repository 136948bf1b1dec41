"""Builds scikit-learn objects from the config: finds a class by its import path, checks its parameters, makes it.

Only packages on the allow-list are imported: scikit-learn, samebits, and what the config's `allow:` names. What is wrong is
reported with the key's place in the file, before any table is read.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, get_args

import numpy as np
import sklearn.metrics
from pydantic import ValidationError
from sklearn.base import BaseEstimator

from samebits.config import catalog
from samebits.config.documents import Document, Facts, KeyPath, take_section
from samebits.config.variants import replace_value
from samebits.errors import ConfigError, Problem, suggest
from samebits.keys.division import Split
from samebits.keys.learning import Preprocessing
from samebits.wording import describe_expected

ALWAYS_ALLOWED = ("sklearn", "samebits")
_ROLES = {"model": ("fit", "predict"), "transformer": ("fit", "transform"), "splitter": ("split",)}
_EXTRAS = {"torch": "torch", "keras": "keras"}  # by the package that is missing
# Keys of the split section that are the splitter's too; every other one is the section's own.
_SHARED_SPLIT_KEYS = ("test_size", "random_state")


class _Refusal(Exception):
    """A fact about one key, before its place in the file is known."""

    def __init__(self, key_path: KeyPath, expected: str, found: str, remedy: str) -> None:
        super().__init__(expected)
        self.key_path = key_path
        self.facts = (expected, found, remedy)


def build_component(spec: Any, allow: Sequence[str], key_path: KeyPath = ()) -> Any:
    """Build what a config value describes: `{class: …}`, `{function: …}`, lists and mappings of such, or the value itself.

    Raises
    ------
    ConfigError
        A class cannot be found, is not allowed, or does not take a parameter or its value.
    """
    try:
        return _build(spec, allow, key_path)
    except _Refusal as refusal:
        raise ConfigError(Problem(".".join(map(str, refusal.key_path)), *refusal.facts)) from None


def _build(spec: Any, allow: Sequence[str], key_path: KeyPath) -> Any:
    if isinstance(spec, dict) and "class" in spec:
        built_class = _find(spec["class"], allow, (*key_path, "class"))
        if not inspect.isclass(built_class):
            raise _Refusal((*key_path, "class"), "a class", repr(spec["class"]), "Write function: for a function.")
        return _instantiate(built_class, spec, allow, key_path)
    if isinstance(spec, dict) and "function" in spec:
        function = _find(spec["function"], allow, (*key_path, "function"))
        arguments = {key: _build(value, allow, (*key_path, key)) for key, value in spec.items() if key != "function"}
        return functools.partial(function, **arguments) if arguments else function
    if isinstance(spec, dict):
        return {key: _build(value, allow, (*key_path, key)) for key, value in spec.items()}
    if isinstance(spec, list):
        members = [_build(member, allow, (*key_path, index)) for index, member in enumerate(spec)]
        is_named_step = len(members) > 1 and isinstance(members[0], str) and any(map(_is_built, members[1:]))
        return tuple(members) if is_named_step else members
    return spec


def _is_built(value: Any) -> bool:
    return isinstance(value, BaseEstimator) or value in ("passthrough", "drop")


def _instantiate(built_class: type, spec: dict[str, Any], allow: Sequence[str], key_path: KeyPath) -> Any:
    if built_class.__module__.startswith("skorch."):
        remedy = "Write samebits.networks.ModuleClassifier or ModuleRegressor, which fit by skorch: docs/networks.md."
        raise _Refusal((*key_path, "class"), "a class that can be stored without pickle", repr(spec["class"]), remedy)
    names = _list_parameters(built_class)
    for key in spec:
        if key != "class" and names is not None and key not in names:
            remedy = suggest(key, names, "Remove it.")
            allowed = ", ".join(names) or "no parameter"
            raise _Refusal((*key_path, key), f"a parameter of {built_class.__name__} ({allowed})", repr(key), remedy)
    arguments = {
        key: _as_declared(built_class, key, _build(value, allow, (*key_path, key))) for key, value in spec.items() if key != "class"
    }
    try:
        component = built_class(**arguments)
        if isinstance(component, BaseEstimator) and hasattr(component, "_parameter_constraints"):
            component._validate_params()  # scikit-learn's own check, which fit() would make only after the data is read
    except (TypeError, ValueError) as error:
        message = " ".join(str(error).split())
        blamed = [key for key in arguments if f"'{key}'" in message or f"{key} " in message]
        if not blamed:
            raise _Refusal(key_path, f"parameters that {built_class.__name__} takes", message, "See its documentation.") from None
        stated = re.fullmatch(r".* must be (.*?)\. Got .* instead\.", message)  # as scikit-learn says it
        expected = stated[1] if stated else message.rstrip(".")
        raise _Refusal((*key_path, blamed[0]), expected, repr(spec[blamed[0]]), "See the class's documentation.") from None
    if hasattr(component, "check_module"):
        _check_network(component, allow, (*key_path, "module"))
    return component


def _check_network(network: Any, allow: Sequence[str], key_path: KeyPath) -> None:
    """A network names the class of its own module."""
    try:
        network.check_module(_find(network.module, allow, key_path))
    except ValueError as error:
        raise _Refusal(key_path, str(error), repr(network.module), "See docs/networks.md.") from None


def _list_parameters(built_class: type) -> list[str] | None:
    """Return the names a class takes; None where it takes any."""
    parameters = inspect.signature(built_class).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]


def _as_declared(built_class: type, key: str, value: Any) -> Any:
    """YAML has no tuples: a list becomes one where the class declares that it takes a tuple and no list."""
    constraints = getattr(built_class, "_parameter_constraints", {}).get(key, [])
    if isinstance(value, list) and tuple in constraints and list not in constraints and "array-like" not in constraints:
        return tuple(value)
    return value


def _find(import_path: Any, allow: Sequence[str], key_path: KeyPath) -> Any:
    allowed = (*ALWAYS_ALLOWED, *allow)
    module_name, _, name = str(import_path).rpartition(".")
    package = module_name.partition(".")[0]
    if package == "__main__":
        remedy = "Put it into a module of the project, and name that module in allow:."
        raise _Refusal(key_path, "what a fresh process can import", f"{import_path!r}, which one process alone has", remedy)
    if package not in allowed:
        remedy = f"If you trust {package or import_path}, add it to allow:."
        raise _Refusal(key_path, f"a class of {', '.join(allowed)}", repr(import_path), remedy)
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        extra = _EXTRAS.get(str(error.name))
        remedy = f"Install the extra samebits[{extra}]." if extra else "Install it or mend the path."
        raise _Refusal(key_path, "an importable module", f"{module_name!r} ({error})", remedy) from None
    found = _take_member(module, name)
    if found is None:
        raise _Refusal(key_path, f"a name in {module_name}", repr(name), suggest(name, dir(module), "Check it."))
    home = (getattr(found, "__module__", None) or package).partition(".")[0]
    if home not in allowed or not callable(found):
        raise _Refusal(key_path, f"a class of {', '.join(allowed)}", f"{import_path!r} of {home}", "Name its own package.")
    return found


def _take_member(module: ModuleType, name: str) -> Any:
    """Return a module's member, or None; what scikit-learn calls experimental is let in, since the lock pins its version."""
    try:
        return getattr(module, name, None)
    except ImportError:
        for enabler in ("enable_iterative_imputer", "enable_halving_search_cv"):
            importlib.import_module(f"sklearn.experimental.{enabler}")
        return getattr(module, name, None)


def find_component_problems(document: Document) -> list[Problem]:
    """Return everything wrong with the classes and parameters that a config names, as far as they can be read."""
    raw = document.value
    allow = [name for name in raw.get("allow", []) if isinstance(name, str)] if isinstance(raw.get("allow"), list) else []
    problems = []
    for key_path, spec, role in _list_specs(raw):
        try:
            component = _build(spec, allow, key_path)
            # asked of the class: an estimator may only have them once it is fitted
            missing = [name for name in _ROLES[role] if not hasattr(type(component), name)]
            if missing:
                raise _Refusal((*key_path, "class"), f"a {role} (with {', '.join(missing)})", repr(spec["class"]), "Name another.")
        except _Refusal as refusal:
            problems.append(Problem(document.locate(refusal.key_path), *refusal.facts))
    if not problems:  # in the config as it stands: each of the values that are tried is put into that
        problems += [Problem(document.locate(key_path), *facts) for key_path, facts in _find_search_problems(raw, allow)]
    scoring = raw.get("scoring")
    if isinstance(scoring, str) and scoring not in sklearn.metrics.get_scorer_names():
        remedy = suggest(scoring, sklearn.metrics.get_scorer_names(), "See scikit-learn's list of scorers.")
        problems.append(Problem(document.locate(("scoring",)), "the name of a scikit-learn scorer", repr(scoring), remedy))
    return problems


def _find_search_problems(raw: dict[str, Any], allow: Sequence[str]) -> Iterator[tuple[KeyPath, Facts]]:
    """Yield each value of a search that its candidate, or the preprocessing, does not take."""
    search = take_section(raw, "search")
    if search.get("method") == "optuna" and importlib.util.find_spec("optuna") is None:
        yield (
            ("search", "method"),
            ("Optuna, which is an extra", "none installed", "Install it: uv add 'samebits[optuna]'; or search by random."),
        )
    for name, space in take_section(search, "models").items():
        parameters = take_section(raw, "models").get(name)
        section = parameters if isinstance(parameters, dict) else {}
        yield from _try_space(("search", "models", name), space, section, functools.partial(_build_model, raw, name, allow))
    space = take_section(search, "preprocessing")
    known = {key: choices for key, choices in space.items() if key.partition(".")[0] in Preprocessing.model_fields}
    section = take_section(raw, "preprocessing")  # keys that it has not are said where names are
    yield from _try_space(("search", "preprocessing"), known, section, functools.partial(_build_preprocessing, allow))


def _try_space(
    key_path: KeyPath, space: Any, section: dict[str, Any], build: Callable[[dict[str, Any]], Any]
) -> Iterator[tuple[KeyPath, Facts]]:
    """Yield what is wrong with each value that is tried; what is wrong with the parameter itself once."""
    for key, choices in space.items() if isinstance(space, dict) else ():
        refused = [
            (place, facts) for place, value in _list_tried(choices) if (facts := _try_value(key, value, section, build)) is not None
        ]
        if len({facts for _, facts in refused}) == 1:
            yield (*key_path, key), refused[0][1]
        else:
            yield from (((*key_path, key, place), facts) for place, facts in refused)


def _list_tried(choices: Any) -> Iterator[tuple[str | int, Any]]:
    """Yield each value with its place; of an interval both ends."""
    if isinstance(choices, dict):
        yield from ((end, choices.get(end)) for end in ("low", "high"))
    yield from enumerate(choices if isinstance(choices, list) else [])


def _try_value(key: str, value: Any, section: dict[str, Any], build: Callable[[dict[str, Any]], Any]) -> Facts | None:
    """Return why a section does not take a value; None where it does."""
    try:
        build(replace_value(section, key, value, ""))
    except _Refusal as refusal:
        return refusal.facts
    except ConfigError as error:
        problem = error.problems[0]
        return problem.expected, problem.found, problem.remedy
    except ValidationError as error:
        first, *others = error.errors()
        of_same = [one for one in others if repr(one["input"]) == repr(first["input"])]
        return describe_expected([first, *of_same]), repr(value), "Change the value."
    return None


def _build_model(raw: dict[str, Any], name: str, allow: Sequence[str], parameters: dict[str, Any]) -> None:
    spec = complete_model_spec(name, parameters, raw.get("task", "auto"))
    if spec is not None:
        _build(spec, allow, ())


def _build_preprocessing(allow: Sequence[str], section: dict[str, Any]) -> None:
    Preprocessing.model_validate(section)
    for _, spec, _ in _list_specs({"preprocessing": section}):
        _build(spec, allow, ())


def _list_specs(raw: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any], str]]:
    for name, parameters in take_section(raw, "models").items():
        if isinstance(parameters, dict):
            spec = complete_model_spec(name, parameters, raw.get("task", "auto"))
            if spec is not None:
                yield ("models", name), spec, "model"
    groups = take_section(raw, "preprocessing").get("columns")
    for i, group in enumerate(groups if isinstance(groups, list) else []):
        transformers = group.get("transformers") if isinstance(group, dict) else None
        for j, spec in enumerate(transformers if isinstance(transformers, list) else []):
            if isinstance(spec, dict) and "class" in spec:
                yield ("preprocessing", "columns", i, "transformers", j), spec, "transformer"
    if take_section(raw, "split").get("class") is not None:
        yield ("split",), make_split_spec(raw["split"]), "splitter"
    if take_section(raw, "cv").get("class") is not None:
        yield ("cv",), {key: value for key, value in raw["cv"].items() if value is not None}, "splitter"


def make_split_spec(split: dict[str, Any]) -> dict[str, Any]:
    """Return a splitter's spec from the split section, without the section's own keys that the class does not take."""
    sections = {field.alias or name for name, field in Split.model_fields.items()} - set(_SHARED_SPLIT_KEYS)
    own = {key: value for key, value in split.items() if key not in sections and value is not None}
    return {"class": split["class"], **own}


def complete_model_spec(name: str, parameters: dict[str, Any], task: Any) -> dict[str, Any] | None:
    """Return a model's spec with its class, or None where the name has none; under auto a classifier stands for both kinds."""
    if parameters.get("class") is not None:
        return parameters
    tasks: list[catalog.Task] = [task] if task in get_args(catalog.Task) else ["binary", "regression"]
    classes = [found for each in tasks if (found := catalog.name_model_class(name, each))]
    own = {key: value for key, value in parameters.items() if key != "class"}
    return {"class": classes[0], **own} if classes else None


def restore_label_keys(model: Any, labels: np.ndarray) -> None:
    """Give a `class_weight` mapping the target's own labels as keys, where the config file could only write text."""
    if not hasattr(model, "get_params"):
        return
    by_text = {str(label): label.item() if hasattr(label, "item") else label for label in labels}
    for name, value in model.get_params(deep=True).items():
        if name.rpartition("__")[2] == "class_weight" and isinstance(value, dict):
            model.set_params(**{name: {by_text.get(str(key), key): weight for key, weight in value.items()}})
