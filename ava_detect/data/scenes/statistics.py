"""How often the actions occur in scenes, counted from their ground truth without drawing a frame."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ava_detect.data.scenes.actions import AVA_NAMES, Action
from ava_detect.data.scenes.scene import Scene


@dataclass(frozen=True)
class SceneStatistics:
    """Counts over the keyframes of some scenes.

    Attributes:
        keyframes: in all.
        empty_keyframes: with nobody labelled.
        people: labelled, over all keyframes.
        actions: people who are labelled with each action.
    """

    keyframes: int
    empty_keyframes: int
    people: int
    actions: Counter[Action]

    def table(self) -> str:
        """Return the counts as text, one action per line."""
        crowd = self.people / self.keyframes
        lines = [
            f"{self.keyframes} keyframes, {self.people} people, {crowd:.2f} per keyframe, "
            f"{self.empty_keyframes} keyframes without people",
            " id  action                      people   share",
        ]
        for action in Action:
            count = self.actions[action]
            share = 100 * count / max(1, self.people)
            lines.append(f"{action.value:3}  {AVA_NAMES[action]:<26} {count:7,} {share:6.1f}%")
        return "\n".join(lines)


def count_actions(scenes: Iterable[Scene]) -> SceneStatistics:
    """Count the ground truth of some scenes."""
    keyframes = empty = people = 0
    actions: Counter[Action] = Counter()
    for scene in scenes:
        labelled = scene.groundtruth()
        keyframes += len(scene.keyframes)
        empty += len(scene.keyframes) - len({person.second for person in labelled})
        people += len(labelled)
        actions.update(action for person in labelled for action in person.actions)
    return SceneStatistics(keyframes, empty, people, actions)
