"""The journal of a search: what its trials scored, kept in a file of the user's own until the run is made.

A search that was interrupted takes the scores of the trials that were done and goes on with the next one. It is found by the digest
of the run's request (code, config, data, environment), so that nothing else is ever taken for it; and a winner whose scores are from
it is fitted again in its folds, and must score the same.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace

from samebits.private_files import read_private, remove_private, write_private
from samebits.search.proposals import Proposal
from samebits.search.trials import Trial

_PAUSE_SECONDS = 1.0  # between writings: what a trial takes is worth more than that, or little is lost


class Journal:
    """The trials of one request, those of an earlier try among them.

    Parameters
    ----------
    request_digest
        Empty: nothing is kept.
    """

    def __init__(self, request_digest: str = "") -> None:
        self._name = f"searches/{request_digest.removeprefix('sha256:')}.json" if request_digest else ""
        self._trials = _read(self._name)
        self._written = time.monotonic()
        self.n_taken = 0

    def find(self, place: str, candidate: str, proposal: Proposal) -> Trial | None:
        """Return what a trial scored in an earlier try, or None."""
        trial = self._trials.get(_name(place, candidate, proposal))
        if trial is None or json.dumps(trial.values) != json.dumps(proposal.values):  # in which NaN is NaN, and 1 not true
            return None
        self.n_taken += 1
        return replace(trial, values=proposal.values)

    def keep(self, place: str, trial: Trial) -> None:
        """Note what a trial scored; where it cannot be written, an interrupted search begins anew."""
        self._trials[_name(place, trial.candidate, Proposal(trial.number, trial.values, trial.n_rows))] = trial
        if time.monotonic() - self._written >= _PAUSE_SECONDS:
            self.write()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Write what was noted when a search ends, in whatever way: by Ctrl-C too."""
        try:
            yield
        finally:
            self.write()

    def write(self) -> None:
        """Write what was noted."""
        if self._name:
            write_private("state", self._name, json.dumps({name: asdict(one) for name, one in self._trials.items()}).encode("utf-8"))
        self._written = time.monotonic()

    def forget(self) -> None:
        """Take nothing of an earlier try any more, and keep none of it."""
        self._trials, self.n_taken = {}, 0
        if self._name:
            remove_private("state", self._name)


def _name(place: str, candidate: str, proposal: Proposal) -> str:
    return json.dumps([place, candidate, proposal.number, proposal.n_rows])


def _read(name: str) -> dict[str, Trial]:
    """A file that is not as it was written is none."""
    content = read_private("state", name) if name else None
    with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
        return {key: Trial(**fields) for key, fields in json.loads(content or b"{}").items()}
    return {}
