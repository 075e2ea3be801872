"""What differs between two configurations, or between one and the defaults."""

from dataclasses import dataclass

from ava_detect.config.complete import complete
from ava_detect.config.keys import all_keys, config_from, values_of
from ava_detect.config.schema import Config

# What a network is decides how many entries per pathway a default has.
_NETWORK = ("MODEL.ARCH", "SLOWFAST.PATHWAYS", "SLOWFAST.FAST_INPUT", "RESNET.DEPTH")


@dataclass(frozen=True)
class Change:
    """One setting that differs; ``origin`` is where the value after came from."""

    key: str
    before: object
    after: object
    origin: str


def changes_between(before: Config, after: Config) -> list[Change]:
    """Return the settings whose effective values differ, in the schema's order."""
    return _changes(values_of(before), after)


def changes_from_defaults(cfg: Config) -> list[Change]:
    """Return the settings that are not at their default.

    Defaults per pathway count as equal however many pathways the network has.
    """
    values = values_of(cfg)
    same_network = complete(config_from({key: values[key] for key in _NETWORK}, {}))
    defaults = values_of(same_network) | {key: all_keys()[key].default for key in _NETWORK}
    return _changes(defaults, cfg)


def _changes(before: dict[str, object], after: Config) -> list[Change]:
    return [
        Change(key, before[key], value, str(after.origin(key)))
        for key, value in values_of(after).items()
        if value != before[key]
    ]
