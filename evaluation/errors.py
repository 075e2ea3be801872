"""The errors that a user can cause: one base class, one subclass per kind of input.

They live in the lowest package so that every other one can raise them. A message says where (file and row,
config key, video and time), what was found and what was expected; ``hint`` says what to type next. Only the
command line turns them into text and an exit code.
"""


class AvaDetectError(Exception):
    """Something a user can mend: bad input, a missing file, settings that do not fit together."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AvaDetectError):
    """The command was used wrongly: flags that exclude each other, an odd number of KEY VALUE words."""

    exit_code = 2


class ConfigError(AvaDetectError):
    """A configuration key, value or combination is not possible."""

    exit_code = 2


class DataError(AvaDetectError):
    """An annotation, detection, box or label-map file cannot be used."""


class VideoError(AvaDetectError):
    """A video cannot be opened, decoded or written."""


class WeightsError(AvaDetectError):
    """A checkpoint cannot be read, is unsafe, or does not fit the model."""


class MissingDependencyError(AvaDetectError):
    """An optional package is needed and not installed; ``hint`` holds the line to type."""
