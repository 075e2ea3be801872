"""Find everything in data that would make training or evaluation go wrong, before a GPU is used.

``check_things(["data_set/", "predictions.csv"])`` looks at each thing by itself, then at what they are to
each other, and returns a ``Report``. One file per kind of thing; every check is a function over loaded
things that yields ``Finding``s. Nothing here changes a file.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ava_detect.data.check.finding import Finding, Place, Report, Severity, Subject
    from ava_detect.data.check.run import Options, check_things

__all__ = ["Finding", "Options", "Place", "Report", "Severity", "Subject", "check_things"]


def __getattr__(name: str) -> object:
    """Import what is asked for, so that a command line that only shows its help needs no pandas."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "run" if name in ("Options", "check_things") else "finding"
    return getattr(import_module(f"{__name__}.{home}"), name)
