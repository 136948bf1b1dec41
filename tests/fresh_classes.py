"""Runs every class of every_class.py in one process under `portable`, and prints a line of digests for each: for machines to be compared.

`python tests/fresh_classes.py [WORD]` under two CPUs, and diff(1); WORD limits it to the lines that hold it. To emulate one:
`qemu-x86_64 -cpu Haswell python tests/fresh_classes.py`, in the environment of `make_environment("portable", ...)`, since a process that
replaces itself leaves the emulator.
"""

import dataclasses
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from samebits.numerics.profile import pin_profile


def list_calls(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    import every_class

    grounds = every_class.prepare_grounds(folder)
    for case in every_class.list_cases():
        if not every_class.find_refusal(case):
            yield str(case), lambda case=case: dataclasses.astuple(every_class.run_case(grounds[case.ground], case, 1))
    for name in every_class.list_splitters():
        yield f"splitter {name}", lambda name=name: every_class.run_splitter(folder, name, 1)
    for target, name in every_class.list_scorings():
        if (target, name) not in every_class.REFUSED_SCORERS:
            yield f"scorer {target} {name}", lambda target=target, name=name: every_class.run_scorer(grounds[target], name, 1)


def main(word: str = "") -> None:
    from samebits.digests import digest_bytes

    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for name, call in list_calls(Path(folder)):
            if word in name:
                print(name, digest_bytes(repr(call()).encode()), flush=True)


if __name__ == "__main__":
    pin_profile("portable")
    main(*sys.argv[1:])
