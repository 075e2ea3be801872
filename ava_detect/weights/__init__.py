"""Published weights: safe reading, one name map per publisher, conversion, the zoo and its cache.

``find_weights`` says what goes with weights, ``fetch_weights`` brings the file, ``load_weights`` puts it into
a model and ``save_weights`` writes one of ours.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ava_detect.weights.load import LoadReport, load_weights
    from ava_detect.weights.own_format import save_weights
    from ava_detect.weights.zoo import fetch_weights, find_weights
    from ava_detect.weights.zoo_entry import ZooEntry

__all__ = ["LoadReport", "ZooEntry", "fetch_weights", "find_weights", "load_weights", "save_weights"]

_HOME = {
    "LoadReport": "load",
    "load_weights": "load",
    "save_weights": "own_format",
    "fetch_weights": "zoo",
    "find_weights": "zoo",
    "ZooEntry": "zoo_entry",
}


def __getattr__(name: str) -> object:
    """Import what is asked for; ``ava-detect doctor`` needs the cache's folder and no torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
