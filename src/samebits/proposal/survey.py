"""What columns and rows look like: those that are no features and why, those that need a word; the target is looked at in `choices`.

Nothing is decided of the split here, but which columns suggest one: dates in order, groups whose rows belong together.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from samebits.proposal.findings import Finding
from samebits.table.columns import Kind
from samebits.text import quote_key, shorten_list

_NEARLY = 0.99  # of the rows with a value of their own
_ID_NAME = re.compile(
    r"(?i)(^|[\s_.-])(id|uuid|guid|key|index|idx|instant|row|rowid|no|nr|number|code|serial|unnamed: ?\d+)($|[\s_.-])"
)
_CAMEL_ID = re.compile(r"[a-z](Id|ID|Key|No|Nr|Number|Index|Code)$")
_PHONE_NAME = re.compile(r"(?i)(^|[\s_.-])(tele?(fon|phone)?|phone|fax|mobile?|handy|iban|ssn|isbn|ean|imei)($|[\s_.-])|telefon|phone")
_NUMBERED = r"([\s_.-]?(id|key|no|nr|num|number|nummer|code))?$"
_GROUP_NAME = re.compile(
    r"(?i)(^|[\s_.-])(patient|subject|user|customer|client|person|account|member|household|family|session|visitor|device|machine|"
    r"station|store|shop|school|site|hospital|vehicle|driver|player|author|speaker|batch|group|study|participant|employee|student|"
    r"respondent|proband|kunde|nutzer|benutzer|mitarbeiter|sch[uü]e?ler|konto|fahrer|filiale|ger[aä]e?t)(s|n|en)?" + _NUMBERED
)
_NUMBERED_NAME = re.compile(r"(?i)(^|[\s_.-])(id|key|no|nr|num|number|nummer|code)$|[a-zäöüß]{3}(nr|nummer)$")
_NO_GROUP_NAME = re.compile(  # places, kinds, and what is counted within a group
    r"(?i)zip|post|plz|area|country|region|city|state|location|zone|product|categor|type|kind|class|status|colou?r|rate|"
    r"visit|week|day|month|year|hour|period|page|line|step|trial|round|wave|seq|row|phone|telefon|fax"
)
_COUNT_NAME = re.compile(
    r"(?i)^(n|num|no|nb|number)([\s_.-]|of)|anzahl|(^|[\s_.-])(n|counts?|age|alter|size|rooms?|year|jahr)($|[\s_.-])"
)
_YEAR_NAME = re.compile(r"(?i)(^|[\s_.-])(year|jahr|yyyy|annee|año)($|[\s_.-])")
_MANY = ("s", "kunden")  # numbers of users are a count of them
_FIRST_YEAR, _LAST_YEAR = 1800, 2200
_MOST_ROWS_OF_ONE = 50  # in the middle; a number with more rows each is rather a kind
_LEAST_GROUPS, _LEAST_NUMBERED = 10, 20
_LEAST_TIMES = 10
_FEWEST_CODES, _MOST_CODES = 3, 20
_FALLS_OFF = 0.75  # of the rows with none that have one, at the most, in a count
_LEAST_LONG = 10_000_000  # whole numbers of eight digits and more, each in one row, measure nothing
_OFTEN_MISSING = 0.03  # of the rows, from which what is missing is a category of its own
_DATE_NAME = re.compile(r"(?i)date|day|time|datum|zeit|timestamp|month|period|(^|_)(dt|ts)($|_)|_at$|instant")
_BIRTH_NAME = re.compile(r"(?i)birth|dob|born")
_PART_WORDS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev"})
_WORDS_OF_TEXT = 3  # on the average, from which a column of text is read rather than named
MOST_CATEGORIES = 100  # of a column, each of which becomes a column of its own


@dataclass(frozen=True)
class Seen:
    """A table in canonical form, as it is looked at.

    Parameters
    ----------
    whole
        Columns of whole numbers, none missing.
    """

    frame: pd.DataFrame
    kinds: dict[str, Kind]
    whole: Collection[str]
    target: str

    @property
    def others(self) -> list[str]:
        """Every column but the target."""
        return [name for name in self.frame.columns if name != self.target]


def survey_columns(seen: Seen) -> list[Finding]:
    """Return which columns are no features by their looks alone: constants, doubles, ids, free text."""
    constants = _find_constants(seen)
    left = _leave_out(seen.others, constants)
    hashes = {name: pd.util.hash_pandas_object(seen.frame[name], index=False).to_numpy() for name in [*left, seen.target]}
    doubles = _find_doubles(seen, left, hashes)
    left = _leave_out(left, doubles)
    ids = [_describe_id(name, _tell_id(seen, name)) for name in left if _tell_id(seen, name)]
    left = _leave_out(left, ids)
    return [*constants, *doubles, *ids, *_find_texts(seen, left), *_find_double_rows([hashes[name] for name in [*left, seen.target]])]


def _leave_out(names: list[str], findings: list[Finding]) -> list[str]:
    dropped = {name for finding in findings for name, _ in finding.dropped}
    return [name for name in names if name not in dropped]


def _find_constants(seen: Seen) -> list[Finding]:
    found = []
    for name in seen.others:
        column = seen.frame[name]
        known = column.dropna()
        if known.empty:
            found.append(Finding("constant", f"{name}: empty in every row; dropped", ((name, "empty"),)))
        elif len(known) == len(column) and (known == known.iloc[0]).all():
            text = f"{name}: {_show(known.iloc[0])} in every row; dropped"
            found.append(Finding("constant", text, ((name, "the same in every row"),)))
    return found


def _show(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _find_doubles(seen: Seen, names: list[str], hashes: dict[str, np.ndarray]) -> list[Finding]:
    first: dict[tuple[str, int], str] = {}
    found = []
    for name in names:
        column = seen.frame[name]
        print_of = (str(column.dtype), int(hashes[name].sum()))
        twin = first.setdefault(print_of, name)
        if twin != name and column.equals(seen.frame[twin].rename(name)):
            found.append(Finding("duplicate", f"{name}: the same values as {twin}; dropped", ((name, f"the same as {twin}"),)))
    return found


def _tell_id(seen: Seen, name: str) -> str | None:
    """Return why a column is an id; None where it is none."""
    column, kind = seen.frame[name], seen.kinds[name]
    n_rows = len(column)
    if kind == "numeric" and name in seen.whole:
        values = column.to_numpy()
        if len(values) > 2 and values.max() - values.min() == n_rows - 1 and column.is_unique:
            return "counts the rows"
    is_whole = kind == "numeric" and bool((column.dropna() % 1 == 0).all())
    is_name = kind in ("categorical", "text") and _count_words(column) < _WORDS_OF_TEXT
    is_named = _is_id_name(name) or bool(_PHONE_NAME.search(name)) or (is_whole and column.min() >= _LEAST_LONG)
    if not (is_name or (is_whole and is_named)):
        return None
    n_distinct = column.nunique()
    if n_distinct < _NEARLY * column.notna().sum() or n_distinct < 3:
        return None
    return "an id, unique" if n_distinct == n_rows else "an id, nearly unique"


def _is_id_name(name: str) -> bool:
    return bool(_ID_NAME.search(name) or _CAMEL_ID.search(name))


def _describe_id(name: str, reason: str | None) -> Finding:
    return Finding("id", f"{name}: {reason}; dropped", ((name, str(reason)),))


def _count_words(column: pd.Series) -> float:
    """Return how many words a text has on the average."""
    glance = column.dropna().iloc[:: max(1, len(column) // 500)]
    return float(glance.astype("str").str.count(r"\S+").mean()) if len(glance) else 0.0


def _find_texts(seen: Seen, names: list[str]) -> list[Finding]:
    found = []
    for name in names:
        if seen.kinds[name] != "text" or _is_group(seen, name):
            continue
        column = seen.frame[name]
        n_words, n_distinct = _count_words(column), column.nunique()
        what = f"text of some {n_words:.0f} words" if n_words >= _WORDS_OF_TEXT else f"{n_distinct:,} different words"
        reason = "free text" if n_words >= _WORDS_OF_TEXT else "too many different words"
        remedy = (
            "preprocessing.columns can give it a vectoriser" if n_words >= _WORDS_OF_TEXT else "features.derived can make parts of it"
        )
        found.append(Finding("text", f"{name}: {what}; dropped, {remedy}", ((name, reason),)))
    return found


def find_readable_texts(seen: Seen, findings: list[Finding]) -> list[str]:
    """Return the columns that were left out as free text, where they are there in every row."""
    texts = [name for finding in findings if finding.topic in ("text", "id") for name, _ in finding.dropped]
    return [name for name in texts if not seen.frame[name].isna().any() and _count_words(seen.frame[name]) >= _WORDS_OF_TEXT]


def _find_double_rows(hashes: list[np.ndarray]) -> list[Finding]:
    """Rows are compared by hashes of 64 bits."""
    n_rows = len(hashes[0])
    joined = np.zeros(n_rows, dtype=np.uint64)
    for one in hashes:
        joined = joined * np.uint64(1_000_003) + one
    n_double = n_rows - len(np.unique(joined))
    if not n_double or len(hashes) < 2:
        return []
    text = (
        f"{n_double:,} of {n_rows:,} rows repeat an earlier one (ids left out); where these are copies, write "
        "data.rows: [{drop_duplicates: all}], else a row may be learned from and tested on"
    )
    return [Finding("duplicate", text)]


def find_wide_categories(seen: Seen, names: Collection[str]) -> list[str]:
    """Return the columns of so many categories that the rare ones are better joined."""
    return [name for name in names if seen.kinds[name] == "categorical" and seen.frame[name].nunique() > MOST_CATEGORIES]


def find_time(seen: Seen, names: Collection[str]) -> str | None:
    """Return the column of dates by which the rows were made one after the other, if one is."""
    dates = [name for name in names if seen.kinds[name] == "date" and not seen.frame[name].isna().any()]
    dates = [name for name in dates if not _BIRTH_NAME.search(name) and seen.frame[name].nunique() >= _LEAST_TIMES]
    ordered = [name for name in dates if seen.frame[name].is_monotonic_increasing or seen.frame[name].is_monotonic_decreasing]
    return next(iter(ordered), None) or (dates[0] if len(dates) == 1 and _DATE_NAME.search(dates[0]) else None)


def tell_no_time(seen: Seen, names: Collection[str], name: str) -> str | None:
    """Return why rows are not divided by a column of dates; None where they might be."""
    column = seen.frame[name]
    if seen.kinds[name] != "date":
        return "numbers of years"
    if column.isna().any():
        return "empty in some rows"
    if _BIRTH_NAME.search(name):
        return "of birth"
    if column.nunique() < _LEAST_TIMES:
        return "few different days"
    if find_time(seen, names) == name:
        return None
    return "the rows are not in its order"


def find_years(seen: Seen, names: Collection[str]) -> list[str]:
    """Return the columns of years, which are numbers."""
    whole = [name for name in names if name in seen.whole and seen.kinds[name] == "numeric" and _YEAR_NAME.search(name)]
    columns = {name: seen.frame[name] for name in whole if not _BIRTH_NAME.search(name)}
    return [name for name, column in columns.items() if column.min() >= _FIRST_YEAR and column.max() <= _LAST_YEAR]


def find_groups(seen: Seen, names: Collection[str]) -> list[str]:
    """Return the columns whose values each name one thing that has several rows, by their names and values, the likeliest first."""
    groups = [name for name in names if _is_group(seen, name)]
    return sorted(groups, key=lambda name: not _GROUP_NAME.search(name))


def _is_group(seen: Seen, name: str) -> bool:
    """Names such as order_nr may be those of kinds, so that hardly any may have more than a few rows."""
    column, kind = seen.frame[name], seen.kinds[name]
    is_named = bool(_GROUP_NAME.search(name))
    is_numbered = bool(_NUMBERED_NAME.search(name) or _CAMEL_ID.search(name)) and not _NO_GROUP_NAME.search(name)
    if not (is_named or is_numbered) or column.isna().any() or kind not in ("categorical", "text", "numeric"):
        return False
    if kind == "numeric" and (name not in seen.whole or _COUNT_NAME.search(name) or name.lower().endswith(_MANY)):
        return False
    counts = column.value_counts()
    is_several = _LEAST_GROUPS <= len(counts) <= len(column) / 1.5
    return is_several and (is_named or (len(counts) >= _LEAST_NUMBERED and float(counts.median()) <= _MOST_ROWS_OF_ONE))


def describe_codes(seen: Seen, names: Collection[str]) -> list[Finding]:
    """Ask about whole numbers of few values, or with the name of a code, that may be names of kinds."""
    codes = [name for name in names if _looks_coded(seen, name)]
    if not codes:
        return []
    say = f"data.read.types: {{{quote_key(codes[0])}: category}}"
    text = f"{shorten_list(codes, 8)}: whole numbers of few values; where they are names of kinds, say so: {say}"
    return [Finding("codes?", text, kept=tuple(codes))]


def _looks_coded(seen: Seen, name: str) -> bool:
    """Counts begin at 0, of which there are the most, and fall off; codes seldom do."""
    if name not in seen.whole or seen.kinds[name] != "numeric" or _COUNT_NAME.search(name):
        return False
    counts = seen.frame[name].value_counts().sort_index()
    if counts.index[0] < 0 or len(counts) < _FEWEST_CODES or len(counts) * _LEAST_GROUPS > len(seen.frame):
        return False
    if len(counts) > _MOST_CODES:
        return bool(_NUMBERED_NAME.search(name) or _CAMEL_ID.search(name)) and len(counts) <= MOST_CATEGORIES * 10
    falls_off = counts.iloc[:3].is_monotonic_decreasing and counts.iloc[1] <= _FALLS_OFF * counts.iloc[0]
    return bool(counts.index[0] > 0 or not falls_off)


def find_parts(seen: Seen, names: Collection[str]) -> tuple[str, list[str], list[str]] | None:
    """Return the column that says which rows are for the test, the values of test rows, and those of validation rows."""
    for name in names:
        if seen.kinds[name] != "categorical" or seen.frame[name].isna().any():
            continue
        values = [str(value) for value in seen.frame[name].unique()]
        test = [value for value in values if value.lower().startswith("test")]
        validation = [value for value in values if value.lower().startswith(("val", "dev"))]
        if {value.lower() for value in values} <= _PART_WORDS and test and len(values) > len(test) + len(validation):
            return name, test, validation
    return None


def choose_filling(seen: Seen, names: Collection[str]) -> str:
    """Return what fills categories: where a column is often empty, that is a category of its own, else the most frequent one."""
    shares = [float(seen.frame[name].isna().mean()) for name in names if seen.kinds[name] == "categorical"]
    return "constant" if max(shares, default=0.0) > _OFTEN_MISSING else "most_frequent"


def describe_missing(seen: Seen, names: Collection[str]) -> list[Finding]:
    """Return the columns with missing values, in one line, and with what the proposed preprocessing fills them."""
    counts = {name: int(seen.frame[name].isna().sum()) for name in names if seen.kinds[name] != "text"}
    ordered = sorted((name for name in counts if counts[name]), key=lambda name: -counts[name])
    most = "the most frequent value"
    filled = {"numeric": "the median", "date": "the median", "boolean": most}
    filled["categorical"] = "a category of its own, missing_value" if choose_filling(seen, names) == "constant" else most
    by_filling: dict[str, list[str]] = {}
    for name in ordered:
        by_filling.setdefault(filled[seen.kinds[name]], []).append(f"{name} {counts[name]:,}")
    said = [f"{shorten_list(shown, 6)} by {filling}" for filling, shown in by_filling.items()]
    return [Finding("missing", f"empty in some rows, filled by preprocessing: {'; '.join(said)}")] if said else []


def list_numbers(seen: Seen, names: Collection[str]) -> dict[str, np.ndarray]:
    """Return columns of numbers as float64, shape (n_rows,) each; booleans count as 0 and 1."""
    wanted = [name for name in names if seen.kinds[name] in ("numeric", "boolean")]
    return {name: seen.frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in wanted}
