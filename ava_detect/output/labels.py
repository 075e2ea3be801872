"""Which actions of a person are drawn, and what they are called in a picture."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ava_detect.output.records import ActionClass


@dataclass(frozen=True)
class Label:
    """One action to draw: short name, group, score in [0, 1]."""

    text: str
    group: str
    score: float


def choose_labels(
    actions: Sequence[tuple[int, float]],
    classes: Mapping[int, ActionClass],
    *,
    top_k: int,
    threshold: float,
) -> tuple[Label, ...]:
    """Choose the best pose and the best others at or above the threshold.

    Args:
        actions: (action id, score), in any order.
        classes: by id.
        top_k: how many in all; the best pose is among them even when others score higher.
        threshold: lowest score that is drawn.

    Returns:
        At most ``top_k`` labels, best first.
    """
    best_first = sorted(
        (item for item in actions if item[1] >= threshold), key=lambda item: (-item[1], item[0])
    )
    pose_first = sorted(best_first, key=lambda item: item is not _best_pose(best_first, classes))
    chosen = sorted(pose_first[: max(top_k, 0)], key=lambda item: (-item[1], item[0]))
    return tuple(
        Label(short_name(classes[action_id].name), classes[action_id].group, score)
        for action_id, score in chosen
    )


def short_name(name: str) -> str:
    """Shorten a class name by dropping what stands in brackets: "talk to", "give/serve to".

    A name of brackets alone stays as it is.
    """
    return " ".join(re.sub(r"\([^()]*\)", " ", name).split()) or name


def _best_pose(
    best_first: Sequence[tuple[int, float]], classes: Mapping[int, ActionClass]
) -> tuple[int, float] | None:
    return next((item for item in best_first if classes[item[0]].group == "pose"), None)
