"""The whole network: the rows of Table 1, the arrows of Figure 1, any number of pathways."""

import pytest
import torch
from torch import Tensor, nn

from ava_detect.config import load_config
from ava_detect.models import SlowFast, build_model, split_pathways
from ava_detect.models.lateral import LateralSpec
from ava_detect.models.norm import batch_norm
from ava_detect.models.pathway import PathwaySpec

THREE = [
    {"FRAME_RATIO": 1, "CHANNEL_RATIO": 1.0, "TEMPORAL_KERNELS": [1, 1, 1, 3, 3]},
    {"FRAME_RATIO": 2, "CHANNEL_RATIO": 0.5, "TEMPORAL_KERNELS": [3, 1, 3, 3, 3]},
    {"FRAME_RATIO": 8, "CHANNEL_RATIO": 0.25, "TEMPORAL_KERNELS": [5, 3, 3, 3, 3]},
]


def outputs_of(model: SlowFast, clips: list[Tensor]) -> dict[str, Tensor]:
    """Return what every part of the network gives, by its name."""
    found: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: found.update({name: output}))
        for name, module in model.named_modules()
        if name.count(".") == 2 and name.split(".")[0] in ("pathways", "laterals")
    ]
    model.trunk(clips)
    for hook in hooks:
        hook.remove()
    return found


def test_shapes_of_the_ava_network_are_those_of_table_1(small_config):
    cfg = small_config(
        *("RESNET.WIDTH_PER_GROUP", 64, "SLOWFAST.BETA_INV", 8, "SLOWFAST.FUSION_KERNEL_SZ", 7),
        *("DATA.NUM_FRAMES", 32),
        action=True,
    )
    with torch.device("meta"):
        found = outputs_of(build_model(cfg), split_pathways(torch.empty(1, 3, 32, 256, 340), cfg))
    shapes = {name: tuple(output.shape[1:]) for name, output in found.items()}
    assert shapes == {
        "pathways.0.stem": (64, 8, 64, 85),
        "pathways.1.stem": (8, 32, 64, 85),
        "laterals.stem.0": (64 + 16, 8, 64, 85),
        "pathways.0.res2": (256, 8, 64, 85),
        "pathways.1.res2": (32, 32, 64, 85),
        "laterals.res2.0": (256 + 64, 8, 64, 85),
        "pathways.0.temporal_pool": (256 + 64, 8, 64, 85),
        "pathways.1.temporal_pool": (32, 32, 64, 85),
        "pathways.0.res3": (512, 8, 32, 43),
        "pathways.1.res3": (64, 32, 32, 43),
        "laterals.res3.0": (512 + 128, 8, 32, 43),
        "pathways.0.res4": (1024, 8, 16, 22),
        "pathways.1.res4": (128, 32, 16, 22),
        "laterals.res4.0": (1024 + 256, 8, 16, 22),
        "pathways.0.res5": (2048, 8, 16, 22),
        "pathways.1.res5": (256, 32, 16, 22),
    }


@pytest.mark.parametrize(("arch", "frames"), [("slow", 8), ("slow_c2d", 8), ("c2d", 4), ("i3d", 4)])
def test_c2d_and_i3d_halve_the_frames_after_res2(arch, frames, small_config, random_clip):
    model = build_model(small_config("MODEL.ARCH", arch))
    found = outputs_of(model, [random_clip((1, 3, 8, 32, 32))])
    assert found["pathways.0.res2"].shape[2] == 8
    assert found["pathways.0.res3"].shape[2] == frames
    assert found["pathways.0.res5"].shape[2] == frames


def test_names_of_the_parameters_are_the_documented_ones(small_config):
    nonlocal_places = [[[], []], [[], []], [[2], []], [[], []]]
    model = build_model(small_config("NONLOCAL.LOCATION", nonlocal_places, action=True))
    names = set(model.state_dict())
    assert {name.split(".")[0] for name in names} == {"pathways", "laterals", "head"}
    for expected in (
        "pathways.0.stem.conv.weight",
        "pathways.1.stem.norm.running_var",
        "pathways.0.res2.blocks.0.conv_shortcut.weight",
        "pathways.1.res5.blocks.2.norm_c.bias",
        "pathways.0.res4.nonlocals.2.theta.bias",
        "pathways.0.res4.nonlocals.2.norm.weight",
        "laterals.stem.0.conv.weight",
        "laterals.res4.0.norm.weight",
        "head.projection.weight",
    ):
        assert expected in names


def test_network_has_as_many_entries_as_the_published_file(small_config):
    assert len(build_model(small_config(action=True)).state_dict()) == 662


def test_forward_is_trunk_and_then_head_and_leaves_its_input_alone(small_config, random_clip):
    cfg = small_config(action=True)
    model = build_model(cfg).eval()
    boxes = torch.tensor([[0, 5.0, 8.0, 40.0, 60.0], [1, 0.0, 0.0, 64.0, 64.0]])
    clips = split_pathways(random_clip((2, 3, 8, 64, 64)), cfg)
    before = list(clips)
    scores = model(clips, boxes)
    assert scores.shape == (2, 7)
    assert len(clips) == 2
    assert all(clip is old for clip, old in zip(clips, before, strict=True))
    torch.testing.assert_close(model.head(model.trunk(clips), boxes), scores)


def test_unconnected_pathways_are_networks_of_their_own(small_config, random_clip):
    cfg = small_config("SLOWFAST.LATERAL", "none")
    model = build_model(cfg).eval()
    clips = split_pathways(random_clip((1, 3, 8, 32, 32)), cfg)
    for features, pathway, clip in zip(model.trunk(clips), model.pathways, clips, strict=True):
        alone = nn.Sequential(pathway.stem, pathway.res2, pathway.res3, pathway.res4, pathway.res5)
        torch.testing.assert_close(features, alone(clip))


def test_fast_pathway_goes_on_unchanged_and_slow_one_depends_on_it(small_config, random_clip):
    cfg = small_config()
    model = build_model(cfg).eval()
    slow, fast = split_pathways(random_clip((1, 3, 8, 32, 32)), cfg)
    features = model.trunk([slow, fast])
    other_slow = model.trunk([slow + 1, fast])
    other_fast = model.trunk([slow, fast + 1])
    assert torch.equal(features[1], other_slow[1])
    assert not torch.allclose(features[0], other_fast[0])


def test_three_pathways_pass_on_step_by_step(small_config, random_clip):
    """A middle pathway sends its own stage's output, so what Fast sees reaches Slow one stage later."""
    cfg = small_config("SLOWFAST.PATHWAYS", THREE)
    model = build_model(cfg).eval()
    slow, middle, fast = split_pathways(random_clip((1, 3, 8, 32, 32)), cfg)
    first = outputs_of(model, [slow, middle, fast])
    second = outputs_of(model, [slow, middle, fast + 1])

    def changed(part: str) -> bool:
        return not torch.allclose(first[part], second[part])

    assert [changed(f"pathways.1.{part}") for part in ("stem", "res2")] == [False, True]
    assert [changed(f"pathways.0.{part}") for part in ("stem", "res2", "res3")] == [False, False, True]


def test_three_pathways_have_the_widths_of_their_ratios(small_config):
    model = build_model(small_config("SLOWFAST.PATHWAYS", THREE))
    assert [pathway.stem.conv.out_channels for pathway in model.pathways] == [16, 8, 4]
    # res2 of each sees its own stem and twice the channels of the next faster one's
    assert [p.res2.blocks[0].conv_a.in_channels for p in model.pathways] == [16 + 16, 8 + 8, 4]
    assert model.head.projection.in_features == 512 + 256 + 128
    assert model.laterals["stem"][0].conv.stride == (2, 1, 1)
    assert model.laterals["stem"][1].conv.stride == (4, 1, 1)


def test_fast_at_half_resolution_keeps_half_the_size_in_every_stage():
    cfg = load_config("kinetics/ablations/fast_half_resolution")
    with torch.device("meta"):
        found = outputs_of(build_model(cfg), split_pathways(torch.empty(1, 3, 32, 224, 224), cfg))
    sides = [[found[f"pathways.{p}.{part}"].shape[-1] for part in ("stem", "res3", "res5")] for p in (0, 1)]
    assert sides == [[56, 28, 7], [28, 14, 4]]
    assert found["laterals.res3.0"].shape[-1] == 28


def test_boxes_of_a_half_resolution_pathway_are_pooled_at_twice_the_stride(small_config):
    cfg = small_config("SLOWFAST.FAST_INPUT", "half", action=True)
    assert build_model(cfg).head.strides == (16, 32)


def test_trunk_can_be_exported_and_gives_the_same_maps(small_config, random_clip):
    class Trunk(nn.Module):
        def __init__(self, model: SlowFast) -> None:
            super().__init__()
            self.model = model

        def forward(self, slow: Tensor, fast: Tensor) -> list[Tensor]:
            return self.model.trunk([slow, fast])

    cfg = small_config("RESNET.DEPTH", 18, "RESNET.TRANS_FUNC", "basic_transform", action=True)
    model = build_model(cfg).eval()
    slow, fast = split_pathways(random_clip((1, 3, 8, 32, 48)), cfg)
    exported = torch.export.export(Trunk(model), (slow, fast)).module()
    for features, expected in zip(exported(slow, fast), model.trunk([slow, fast]), strict=True):
        torch.testing.assert_close(features, expected)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([8], "1 clips for 2 pathways"),
        ([2, 9], r"clips of \[2, 9\] frames for pathways with frame ratios \[1, 4\]"),
    ],
)
def test_clips_that_do_not_fit_the_pathways_are_refused(frames, message, small_config):
    model = build_model(small_config())
    with pytest.raises(ValueError, match=message):
        model([torch.zeros(1, 3, count, 32, 32) for count in frames])


@pytest.mark.parametrize(
    ("ratios", "message"),
    [
        ([], "at least one pathway"),
        ([2, 4], "the slowest pathway's frame ratio is 2"),
        ([1, 2, 5], r"frame ratios \[1, 2, 5\]"),
    ],
)
def test_impossible_frame_ratios_are_refused(ratios, message):
    with pytest.raises(ValueError, match=message):
        SlowFast(
            [PathwaySpec(frame_ratio=ratio) for ratio in ratios],
            nn.Identity(),
            lateral=LateralSpec(),
            norm=batch_norm,
        )
