"""The engine: what runs the networks over videos. ``from ava_detect.engine import Predictor``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ava_detect.engine.predictor import Predictor

__all__ = ["Predictor"]


def __getattr__(name: str) -> object:
    """Import ``Predictor`` when it is first asked for: doctor must answer without torch."""
    if name == "Predictor":
        from ava_detect.engine.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
