"""The action head against a reference that samples RoIAlign's points one by one."""

from math import ceil, floor

import pytest
import torch
from torch import Tensor

from ava_detect.models.roi_head import RoIHead

BOXES = torch.tensor(
    [
        [1, 0.0, 0.0, 80.0, 64.0],  # the whole frame of the second clip
        [0, 10.3, 16.7, 49.6, 48.1],
        [1, 40.0, 4.0, 80.0, 64.0],  # touches the right and the lower border
        [0, 21.25, 24.0, 26.5, 29.75],  # smaller than a cell
        [0, -9.0, 50.0, 95.0, 90.0],  # beyond the frame
    ]
)


def features(*channels: int, frames: tuple[int, ...] = (2, 8)) -> list[Tensor]:
    """Return one map [2, C, T, 4, 5] per pathway: a frame of 64 x 80 pixels at stride 16."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, c, t, 4, 5, generator=generator) for c, t in zip(channels, frames, strict=False)]


def slow_bilinear(image: Tensor, y: float, x: float) -> Tensor:
    """Interpolate [C, H, W] at one point; zero when it is more than a cell outside."""
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return torch.zeros(image.shape[0])
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = floor(y), floor(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    return (
        image[:, top, left] * (1 - dy) * (1 - dx)
        + image[:, top, right] * (1 - dy) * dx
        + image[:, bottom, left] * dy * (1 - dx)
        + image[:, bottom, right] * dy * dx
    )


def slow_roi_max(image: Tensor, box: Tensor, *, side: int, stride: int, aligned: bool) -> Tensor:
    """Return the maximum over the grid of [C, H, W] in one box [x1, y1, x2, y2]."""
    shift = 0.5 if aligned else 0.0
    x1, y1, x2, y2 = (float(value) / stride - shift for value in box)
    width, height = (x2 - x1, y2 - y1) if aligned else (max(x2 - x1, 1.0), max(y2 - y1, 1.0))
    across, down = ceil(width / side), ceil(height / side)  # samples per bin
    bins = [
        sum(
            slow_bilinear(
                image,
                y1 + (row + (i + 0.5) / down) * height / side,
                x1 + (column + (j + 0.5) / across) * width / side,
            )
            for i in range(down)
            for j in range(across)
        )
        / (down * across)
        for row in range(side)
        for column in range(side)
    ]
    return torch.stack(bins).amax(dim=0)


@torch.no_grad()
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("temporal_pool", ["avg", "max"])
def test_each_person_gets_the_maximum_over_the_grid_of_the_box(temporal_pool, side, aligned):
    maps = features(3, 2)
    head = RoIHead([3, 2], [16, 16], 4, resolution=side, aligned=aligned, temporal_pool=temporal_pool)
    frames = [x.mean(dim=2) if temporal_pool == "avg" else x.amax(dim=2) for x in maps]
    expected = torch.stack(
        [
            torch.cat([slow_roi_max(x[int(n)], box, side=side, stride=16, aligned=aligned) for x in frames])
            for n, *box in BOXES.tolist()
        ]
    )
    torch.testing.assert_close(head.pool(maps, BOXES), expected, rtol=1e-4, atol=1e-5)  # fp32 sums


@torch.no_grad()
def test_scores_are_sigmoids_of_a_linear_layer_and_logits_in_training():
    maps = features(3, 2)
    head = RoIHead([3, 2], [16, 16], 4, dropout=0.0)
    logits = head.pool(maps, BOXES) @ head.projection.weight.T + head.projection.bias
    torch.testing.assert_close(head.train()(maps, BOXES), logits)
    torch.testing.assert_close(head.eval()(maps, BOXES), 1 / (1 + torch.exp(-logits)))


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("background_column", [True, False])
def test_no_people_give_no_rows_and_a_loss_can_still_be_taken(background_column, context):
    maps = [x.requires_grad_() for x in features(3, 2)]
    head = RoIHead([3, 2], [16, 16], 4, context=context, background_column=background_column)
    scores = head(maps, torch.zeros(0, 5))
    assert scores.shape == (0, 4)
    scores.sum().backward()
    assert head.eval()(maps, torch.zeros(0, 5)).shape == (0, 4)


@torch.no_grad()
def test_pathways_can_stand_in_the_other_order():
    maps = features(3, 2)
    slow_first = RoIHead([3, 2], [16, 16], 4).pool(maps, BOXES)
    fast_first = RoIHead([3, 2], [16, 16], 4, concat="fast_slow").pool(maps, BOXES)
    torch.testing.assert_close(fast_first, torch.cat([slow_first[:, 3:], slow_first[:, :3]], dim=1))


@torch.no_grad()
def test_context_is_the_grid_maximum_of_the_whole_frame_after_the_persons_own_features():
    maps = features(3, 2)
    plain = RoIHead([3, 2], [16, 16], 4, resolution=2).pool(maps, BOXES)
    pooled = RoIHead([3, 2], [16, 16], 4, resolution=2, context=True).pool(maps, BOXES)
    assert pooled.shape == (5, 10)
    torch.testing.assert_close(pooled[:, :5], plain)
    for row, n in zip(pooled[:, 5:], BOXES[:, 0].int().tolist(), strict=True):
        frame = torch.cat([x.mean(dim=2)[n] for x in maps])  # [5, 4, 5]; cells 0-2 and 2-4 of 5 columns
        cells = [frame[:, i : i + 2, j : j + 3].mean(dim=(1, 2)) for i in (0, 2) for j in (0, 2)]
        torch.testing.assert_close(row, torch.stack(cells).amax(dim=0))


@torch.no_grad()
def test_background_column_is_the_first_row_of_the_classifier_and_is_not_shown():
    maps = features(3, 2)
    head = RoIHead([3, 2], [16, 16], 4, background_column=True).eval()
    assert head.projection.weight.shape == (5, 5)
    logits = head.projection(head.pool(maps, BOXES))
    torch.testing.assert_close(head(maps, BOXES), torch.sigmoid(logits[:, 1:]))


@torch.no_grad()
def test_mlp_has_one_hidden_layer_with_relu():
    maps = features(3, 2)
    head = RoIHead([3, 2], [16, 16], 4, mlp_dim=6, activation="none").eval()
    first, last = head.projection[0], head.projection[2]
    hidden = (head.pool(maps, BOXES) @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(head(maps, BOXES), hidden @ last.weight.T + last.bias)
    assert head.classifier is last


@torch.no_grad()
def test_pathway_of_half_resolution_has_twice_the_stride():
    slow, fast = features(3, 2)
    whole = RoIHead([3, 2], [16, 16], 4).pool([slow, fast], BOXES)
    half = BOXES.clone()
    half[:, 1:] /= 2
    again = RoIHead([3, 2], [8, 8], 4).pool([slow, fast], half)
    torch.testing.assert_close(again, whole)


def test_reduced_precision_features_are_pooled_with_full_precision_boxes():
    maps = features(3, 2)
    head = RoIHead([3, 2], [16, 16], 4)
    rounded = [x.bfloat16() for x in maps]
    expected = head.pool([x.float().mean(dim=2, keepdim=True) for x in rounded], BOXES)
    pooled = head.pool(rounded, BOXES)
    assert pooled.dtype == torch.bfloat16
    # bf16 keeps 8 bits: the mean and the result are each rounded to 2^-8
    torch.testing.assert_close(pooled.float(), expected, rtol=2**-7, atol=2**-7)


def test_detached_head_lets_no_gradient_through():
    maps = [x.requires_grad_() for x in features(3, 2)]
    head = RoIHead([3, 2], [16, 16], 4, detach=True)
    head(maps, BOXES).sum().backward()
    assert maps[0].grad is None
    assert head.projection.weight.grad is not None


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (None, "needs person boxes"),
        (torch.zeros(3, 4), r"boxes are \[3, 4\]; expected \[R, 5\]"),
        (torch.tensor([[2.0, 0, 0, 9, 9]]), r"boxes name clips \[2.0\]; there are 2"),
        (torch.tensor([[-1.0, 0, 0, 9, 9]]), r"boxes name clips \[-1.0\]"),
        (torch.tensor([[float("nan"), 0, 0, 9, 9]]), r"boxes name clips \[nan\]"),
    ],
)
def test_boxes_that_fit_no_clip_are_refused(boxes, message):
    with pytest.raises(ValueError, match=message):
        RoIHead([3, 2], [16, 16], 4)(features(3, 2), boxes)
