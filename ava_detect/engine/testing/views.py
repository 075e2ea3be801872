"""Several views of one test set: every keyframe at one or more sizes, as it is and mirrored.

The scores of all views of a person are averaged after the sigmoid (the paper's "SlowFast++").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch.utils.data import Dataset

from ava_detect.config import Config
from ava_detect.data.annotations import Annotations
from ava_detect.data.build import build_test_view
from ava_detect.data.clip_dataset import ClipDataset, ClipItem, ClipKey, SkippedClip
from ava_detect.data.clip_views import ClipView


class ViewKey(NamedTuple):
    """Which item: a view, and a place in the annotations."""

    view: int
    place: int


@dataclass(frozen=True)
class TestView:
    """One way to show a keyframe.

    Attributes:
        size: short side, pixels.
        mirrored: left and right exchanged.
    """

    __test__ = False  # not a test of pytest's

    size: int
    mirrored: bool

    def __str__(self) -> str:
        return f"{self.size} mirrored" if self.mirrored else f"{self.size}"


def chosen_views(cfg: Config) -> tuple[TestView, ...]:
    """Return the views that ``TEST.SCALES``, ``TEST.FLIP`` and ``AVA.TEST_FORCE_FLIP`` ask for."""
    sizes = dict.fromkeys(cfg.TEST.SCALES or (cfg.DATA.TEST_CROP_SIZE,))
    sides = (False, True) if cfg.TEST.FLIP else (cfg.AVA.TEST_FORCE_FLIP,)
    return tuple(TestView(size, mirrored) for size in sizes for mirrored in sides)


class ViewedSet(Dataset[ClipItem | SkippedClip]):
    """A test set shown in several views.

    Args:
        dataset: the keyframes and their clips.
        views: how they are shown.
    """

    def __init__(self, dataset: ClipDataset, views: Sequence[ClipView]) -> None:
        self._sets = [dataset.seen_through(view) for view in views]

    @property
    def annotations(self) -> Annotations:
        """The keyframes."""
        return self._sets[0].annotations

    @property
    def num_views(self) -> int:
        """How often every keyframe is shown."""
        return len(self._sets)

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, key: ViewKey) -> ClipItem | SkippedClip:
        """Read one clip in one view."""
        return self._sets[key.view][ClipKey(0, key.place)]


def show(dataset: ClipDataset, cfg: Config) -> ViewedSet:
    """Return a test set in the views that the configuration asks for."""
    return ViewedSet(dataset, [build_test_view(cfg, view.size, view.mirrored) for view in chosen_views(cfg)])
