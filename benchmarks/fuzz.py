"""Hands the program thousands of strange configs, lineages, models and patches, and says of each whether it behaved.

python benchmarks/fuzz.py [configs] [lineages] [models] [patches] [--count N] [--seed N] [--keep FOLDER]

To behave is: no traceback, no more than 10 s, no more than 1 GiB, no control character on the terminal, no file changed outside the
program's own folders, none left in the temporary one. Each failure is kept once per kind, as the smallest input that shows it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import warnings
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from strange_inputs import Bench, Case, try_cases
from warm_program import Ended

COUNTS = {"configs": 2000, "lineages": 500, "models": 200, "patches": 200}
CPU_SECONDS = 10  # of a command's own; on a busy machine it may take longer


@dataclass
class Findings:
    """What went wrong, by kind: how often, and the smallest input that shows it."""

    keep: Path
    counts: dict[str, int] = field(default_factory=dict)
    smallest: dict[str, tuple[Case, Ended]] = field(default_factory=dict)

    def add(self, kind: str, case: Case, ended: Ended) -> None:
        """Count a failure; keep it where it is the smallest of its kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind not in self.smallest or len(case.content) < len(self.smallest[kind][0].content):
            self.smallest[kind] = (case, ended)
            name = re.sub(r"\W+", "_", kind)[:80]
            (self.keep / name).write_bytes(case.content)
            said = ended.stdout[-4000:] + ended.stderr[-8000:]
            (self.keep / f"{name}.txt").write_bytes(
                f"{case.words}\nexit {ended.exit_code}, {ended.seconds:.1f} s, {ended.cpu_seconds:.1f} s of CPU\n".encode() + said
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(COUNTS), help=f"any of {', '.join(COUNTS)}")
    parser.add_argument("--count", type=int, help="of each kind; " + ", ".join(f"{count} {kind}" for kind, count in COUNTS.items()))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--seconds",
        type=float,
        default=10,
        help="how long a command may take: more on a busy machine, where 10 s of its own CPU time are still too long",
    )
    parser.add_argument("--keep", type=Path, help="folder for the inputs that failed")
    options = parser.parse_args()
    keep = options.keep or Path(tempfile.mkdtemp(prefix="samebits-fuzz-found-"))
    keep.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")  # of zipfile, about names that are there twice on purpose
    n_failed = sum(try_kind(kind, options.count or COUNTS[kind], options.seed, options.seconds, keep) for kind in options.kinds)
    sys.exit(1 if n_failed else 0)


def try_kind(kind: str, count: int, seed: int, seconds: float, keep: Path) -> int:
    """Try so many cases of a kind, print what came of them, and return how many failed."""
    with tempfile.TemporaryDirectory(prefix="samebits-fuzz-") as folder:
        bench, findings = Bench(Path(folder), seconds, CPU_SECONDS), Findings(keep)
        exits: dict[int, int] = {}
        longest = peak = 0.0
        n_failed = 0
        for case, ended, kinds in try_cases(bench, kind, count, seed):
            exits[ended.exit_code] = exits.get(ended.exit_code, 0) + 1
            longest, peak = max(longest, ended.cpu_seconds), max(peak, ended.peak_mib)
            n_failed += bool(kinds)
            for one in kinds:
                findings.add(f"{kind}: {one}", case, ended)
    codes = dict(sorted(exits.items()))
    print(f"{kind}: {count} tried, {n_failed} failed; exit codes {codes}; at most {longest:.1f} s of CPU, {peak:.0f} MiB")
    for name, times in sorted(findings.counts.items(), key=lambda item: -item[1]):
        print(f"  {times:5} {name}   {' '.join(findings.smallest[name][0].words)[:60]}", flush=True)
    if findings.counts:
        print(f"  smallest inputs in {keep}")
    return n_failed


if __name__ == "__main__":
    main()
