"""The mistakes that somebody can mend, one class for each party that can mend them.

Every message is built here from facts: where, what was expected, what was found, what to do. Its first line stands alone, and what
others wrote into it is cleaned of credentials and control characters. Only the command line catches `SamebitsError`; anything else
that is raised is a bug of samebits and shows its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from samebits.text import clean_text

_NEAR = 0.75  # of difflib's ratio: what is less alike is another word
EXIT_REFUSED = 2  # also the code of INCONCLUSIVE: nothing was decided
EXIT_BROKEN_CLAIM = 3
EXIT_WAITING = 75  # EX_TEMPFAIL of sysexits.h: what was made waits to be delivered
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h; never 1, which will mean DIFFERENT


@dataclass(frozen=True)
class Problem:
    """One fact that stands in the way, in four parts.

    >>> print(Problem("a.yaml:3: seed", "an integer", "'x'", "Write a number."))
    a.yaml:3: seed: expected an integer, found 'x'. Write a number.
    """

    where: str
    expected: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return clean_text(f"{self.where}: expected {self.expected}, found {self.found}. {self.remedy}".rstrip())

    def rename(self, place: str, name: str) -> Problem:
        """Return it with a place as whoever reads it has named it.

        >>> print(Problem("/cache/3f", "a table", "none", "Check /cache/3f.").rename("/cache/3f", "s3://b/x.csv"))
        s3://b/x.csv: expected a table, found none. Check s3://b/x.csv.
        """
        return Problem(*(part.replace(place, name) for part in (self.where, self.expected, self.found, self.remedy)))


def describe_unreadable(path: Path, error: OSError, remedy: str = "Check its permissions.") -> Problem:
    """Return the problem of a file that the operating system does not give.

    >>> print(describe_unreadable(Path("a.csv"), PermissionError(13, "Permission denied")))
    a.csv: expected a readable file, found Permission denied. Check its permissions.
    """
    return Problem(str(path), "a readable file", error.strerror or str(error), remedy)


def describe_missing_extra(where: str, purpose: str, package: str, extra: str) -> Problem:
    """Return the problem of a package that only some users need, and that is not there.

    >>> print(describe_missing_extra("s3://b", "what reads buckets", "obstore", "remote"))
    s3://b: expected what reads buckets (the package obstore), found not installed. Install the extra: uv add 'samebits[remote]'.
    """
    return Problem(where, f"{purpose} (the package {package})", "not installed", f"Install the extra: uv add 'samebits[{extra}]'.")


def suggest(found: str, allowed: Iterable[str], otherwise: str) -> str:
    """Return the remedy for a name that is not known: the one that is near it, or else another sentence.

    >>> suggest("Sed", ["seed", "split"], "Remove it.")
    "Did you mean 'seed'?"
    >>> suggest("duration", ["PULocationID", "distance"], "Check the name.")
    'Check the name.'
    """
    by_folded = {name.casefold(): name for name in allowed}
    wanted = found.casefold()
    close = difflib.get_close_matches(wanted, by_folded, n=1, cutoff=_NEAR)
    close = close or [name for name in by_folded if _is_one_letter_off(name, wanted)][:1]
    return f"Did you mean {by_folded[close[0]]!r}?" if close else otherwise


def _is_one_letter_off(left: str, right: str) -> bool:
    """Tell whether one letter changed, added or left out makes one name the other."""
    longer, shorter = sorted((left, right), key=len, reverse=True)
    start = next((i for i, (one, other) in enumerate(zip(longer, shorter, strict=False)) if one != other), len(shorter))
    return longer != shorter and longer[start + 1 :] in (shorter[start + 1 :], shorter[start:])


class SamebitsError(Exception):
    """Base of every error that is a user's to mend.

    Parameters
    ----------
    problems
        One or more, in the order in which they should be mended.
    """

    def __init__(self, *problems: Problem) -> None:
        self.problems: Sequence[Problem] = problems
        super().__init__("\n".join(self.list_sentences()))

    def list_sentences(self) -> list[str]:
        """Return what each problem says, one line each."""
        return [str(problem) for problem in self.problems]

    def as_document(self) -> dict[str, Any]:
        """Return it as plain values, as `--json` prints it."""
        return {"class": type(self).__name__, "problems": [asdict(problem) for problem in self.problems]}

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows in place of a traceback: no line of this package is wrong."""
        return [f"{type(self).__name__}: {sentence}" for sentence in self.list_sentences()]


class ConfigError(SamebitsError):
    """The config file must change."""


class DataError(SamebitsError):
    """The table must change, or what the config says of it."""


class ProvenanceError(SamebitsError):
    """The working tree, the environment or the machine cannot give what the run promises."""


class TrackingError(SamebitsError):
    """The tracking server, or the way to it, must change."""


class Undelivered(TrackingError):
    """What a run made is complete and kept, and is not on the server: it can be sent later."""


class LineageError(SamebitsError):
    """The record of a run cannot be read or does not hold together."""


class Interrupted(BaseException):
    """A signal asked the run to stop; like KeyboardInterrupt it is no Exception, so that no estimator swallows it."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(f"stopped by signal {signal_number}")
