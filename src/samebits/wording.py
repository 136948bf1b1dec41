"""Plain words for what pydantic refuses, and the patterns that texts of a config must match, each with what it means.

pydantic's own messages speak of inputs, patterns and validation; whoever wrote a config knows of keys and values. Which errors there
are and in which line they stand is for `config.validation`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

# Constants of keys' declarations; a new pattern has its words here.
DIGEST = r"^sha256:[0-9a-f]{64}$"
IMPORT_PATH = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$"
PYTHON_NAME = r"^[A-Za-z_]\w*$"
STEP_NAME = r"^[A-Za-z_][\w-]*$"
ADDRESS = r"^[A-Za-z][A-Za-z0-9+.-]*://"
MARK = r"^[^0-9+-]$"
DURATION = r"^[0-9]{1,5}[wdhs]$"
CALVER = r"^\d{4}\.(?:[1-9]|1[0-2])\.\d+$"
REGISTERED_NAME = r"^[^/:\s\x00-\x1f\x7f]([^/:\x00-\x1f\x7f]*[^/:\s\x00-\x1f\x7f])?$"
ALIAS = r"^[A-Za-z0-9_-]+$"
SCHEDULER = r"^(local|(tcp|tls)://[^\s/:@]+:\d{1,5}/?|(tcp|tls)://\[[0-9A-Fa-f:.]+\]:\d{1,5}/?)$"

PATTERNS = {
    DIGEST: "a digest, sha256: and 64 digits of 0-9 and a-f",
    IMPORT_PATH: "an import path, such as sklearn.svm.SVC",
    PYTHON_NAME: "a name of letters, digits and _ that begins with no digit, such as raw_sales",
    STEP_NAME: "a name of letters, digits, _ and - that begins with a letter or _, such as clean-sales",
    ADDRESS: "an address, such as https://example.org/sales.csv",
    MARK: "one character that is neither a digit nor a sign, such as a comma",
    DURATION: "a time such as 30d, 12h, 4w or 90s",
    CALVER: "a version such as 2026.11.0: year, month, patch",
    REGISTERED_NAME: "a name without / and :, and without blanks at its ends, such as churn",
    ALIAS: "a name of letters, digits, _ and -, such as champion",
    SCHEDULER: "local, or a scheduler's address such as tcp://10.0.0.5:8786",
}

_KINDS = {
    "string_type": "text",
    "string_unicode": "text that is Unicode",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "invalid_key": "keys that are text",
}


def _count(number: int, one: str, several: str) -> str:
    return f"one {one}" if number == 1 else f"{number} {several}"


def _count_members(number: int, facts: Mapping[str, Any]) -> str:
    return _count(number, "key", "keys") if facts["field_type"] == "Dictionary" else _count(number, "value", "values")


def _name_number(number: float) -> str:
    return str(int(number)) if float(number).is_integer() else str(number)


_LIMITS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "literal_error": lambda facts: str(facts["expected"]),
    "string_pattern_mismatch": lambda facts: PATTERNS[facts["pattern"]],
    "string_too_short": lambda facts: f"at least {_count(facts['min_length'], 'character', 'characters')}",
    "string_too_long": lambda facts: f"at most {_count(facts['max_length'], 'character', 'characters')}",
    "too_short": lambda facts: f"at least {_count_members(facts['min_length'], facts)}",
    "too_long": lambda facts: f"at most {_count_members(facts['max_length'], facts)}",
    "greater_than": lambda facts: f"more than {_name_number(facts['gt'])}",
    "greater_than_equal": lambda facts: f"at least {_name_number(facts['ge'])}",
    "less_than": lambda facts: f"less than {_name_number(facts['lt'])}",
    "less_than_equal": lambda facts: f"at most {_name_number(facts['le'])}",
    "finite_number": lambda facts: "a finite number",
}


def describe_expected(found: Sequence[ErrorDetails]) -> str:
    """Return in words what may stand in one place, from all that pydantic says of what stands there.

    Where one of several forms has the right kind of value, what is wrong with that one is said alone.

    >>> describe_expected([{"type": "float_type", "loc": ("a",), "msg": "", "input": "x"}])
    'a number'
    """
    near = [details for details in found if details["type"] not in _KINDS and details["type"] != "literal_error"]
    words = list(dict.fromkeys(_describe_one(details) for details in near or found))
    if _KINDS["float_type"] in words and _KINDS["int_type"] in words:
        words.remove(_KINDS["int_type"])
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def name_refused(details: ErrorDetails) -> str:
    """Return what was refused: the key and its value.

    >>> name_refused({"type": "float_type", "loc": ("psi",), "msg": "", "input": "x"})
    "psi: 'x'"
    """
    return f"{'.'.join(map(str, details['loc']))}: {details['input']!r}"


def _describe_one(details: ErrorDetails) -> str:
    kind = details["type"]
    if kind == "missing":
        return f"a key {details['loc'][-1]!r}"
    if kind == "extra_forbidden":
        return f"no key {details['loc'][-1]!r}"
    return _LIMITS[kind](details.get("ctx", {})) if kind in _LIMITS else _KINDS.get(kind, "a value that this key takes")
