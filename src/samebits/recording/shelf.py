"""The team's store, where one is set: a run's tables are kept there, once for all experiments, before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from samebits.errors import SamebitsError
from samebits.stores.store import HELD_VARIABLE, list_stores, open_named
from samebits.table.reading import Source
from samebits.text import warn


class Shelf:
    """What of a run's tables the store has.

    A store that does not take them costs no run: they go with the experiment then. What a run that is made again was brought from the
    store goes to neither: it is there.

    Parameters
    ----------
    wish
        The config's `data.archive`: of a table that is never to be kept, nothing goes to the store either.
    """

    def __init__(self, root: Path, wish: str) -> None:
        self._root, self._wish = root, wish
        self.kept = set(os.environ.get(HELD_VARIABLE, "").split())

    def keep_tables(self, sources: list[Source]) -> None:
        """Keep tables in the store, if there is one, and note the digests of those that it has."""
        try:
            names = list_stores(self._root) if self._wish != "never" else []
            missing = [source for source in sources if source.digest not in self.kept]
            for source in missing if names else ():
                open_named(names[0]).put(source.path, source.digest)
                self.kept.add(source.digest)
        except (SamebitsError, OSError) as error:
            warn(f"the table is not in the store: {error}")
