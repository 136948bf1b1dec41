"""What `import samebits` asks a process of its own, answered by one that is forked where the program stands ready, its imports behind it.

For tests of what the functions say and return; how a process is really started, heard and ended is what tests/interface/test_child.py tries.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from warm_program import WarmProgram

from samebits.interface import child
from samebits.numerics.profile import make_environment
from samebits.project import PACKAGE


def answer_warm(program: WarmProgram) -> Callable[[str, list[str], dict[str, str]], Any]:
    """Return what stands in for `child._ask`; the answer is taken, and an error raised, by that module itself."""

    def ask(what: str, command: list[str], variables: dict[str, str]) -> Any:
        words = command[command.index(str(PACKAGE)) + 1 :] if str(PACKAGE) in command else command[command.index("-m") :]
        environment = make_environment("portable", {**os.environ, "PYTHONIOENCODING": "utf-8", **variables})
        ended = program.run_within(words, environment, Path.cwd())
        listener = child._Listener(None)
        listener._take(ended.stdout, is_answer=True)
        listener._take(ended.stderr, is_answer=False)
        listener._take(b"", is_answer=False)
        return child._take_answer(what, ended.exit_code, listener)

    return ask
