"""Procedural scenes: drawn videos of articulated people whose actions are known, as AVA-style data sets.

A seed and a grade decide everything; see docs/scenes.md.
"""

from ava_detect.data.scenes.actions import MOTION_PAIRS, Action
from ava_detect.data.scenes.annotations import groundtruth_lines
from ava_detect.data.scenes.dataset import WrittenScene, split_seeds, write_dataset, write_scene
from ava_detect.data.scenes.grades import GRADES, SPLITS, VERSION, Grade
from ava_detect.data.scenes.scene import LabelledPerson, Scene, generate_scene

__all__ = [
    "GRADES",
    "MOTION_PAIRS",
    "SPLITS",
    "VERSION",
    "Action",
    "Grade",
    "LabelledPerson",
    "Scene",
    "WrittenScene",
    "generate_scene",
    "groundtruth_lines",
    "split_seeds",
    "write_dataset",
    "write_scene",
]
