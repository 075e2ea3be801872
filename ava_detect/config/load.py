"""From a name, a file or a text to a checked Config: merge, convert, complete, check."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ava_detect.config import foreign
from ava_detect.config.checks import check
from ava_detect.config.complete import complete
from ava_detect.config.convert import Mismatch, convert
from ava_detect.config.dump import format_value
from ava_detect.config.keys import all_keys, config_from, is_section, nearest
from ava_detect.config.origin import COMMAND_LINE, Setting, shown
from ava_detect.config.packaged import packaged_names, read_config_text
from ava_detect.config.reading import read_settings, require_distinct
from ava_detect.config.schema import Config
from evaluation.errors import ConfigError

_log = logging.getLogger(__name__)

_BASE = "_BASE_"  # the field's name (fvcore) for "begin with this file"
_MAX_BASES = 10


def load_config(path_or_name: str | Path, overrides: Sequence[object] = ()) -> Config:
    """Load a configuration and change some of its settings.

    Args:
        path_or_name: a YAML file, ours or PySlowFast's, or a name such as "ava/slowfast_8x8_r50".
        overrides: a flat list of keys and values, ["DATA.NUM_FRAMES", 64, "SOLVER.BASE_LR", "0.05"]; text is
            read as on the command line, other values are taken as they are.

    Raises:
        ConfigError: a file that cannot be read, a key that is not known, a value of the wrong type, settings
            that do not fit together.
    """
    settings = _settings_with_bases(path_or_name, ())
    return _build([*settings, *_override_settings(overrides)])


def parse_config(text: str, source: str = "text", overrides: Sequence[object] = ()) -> Config:
    """Read a configuration from YAML text, for example the one inside a checkpoint.

    Args:
        text: YAML as in a file.
        source: how messages call it.
        overrides: as for ``load_config``.

    Raises:
        ConfigError: as for ``load_config``.
    """
    settings = _read(text, source)
    for setting in settings:
        if setting.key == _BASE and str(setting.value) not in packaged_names():
            raise ConfigError(
                f"{setting.origin}: {_BASE} works in files; here it can name a packaged one only."
            )
    return _build([*_expanded(settings, (source,), None), *_override_settings(overrides)])


def replace(cfg: Config, overrides: Sequence[object]) -> Config:
    """Return a copy of ``cfg`` with some settings changed, checked anew.

    Raises:
        ConfigError: as for ``load_config``.
    """
    return _build([*cfg.written.values(), *_override_settings(overrides)])


def on_top(base: Config, top: Config, overrides: Sequence[object] = ()) -> Config:
    """Return ``base`` with everything that was written for ``top``, then with ``overrides``.

    For a configuration that says little, such as where data are, together with one that travels with weights.

    Raises:
        ConfigError: as for ``load_config``.
    """
    return _build([*base.written.values(), *top.written.values(), *_override_settings(overrides)])


def _read(text: str, source: str) -> list[Setting]:
    settings = read_settings(text, source)
    _refuse_absent(settings)
    require_distinct(settings)
    return [foreign.renamed(setting) for setting in settings]


def _settings_with_bases(path_or_name: str | Path, opened: tuple[str, ...]) -> list[Setting]:
    text, source = read_config_text(path_or_name)
    if source in opened or len(opened) >= _MAX_BASES:
        raise ConfigError(f"{source}: {_BASE} goes in a circle: {' -> '.join((*opened, source))}.")
    return _expanded(_read(text, source), (*opened, source), str(path_or_name))


def _expanded(settings: list[Setting], opened: tuple[str, ...], beside: str | None) -> list[Setting]:
    """Put the settings of the base, if one is named, before the file's own."""
    base = next((setting for setting in settings if setting.key == _BASE), None)
    if base is None:
        return settings
    own = [setting for setting in settings if setting is not base]
    return [*_settings_with_bases(_base_path(base, beside), opened), *own]


def _base_path(base: Setting, beside: str | None) -> str:
    """Resolve the name of a base: a packaged name, or a path relative to the file that names it."""
    if not isinstance(base.value, str) or not base.value:
        raise ConfigError(f"{base.origin}: {_BASE} expects the name or path of one configuration.")
    if base.value.removesuffix(".yaml") in packaged_names() or beside is None:
        return base.value
    return str(Path(beside).parent / base.value)


def _override_settings(overrides: Sequence[object]) -> list[Setting]:
    if len(overrides) % 2:
        raise ConfigError(
            f"{overrides[-1]}: a setting without a value; overrides are pairs of KEY and VALUE."
        )
    pairs = zip(overrides[::2], overrides[1::2], strict=True)
    return [Setting(str(key), value, COMMAND_LINE) for key, value in pairs]


def _build(settings: Sequence[Setting]) -> Config:
    _refuse_absent(settings)
    settings = foreign.without_pool(settings)
    values: dict[str, object] = {}
    written: dict[str, Setting] = {}
    ignored: dict[str, str] = {}
    unknown: list[Setting] = []
    for setting in settings:
        if setting.key in all_keys():
            values[setting.key] = _converted(setting)
            written[setting.key] = setting
        elif setting.value is None and is_section(setting.key):
            continue  # a section with nothing below it
        elif reason := foreign.effectless(setting.key):
            ignored[setting.key] = reason
        else:
            unknown.append(setting)
    if unknown:
        raise _unknown(unknown[0], values)
    _say_ignored(ignored)
    if foreign.differs_in_pytorchvideo(settings):
        _log.warning(
            "MODEL.MODEL_NAME PTVSlowFast: PySlowFast does not dilate the Fast pathway's res5 here; to "
            "compute what it computes, set RESNET.SPATIAL_DILATIONS to [1, 1, 1, [2, 1]]"
        )
    cfg = complete(config_from(values, written))
    check(cfg)
    return cfg


def _refuse_absent(settings: Sequence[Setting]) -> None:
    """Refuse what is not built or done here, by the most telling key: the model before its details."""
    for key in foreign.refused_keys():
        for setting in settings:
            reason = foreign.refusal(key, setting.value) if setting.key == key else None
            if reason:
                raise ConfigError(f"{key} ({setting.origin}) is {shown(setting.value)}: {reason}.")


def _converted(setting: Setting) -> object:
    key = all_keys()[setting.key]
    try:
        return convert(foreign.alias(setting.key, setting.value), key.annotation)
    except Mismatch as mismatch:
        raise ConfigError(
            f"{setting.key} ({setting.origin}): expected {mismatch}, got {shown(setting.value)}."
        ) from None


def _unknown(setting: Setting, values: Mapping[str, object]) -> ConfigError:
    where = "" if setting.origin == COMMAND_LINE else f"{setting.origin}: "
    if is_section(setting.key):
        return ConfigError(
            f"{where}{setting.key} is a section; expected settings below it, got {shown(setting.value)}."
        )
    near = nearest(setting.key, all_keys())
    if near is None:
        return ConfigError(
            f"{where}{setting.key} is not a setting.", hint="ava-detect config show lists them all."
        )
    value = values.get(near, all_keys()[near].default)
    return ConfigError(
        f"{where}{setting.key} is not a setting. Did you mean {near} ({format_value(value)} in this config)?"
    )


def _say_ignored(ignored: Mapping[str, str]) -> None:
    if ignored:
        reasons: dict[str, list[str]] = {}
        for key, reason in ignored.items():
            reasons.setdefault(reason, []).append(key)
        text = "; ".join(f"{', '.join(keys)} ({reason})" for reason, keys in reasons.items())
        _log.info("without effect here: %s", text)
