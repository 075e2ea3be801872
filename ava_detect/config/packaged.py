"""Find a configuration by its name, such as ``ava/slowfast_8x8_r50``: in a wheel and in a source checkout."""

import importlib.resources
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path

from ava_detect.config.keys import nearest
from evaluation.errors import ConfigError

_SUFFIX = ".yaml"
_OTHERS = "person_detector/"  # configurations of the person detector have other keys
_MAX_BYTES = 4_000_000


@cache
def packaged_names() -> tuple[str, ...]:
    """Return the names of all configurations that come with the project, sorted."""
    return tuple(sorted(name for name in _names_in(_root(), "") if not name.startswith(_OTHERS)))


def title(name: str) -> str:
    """Return the first line of the comment that opens a packaged configuration; "" if there is none."""
    first = (_root() / f"{name}{_SUFFIX}").read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def read_config_text(path_or_name: str | Path) -> tuple[str, str]:
    """Return the text of a configuration and how messages call it.

    Args:
        path_or_name: a YAML file, or a name of ``packaged_names``. A file wins over a name.

    Raises:
        ConfigError: there is neither, or the file is no UTF-8 text of sensible size.
    """
    path = Path(path_or_name)
    name = str(path_or_name).removesuffix(_SUFFIX)
    if not path.exists() and name in packaged_names():
        return (_root() / f"{name}{_SUFFIX}").read_text(encoding="utf-8"), name
    return _read_file(path), str(path)


def _read_file(path: Path) -> str:
    if path.is_dir():
        raise ConfigError(f"{path}: a folder; expected a YAML file or a name such as ava/slowfast_8x8_r50.")
    if not path.is_file():
        raise _not_found(str(path))
    try:
        data = path.read_bytes() if path.stat().st_size <= _MAX_BYTES else None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}.") from None
    if data is None:
        raise ConfigError(f"{path}: {path.stat().st_size:,} bytes; that is no configuration.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not text in UTF-8 (byte {error.start}).") from None


def _not_found(name: str) -> ConfigError:
    near = nearest_name(name)
    suggestion = f" Did you mean {near}?" if near else ""
    return ConfigError(
        f"{name}: no such file, and no configuration of that name.{suggestion}",
        hint="ava-detect config list shows the names.",
    )


def nearest_name(name: str) -> str | None:
    """Return the packaged name most like ``name``."""
    by_upper = {each.upper(): each for each in packaged_names()}
    found = nearest(name.removesuffix(_SUFFIX), by_upper)
    return by_upper[found] if found else None


def _names_in(folder: Traversable, prefix: str) -> list[str]:
    names = []
    for entry in folder.iterdir():
        if entry.is_dir():
            names += _names_in(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            names.append(prefix + entry.name.removesuffix(_SUFFIX))
    return names


@cache
def _root() -> Traversable:
    """Return the folder of the configurations: ``ava_detect.configs`` if installed, or the checkout's."""
    try:
        return importlib.resources.files("ava_detect.configs")
    except ModuleNotFoundError:
        return Path(__file__).parents[2] / "configs"
