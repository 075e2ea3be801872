"""A setting as it was written, and where."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """The place that set a value: the defaults, a line of a file, or the command line."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


DEFAULT = Origin("default")
COMMAND_LINE = Origin("command line")


@dataclass(frozen=True)
class Setting:
    """One key with its dotted name, the value as written, and where it was written."""

    key: str
    value: object
    origin: Origin


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, and not longer than one."""
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
