"""RoIAlign for CPUs: against the definition written out, and against torchvision."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import roi_align

from person_detector.roi_pool import ChannelsLastPooler, roi_align_rows

BINS = 7


def bilinear(feature: torch.Tensor, y: float, x: float) -> torch.Tensor:
    """The value of [C, H, W] between its cells; zero more than a cell outside, the border's value nearer."""
    _, height, width = feature.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(len(feature))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    above = feature[:, top, left] * (1 - dx) + feature[:, top, right] * dx
    below = feature[:, bottom, left] * (1 - dx) + feature[:, bottom, right] * dx
    return above * (1 - dy) + below * dy


def slow_roi_align(feature: torch.Tensor, box: list[float], scale: float) -> torch.Tensor:
    """One box, sample by sample, as the paper says it; [S, S, C]."""
    x1, y1, x2, y2 = (value * scale - 0.5 for value in box)
    parts_y, parts_x = math.ceil((y2 - y1) / BINS), math.ceil((x2 - x1) / BINS)
    pooled = torch.zeros(BINS, BINS, len(feature))
    for i in range(BINS):
        for j in range(BINS):
            samples = [
                bilinear(
                    feature,
                    y1 + (i + (a + 0.5) / parts_y) * (y2 - y1) / BINS,
                    x1 + (j + (b + 0.5) / parts_x) * (x2 - x1) / BINS,
                )
                for a in range(parts_y)
                for b in range(parts_x)
            ]
            pooled[i, j] = torch.stack(samples).mean(0)
    return pooled


def rows(features: torch.Tensor) -> torch.Tensor:
    return features.permute(0, 2, 3, 1).contiguous()


def test_no_rois_give_an_empty_result():
    assert roi_align_rows(torch.zeros(1, 4, 5, 3), torch.zeros(0, 5), scale=0.5, bins=BINS).shape == (
        0,
        7,
        7,
        3,
    )


@pytest.mark.parametrize(
    "box",
    [
        pytest.param([4.0, 6.0, 30.0, 40.0], id="inside"),
        pytest.param([0.0, 0.0, 64.0, 48.0], id="the whole picture"),
        pytest.param([60.0, 44.0, 64.0, 48.0], id="the last cell"),
        pytest.param([0.0, 20.0, 64.0, 20.5], id="a thin line"),
        pytest.param([-20.0, -12.0, 90.0, 70.0], id="over all edges"),
    ],
)
def test_a_box_is_pooled_as_the_definition_says(box: list[float]):
    torch.manual_seed(0)
    feature = torch.randn(1, 3, 12, 16)
    pooled = roi_align_rows(rows(feature), torch.tensor([[0.0, *box]]), scale=0.25, bins=BINS)
    torch.testing.assert_close(pooled[0], slow_roi_align(feature[0], box, 0.25), rtol=1e-4, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    boxes=st.lists(
        st.tuples(
            st.integers(0, 1), *[st.floats(0, 200, width=32)] * 2, *[st.floats(0.125, 150, width=32)] * 2
        ),
        min_size=1,
        max_size=8,
    ),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    scale=st.sampled_from([0.25, 0.125, 1 / 32]),
)
def test_any_boxes_on_any_map_give_torchvisions_numbers(boxes, height: int, width: int, scale: float):
    features = torch.randn(2, 5, height, width, generator=torch.Generator().manual_seed(height * 100 + width))
    rois = torch.tensor([[picture, x, y, x + w, y + h] for picture, x, y, w, h in boxes])
    expected = roi_align(features, rois, BINS, scale, sampling_ratio=0, aligned=True)
    pooled = roi_align_rows(rows(features), rois, scale=scale, bins=BINS)
    # A sample's place is rounded in another order: 1e-5 of a cell, times the step from cell to cell.
    torch.testing.assert_close(pooled.permute(0, 3, 1, 2), expected, rtol=1e-4, atol=2e-4)


def pyramid_pooler(**options):
    from detectron2.modeling.poolers import ROIPooler

    defaults = {"scales": (1 / 4, 1 / 8, 1 / 16), "sampling_ratio": 0, "pooler_type": "ROIAlignV2"}
    return ROIPooler(output_size=BINS, **(defaults | options))


def test_every_box_is_pooled_from_the_level_that_detectron2_takes():
    from detectron2.structures import Boxes

    torch.manual_seed(0)
    original = pyramid_pooler()
    features = [torch.randn(2, 6, 256 // stride, 320 // stride) for stride in (4, 8, 16)]
    corners = torch.rand(90, 2) * 200
    sizes = torch.rand(90, 2) * torch.tensor([20.0, 120.0, 300.0]).repeat_interleave(30)[:, None] + 1
    boxes = torch.cat([corners, corners + sizes], 1)
    lists = [Boxes(boxes[:70]), Boxes(boxes[70:])]
    pooled = ChannelsLastPooler(original)(features, lists)
    torch.testing.assert_close(pooled.permute(0, 3, 1, 2), original(features, lists), rtol=1e-4, atol=2e-4)


def test_pictures_without_boxes_are_pooled_to_nothing():
    from detectron2.structures import Boxes

    features = [torch.zeros(1, 6, 64 // stride, 64 // stride) for stride in (4, 8, 16)]
    assert ChannelsLastPooler(pyramid_pooler())(features, [Boxes(torch.zeros(0, 4))]).shape == (0, 7, 7, 6)


@pytest.mark.parametrize(
    ("options", "supported"),
    [
        ({}, True),
        ({"sampling_ratio": 2}, False),
        ({"pooler_type": "ROIAlign"}, False),
        ({"pooler_type": "ROIPool"}, False),
    ],
)
def test_other_kinds_of_pooling_are_left_to_detectron2(options, supported: bool):
    assert ChannelsLastPooler.supports(pyramid_pooler(**options)) is supported
