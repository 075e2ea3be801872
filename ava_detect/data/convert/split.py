"""Divide videos into training and validation: whole videos, drawn by a seed."""

import random
from collections.abc import Collection, Mapping

from ava_detect.data.convert.keyframes import ConvertedVideo, count_actions
from evaluation.errors import DataError

_DRAWS = 200  # of which the one that leaves the fewest classes without examples is taken


def split_videos(
    videos: Mapping[str, ConvertedVideo], val_share: float, seed: int, chosen: Collection[str] = ()
) -> frozenset[str]:
    """Return the ids of the validation videos.

    Args:
        videos: all videos.
        val_share: of the videos, 0 to 1; with two videos or more, one at least stays on either side.
        seed: of the draw.
        chosen: ids to take instead of drawing.

    Raises:
        DataError: a chosen id is no video.
    """
    unknown = [video_id for video_id in chosen if video_id not in videos]
    if unknown:
        raise DataError(f"--val-video {unknown[0]}: no such video in the labels (there are: {_some(videos)})")
    if chosen:
        return frozenset(chosen)
    names = sorted(videos)
    if val_share == 0 or len(names) < 2:
        return frozenset()
    count = min(max(1, round(val_share * len(names))), len(names) - 1)
    rng = random.Random(seed)
    draws = [frozenset(rng.sample(names, count)) for _ in range(_DRAWS)]
    actions = {name: frozenset(count_actions({name: video})) for name, video in videos.items()}
    return min(draws, key=lambda draw: _missing(actions, draw))


def _missing(actions: Mapping[str, frozenset[str]], val: frozenset[str]) -> tuple[int, int]:
    """Count the classes without an example for training, and those without one for validation."""
    every = frozenset().union(*actions.values())
    train = frozenset().union(*(found for name, found in actions.items() if name not in val))
    held_out = frozenset().union(*(actions[name] for name in val))
    return len(every - train), len(every - held_out)


def _some(names: Collection[str]) -> str:
    return ", ".join(sorted(names)[:5]) + (", ..." if len(names) > 5 else "")
