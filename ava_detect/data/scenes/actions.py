"""The actions that the scenes show: a subset of AVA's, with AVA's ids, names and groups."""

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path

from evaluation.atomic import atomic_path


class Action(IntEnum):
    """AVA's ids of the actions that are drawn."""

    BEND = 1
    FALL_DOWN = 5
    GET_UP = 6
    LIE = 8
    RUN = 10
    SIT = 11
    STAND = 12
    WALK = 14
    ANSWER_PHONE = 15
    HOLD = 17
    READ = 48
    HAND_CLAP = 67
    HAND_SHAKE = 68
    HAND_WAVE = 69


AVA_NAMES = {
    Action.BEND: "bend/bow (at the waist)",
    Action.FALL_DOWN: "fall down",
    Action.GET_UP: "get up",
    Action.LIE: "lie/sleep",
    Action.RUN: "run/jog",
    Action.SIT: "sit",
    Action.STAND: "stand",
    Action.WALK: "walk",
    Action.ANSWER_PHONE: "answer phone",
    Action.HOLD: "carry/hold (an object)",
    Action.READ: "read",
    Action.HAND_CLAP: "hand clap",
    Action.HAND_SHAKE: "hand shake",
    Action.HAND_WAVE: "hand wave",
}

# Each pair looks the same in a single frame; only motion tells one from the other.
MOTION_PAIRS: Sequence[tuple[Action, Action]] = (
    (Action.STAND, Action.HAND_WAVE),
    (Action.STAND, Action.HAND_CLAP),
    (Action.WALK, Action.RUN),
    (Action.GET_UP, Action.FALL_DOWN),
    (Action.SIT, Action.BEND),
)


def ava_group(action: Action) -> str:
    """Return AVA's ``label_type`` of an action: ids 1-14 are poses, 15-63 objects, 64-80 people."""
    if action <= 14:
        return "PERSON_MOVEMENT"
    return "OBJECT_MANIPULATION" if action <= 63 else "PERSON_INTERACTION"


def label_map_text() -> str:
    """Return the label map of the scenes in the form of AVA's 80-class ``.pbtxt``."""
    lines: list[str] = []
    for action in Action:
        fields = (
            f'name: "{AVA_NAMES[action]}"',
            f"label_id: {action.value}",
            f"label_type: {ava_group(action)}",
        )
        lines += ["label {", *(f"  {field}" for field in fields), "}"]
    return "\n".join(lines) + "\n"


def write_label_map(path: str | Path) -> None:
    """Write the label map of the scenes.

    Raises:
        OSError: the folder does not exist or cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(label_map_text(), encoding="utf-8")
