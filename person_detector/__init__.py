"""The person detector: Detectron2's Faster R-CNN on keyframes. Knows boxes of people and no actions.

Importing this package imports nothing else, so that ``python -m person_detector.install`` runs in a bare
environment and boxes from a file need no Detectron2; the names below are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from person_detector.boxes import PersonBoxes
    from person_detector.build import build_person_detector
    from person_detector.detector import PersonDetector
    from person_detector.given_boxes import GivenBoxes

__all__ = ["GivenBoxes", "PersonBoxes", "PersonDetector", "build_person_detector"]

_HOME = {
    "GivenBoxes": "person_detector.given_boxes",
    "PersonBoxes": "person_detector.boxes",
    "PersonDetector": "person_detector.detector",
    "build_person_detector": "person_detector.build",
}


def __getattr__(name: str) -> Any:  # Any: what the block above says
    """Import a name's module when the name is first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
