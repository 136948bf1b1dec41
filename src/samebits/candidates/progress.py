"""How far a cross-validation is, said while it runs: a line for each candidate whose folds are all scored, and what is left.

What is left is reckoned from what was measured: each candidate's mean time for a fold, and how much of such work a second brings
about. Nothing here decides anything; times are of the wall clock and stand in no record.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Self

import numpy as np

from samebits.lineage.tracked_values import is_turned, name_score, turn_score
from samebits.voice import Voice

_PAUSE_SECONDS = 30.0  # a long silence looks like a hang


class Progress:
    """A cross-validation as it goes on.

    Parameters
    ----------
    n_folds
        Of each candidate, by name.
    scoring
        The scorer's name: an error is said as one, without the sign that makes more of it better.
    """

    def __init__(self, voice: Voice, n_folds: Mapping[str, int], scoring: str = "") -> None:
        self._voice, self._scoring = voice, scoring
        self._n_folds = dict(n_folds)
        self._scores: dict[str, list[float]] = {name: [] for name in n_folds}
        self._seconds: dict[str, list[float]] = {name: [] for name in n_folds}
        self._failures: dict[str, str] = {}
        self._started = self._spoke = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def note(self, name: str, score: float, seconds: float, failure: str | None = None) -> None:
        """A candidate's next fold is scored, which took some seconds where it ran; or it failed."""
        self._scores[name].append(score)
        self._seconds[name].append(seconds)
        self._failures |= {name: failure} if failure else {}
        if len(self._scores[name]) == self._n_folds[name] and name in self._failures:
            self._say(f"failed {name}: {self._failures[name]}")
        elif len(self._scores[name]) == self._n_folds[name]:
            self._say(f"scored {name} {self._describe_scores(name)}, {sum(self._seconds[name]):.1f} s")
        elif self._voice.show is not None:
            self._voice.show(self._describe_rest())
        elif time.monotonic() - self._spoke > _PAUSE_SECONDS:
            self._say(self._describe_rest())

    def _say(self, line: str) -> None:
        self._clear()
        self._voice.follow(line)
        self._spoke = time.monotonic()

    def _clear(self) -> None:
        """What was to be written over must not stand behind another's words, such as why the training ends."""
        if self._voice.show is not None:
            self._voice.show("")

    def _describe_scores(self, name: str) -> str:
        scores = self._scores[name]
        spread = f" ± {np.std(scores):.6f} over {len(scores)} folds" if len(scores) > 1 else ""
        error = f"{name_score(self._scoring)} " if is_turned(self._scoring) else ""
        return f"{error}{turn_score(self._scoring, float(np.mean(scores))):.6f}{spread}"

    def _describe_rest(self) -> str:
        n_done, n_all = sum(map(len, self._scores.values())), sum(self._n_folds.values())
        passed = time.monotonic() - self._started
        done = sum(map(sum, self._seconds.values()))
        all_means = [second for seconds in self._seconds.values() for second in seconds]
        left = sum(
            (n - len(self._seconds[name])) * float(np.mean(self._seconds[name] or all_means)) for name, n in self._n_folds.items()
        )
        return f"scored {n_done} of {n_all} folds in {passed:.0f} s, about {left * passed / max(done, 1e-9):.0f} s left"
