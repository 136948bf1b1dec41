"""samebits: machine-learning training runs that anybody can make again, bit for bit, and prove it."""

__version__ = "2026.11.14"
__all__ = ["Outcome", "Run", "SamebitsError", "diff", "load", "open_run", "predict", "reproduce", "results", "train", "verify"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from samebits.interface.functions import (
        Outcome,
        Run,
        SamebitsError,
        diff,
        load,
        open_run,
        predict,
        reproduce,
        results,
        train,
        verify,
    )


def __getattr__(name: str) -> object:  # so that the import is instant, and this file serves a model alone
    if name in __all__:
        from samebits.interface import functions

        return getattr(functions, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
