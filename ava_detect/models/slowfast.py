"""The network: N pathways, lateral connections from each faster to the next slower one, a head.

One pathway is Slow-only, Fast-only, C2D or I3D; two are SlowFast; three add a middle pathway. Nothing here
knows how many there are.

Reference: Feichtenhofer et al., SlowFast Networks for Video Recognition (ICCV 2019), Figure 1 and Table 1.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ava_detect.models.classification_head import ClassificationHead
from ava_detect.models.lateral import Lateral, LateralSpec, make_lateral
from ava_detect.models.norm import Norm
from ava_detect.models.pathway import Pathway, PathwaySpec
from ava_detect.models.roi_head import RoIHead

CONNECTED = ("stem", "res2", "res3", "res4")
"""The parts after which the connections sit."""


class SlowFast(nn.Module):
    """Clips in, one per pathway; scores out, per person box or per clip.

    ::

                Slow, T frames                       Fast, αT frames
        stem    [N,   64, T, H/4,  W/4 ]  <--------  [N,   8, αT, H/4,  W/4 ]     conv1, pool1
        res2    [N,  256, T, H/4,  W/4 ]  <--------  [N,  32, αT, H/4,  W/4 ]
        res3    [N,  512, T, H/8,  W/8 ]  <--------  [N,  64, αT, H/8,  W/8 ]
        res4    [N, 1024, T, H/16, W/16]  <--------  [N, 128, αT, H/16, W/16]
        res5    [N, 2048, T, H/32, W/32]             [N, 256, αT, H/32, W/32]     H/16, W/16 for AVA
        head    pooled and concatenated: [.., 2304] -> linear -> scores

    An arrow is a lateral connection: the slower pathway's next stage sees its own map and what it received.
    All connections of a row happen at once: a middle pathway sends its own stage's output, not what it just
    received. C2D and I3D have one pathway and a max pool over time between res2 and res3.

    Args:
        pathways: what each pathway is made of, slowest first.
        head: maps the last maps, one per pathway, to scores.
        lateral: how the pathways are connected.
        norm: makes the normalisation layers.

    Raises:
        ValueError: no pathway, or frame ratios that are not multiples of each other, slowest first.
    """

    def __init__(
        self,
        pathways: Sequence[PathwaySpec],
        head: RoIHead | ClassificationHead,
        *,
        lateral: LateralSpec,
        norm: Norm,
    ) -> None:
        super().__init__()
        self.frame_ratios = [spec.frame_ratio for spec in pathways]
        _check_frame_ratios(self.frame_ratios)
        connections = [_connections(slow, fast, lateral, norm) for slow, fast in pairwise(pathways)]
        added = [[connection.added_channels for connection in column] for column in connections]
        added.append([0] * len(CONNECTED))  # nothing joins the fastest pathway
        self.pathways = nn.ModuleList(
            Pathway(spec, added_channels=channels, norm=norm)
            for spec, channels in zip(pathways, added, strict=True)
        )
        self.laterals = nn.ModuleDict(
            {part: nn.ModuleList(column[row] for column in connections) for row, part in enumerate(CONNECTED)}
        )
        self.head = head

    def forward(self, clips: Sequence[Tensor], boxes: Tensor | None = None) -> Tensor:
        """Score clips, or the people in them.

        Args:
            clips: one per pathway, slowest first: [N, C_in, T, H, W]; the sequence is not modified.
            boxes: [R, 5] (clip index, x1, y1, x2, y2) in pixels of the clip, for a RoI head; R may be 0.
                None for a classification head.

        Returns:
            [R, K] or [N, K]: scores in evaluation mode, logits in training mode.

        Raises:
            ValueError: a wrong number of clips, or boxes do not go with the head.
        """
        return self.head(self.trunk(clips), boxes)

    def trunk(self, clips: Sequence[Tensor]) -> list[Tensor]:
        """Run everything but the head.

        Args:
            clips: one per pathway, slowest first: [N, C_in, T, H, W].

        Returns:
            The map after res5 of each pathway, slowest first: [N, C, T, H / stride, W / stride].
        """
        self._check_clips(clips)
        x = self._run("stem", clips)
        x = self._join("stem", x)
        x = self._run("res2", x)
        x = self._join("res2", x)
        x = self._run("temporal_pool", x)
        x = self._run("res3", x)
        x = self._join("res3", x)
        x = self._run("res4", x)
        x = self._join("res4", x)
        return self._run("res5", x)

    def _check_clips(self, clips: Sequence[Tensor]) -> None:
        """Raise ValueError unless there is a clip for every pathway, of lengths in the frame ratios."""
        if len(clips) != len(self.frame_ratios):
            raise ValueError(f"{len(clips)} clips for {len(self.frame_ratios)} pathways")
        frames = [clip.shape[2] for clip in clips]
        if frames != [frames[0] * ratio for ratio in self.frame_ratios]:
            raise ValueError(f"clips of {frames} frames for pathways with frame ratios {self.frame_ratios}")

    def _run(self, part: str, x: Sequence[Tensor]) -> list[Tensor]:
        """Run one part in every pathway: a row of Table 1."""
        return [getattr(pathway, part)(x_p) for pathway, x_p in zip(self.pathways, x, strict=True)]

    def _join(self, part: str, x: Sequence[Tensor]) -> list[Tensor]:
        """Let every pathway but the fastest receive from the next faster one: the arrows of Figure 1."""
        pairs = zip(self.laterals[part].children(), pairwise(x), strict=True)
        received = [lateral(slow, fast) for lateral, (slow, fast) in pairs]
        return [*received, x[-1]]


def _connections(slow: PathwaySpec, fast: PathwaySpec, lateral: LateralSpec, norm: Norm) -> list[Lateral]:
    """Make the connections from ``fast`` to ``slow``, one for each part in ``CONNECTED``."""
    return [
        make_lateral(
            lateral, fast_channels, slow_channels, frame_ratio=fast.frame_ratio // slow.frame_ratio, norm=norm
        )
        for fast_channels, slow_channels in zip(
            _connected_channels(fast), _connected_channels(slow), strict=True
        )
    ]


def _connected_channels(spec: PathwaySpec) -> list[int]:
    """Return the channels after stem, res2, res3 and res4."""
    return [spec.stem_channels, *spec.stage_channels[:-1]]


def _check_frame_ratios(ratios: Sequence[int]) -> None:
    """Raise ValueError unless each pathway has a multiple of the frames of the one before it."""
    if not ratios:
        raise ValueError("a network needs at least one pathway")
    if ratios[0] != 1:
        raise ValueError(f"the slowest pathway's frame ratio is {ratios[0]}; it is 1 by definition")
    for slow, fast in pairwise(ratios):
        if fast % slow:
            raise ValueError(f"frame ratios {list(ratios)}: each must be a multiple of the one before it")
