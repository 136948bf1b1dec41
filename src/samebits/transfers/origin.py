"""What every source of tables can be asked: what lies there now, and its bytes from an offset on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from samebits.errors import DataError, describe_unreadable
from samebits.plain_files import read_pieces


@dataclass(frozen=True)
class Held:
    """What a source says of a table before any byte of it is taken.

    Parameters
    ----------
    size_bytes
        None where it does not say.
    tag
        What changes with its content, as the source has it (an ETag, a version, a digest of another kind); None: nothing does.
    version
        By which this content stays to be had after others were written; None where the source keeps none.
    """

    size_bytes: int | None
    tag: str | None
    version: str | None = None


@dataclass(frozen=True)
class Origin:
    """One file at its source.

    Parameters
    ----------
    where
        As a person names it.
    look
        Asks what lies there.
    read
        Gives its bytes in pieces, of what `look` found, from an offset on; from the beginning where it cannot do otherwise, which it
        says by the offset that it gives first.
    """

    where: str
    look: Callable[[], Held]
    read: Callable[[Held, int], tuple[int, Iterator[bytes]]]


def open_file(path: Path, tag: str | None = None) -> Origin:
    """Return a file of this machine as a source.

    Parameters
    ----------
    tag
        As a `Held` has it, where more is known of the file than its size and when it was written.
    """

    def look() -> Held:
        try:
            found = path.stat()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DataError(describe_unreadable(path, error)) from None
        return Held(found.st_size, tag or f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}")

    def read(_: Held, offset: int) -> tuple[int, Iterator[bytes]]:
        return offset, read_pieces(path, offset=offset)

    return Origin(str(path), look, read)
