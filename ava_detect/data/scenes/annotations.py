"""The ground truth of scenes as official AVA CSV files: one row per person and action, boxes normalised."""

from collections.abc import Iterable

from ava_detect.data.scenes.scene import LabelledPerson, Scene

AVA_FIRST_SECOND = 902  # AVA's annotations begin here; ours begin at 0 unless this is asked for


def groundtruth_lines(scene: Scene, *, first_second: int = 0) -> list[str]:
    """Return the CSV lines of one scene, sorted by second, person and action.

    A row is ``video_id,timestamp,x1,y1,x2,y2,action_id,person_id``; a keyframe where nobody is labelled is
    a row of the first two fields.

    Args:
        scene: the scene.
        first_second: timestamp of the scene's first frame.
    """
    by_second: dict[int, list[LabelledPerson]] = {second: [] for second in scene.keyframes}
    for person in scene.groundtruth():
        by_second[person.second].append(person)
    lines: list[str] = []
    for second, people in by_second.items():
        lines += _keyframe_lines(f"{scene.scene_id},{second + first_second:04d}", people)
    return lines


def _keyframe_lines(key: str, people: Iterable[LabelledPerson]) -> list[str]:
    lines = [
        ",".join([key, *(f"{side:.4f}" for side in person.box), str(action.value), str(person.person_id)])
        for person in people
        for action in sorted(person.actions)
    ]
    return lines or [key]
