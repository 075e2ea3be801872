"""Name maps: templates in both directions, and every name of every published table has a place of its own."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ava_detect.weights import caffe2, mmaction2, pyslowfast, pytorchvideo, torchvision
from ava_detect.weights.name_map import NameMap

ATTENTION = "non_local_block"
ROWS = [
    ("layer{s-1}.{i}.conv{x}.{t}", "res{s}.blocks.{i}.conv_{x}.{t}"),
    ("old_{s}_{j}.{t}", "new.{s}.{t}"),
    ("fixed", "moved"),
]


def test_an_empty_map_knows_no_name() -> None:
    assert NameMap([]).to_ours("fixed") is None
    assert NameMap([]).from_ours("moved") is None


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("layer1.0.conva.weight", "res2.blocks.0.conv_a.weight"),
        ("layer4.22.convc.running_var", "res5.blocks.22.conv_c.running_var"),
        ("fixed", "moved"),
    ],
)
def test_names_are_translated_both_ways(theirs: str, ours: str) -> None:
    assert NameMap(ROWS).to_ours(theirs) == ours
    assert NameMap(ROWS).from_ours(ours) == theirs


@pytest.mark.parametrize(
    "name",
    [
        "",
        "layer1.0.convd.weight",
        "layer1.0.conva.other",
        "xlayer1.0.conva.weight",
        "layer1.0.conva.weight.y",
    ],
)
def test_a_name_that_fits_no_row_as_a_whole_is_unknown(name: str) -> None:
    assert NameMap(ROWS).to_ours(name) is None


def test_a_row_that_forgets_a_number_goes_one_way_only() -> None:
    assert NameMap(ROWS).to_ours("old_4_22.weight") == "new.4.weight"
    assert NameMap(ROWS).from_ours("new.4.weight") is None


def test_the_first_row_that_fits_counts() -> None:
    names = NameMap([("a.{t}", "special.{t}"), ("{n}.{t}", "general.{n}.{t}"), ("a.weight", "never")])
    assert names.to_ours("a.weight") == "special.weight"
    assert names.to_ours("phi.weight") == "general.phi.weight"


@given(
    pathway=st.integers(0, 2),
    stage=st.integers(2, 5),
    block=st.integers(0, 22),
    layer=st.sampled_from(["conv_a", "norm_b", "conv_c", "norm_c", "conv_shortcut", "norm_shortcut"]),
    leaf=st.sampled_from(["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]),
)
def test_pyslowfast_names_come_back(pathway: int, stage: int, block: int, layer: str, leaf: str) -> None:
    ours = f"pathways.{pathway}.res{stage}.blocks.{block}.{layer}.{leaf}"
    theirs = pyslowfast.NAMES.from_ours(ours)
    assert theirs is not None
    assert pyslowfast.NAMES.to_ours(theirs) == ours


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (pyslowfast.NAMES, "pyslowfast_ava_slowfast_r50_8x8"),
        (pyslowfast.NAMES, "pyslowfast_ava_slow_r50"),
        (pyslowfast.NAMES, "pyslowfast_kinetics_slowfast_r50_8x8"),
        (caffe2.NAMES, "caffe2_ava_slowfast_r50_8x8"),
        (pytorchvideo.SLOWFAST_NAMES, "pytorchvideo_slowfast_r50"),
        (pytorchvideo.SLOWFAST_NAMES, "pytorchvideo_slowfast_r50_detection"),
        (mmaction2.NAMES, "mmaction2_ava_slowfast_r50_8x8"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_name_of_a_published_table_has_a_place_of_its_own(
    name_table: Callable[[str], dict], names: NameMap, table: str
) -> None:
    published = [name.removeprefix("model.").removeprefix("backbone.") for name in name_table(table)]
    places = [names.to_ours(name) for name in published]
    assert [name for name, place in zip(published, places, strict=True) if place is None] == []
    assert len(set(places)) == len(places)


def test_caffe2_and_pyslowfast_agree_on_every_place(name_table: Callable[[str], dict]) -> None:
    table = name_table("caffe2_ava_slowfast_r50_8x8")
    for blob, entry in table.items():
        assert caffe2.NAMES.to_ours(blob) == pyslowfast.NAMES.to_ours(entry["param"]), blob


@pytest.mark.parametrize(
    ("names", "theirs", "ours"),
    [
        # Caffe2: laterals before blocks; their number is that of the last block, whatever it is
        (caffe2.NAMES, "t_res4_22_branch2c_bn_subsample_w", "laterals.res4.0.conv.weight"),
        (caffe2.NAMES, "t_res4_5_branch2c_bn_subsample_bn_s", "laterals.res4.0.norm.weight"),
        (caffe2.NAMES, "t_res4_5_branch2c_bn_s", "pathways.1.res4.blocks.5.norm_c.weight"),
        (caffe2.NAMES, "nonlocal_conv4_13_theta_w", "pathways.0.res4.nonlocals.13.theta.weight"),
        (caffe2.NAMES, "nonlocal_conv4_13_out_b", "pathways.0.res4.nonlocals.13.out.bias"),
        (caffe2.NAMES, "nonlocal_conv4_13_bn_riv", "pathways.0.res4.nonlocals.13.norm.running_var"),
        (caffe2.NAMES, "res_conv1_bn_riv", "pathways.0.stem.norm.running_var"),
        (pyslowfast.NAMES, "s4.pathway0_nonlocal6.conv_phi.bias", "pathways.0.res4.nonlocals.6.phi.bias"),
        (pyslowfast.NAMES, "s4.pathway0_nonlocal6.bn.bias", "pathways.0.res4.nonlocals.6.norm.bias"),
        # mmaction2 SlowOnly with non-local blocks, with and without sub-sampling
        (mmaction2.NAMES, f"layer3.2.{ATTENTION}.g.0.conv.weight", "pathways.0.res4.nonlocals.2.g.weight"),
        (mmaction2.NAMES, f"layer3.2.{ATTENTION}.g.conv.bias", "pathways.0.res4.nonlocals.2.g.bias"),
        (mmaction2.NAMES, f"layer2.0.{ATTENTION}.theta.conv.bias", "pathways.0.res3.nonlocals.0.theta.bias"),
        (mmaction2.NAMES, f"layer2.0.{ATTENTION}.conv_out.conv.bias", "pathways.0.res3.nonlocals.0.out.bias"),
        (mmaction2.NAMES, f"layer2.0.{ATTENTION}.conv_out.bn.bias", "pathways.0.res3.nonlocals.0.norm.bias"),
        (mmaction2.NAMES, "layer4.2.conv3.bn.weight", "pathways.0.res5.blocks.2.norm_c.weight"),
        (mmaction2.NAMES, "slow_path.layer3_lateral.bn.weight", "laterals.res4.0.norm.weight"),
        (mmaction2.NAMES, "roi_head.bbox_head.fc_cls.2.bias", "head.projection.2.bias"),
        (mmaction2.NAMES, "cls_head.fc_cls.weight", "head.projection.weight"),
        # pytorchvideo: Slow, and C2D or I3D, which count pool1 as the third block
        (pytorchvideo.SLOW_NAMES, "blocks.2.res_blocks.0.branch1_conv.weight",
         "pathways.0.res3.blocks.0.conv_shortcut.weight"),
        (pytorchvideo.POOL1_NAMES, "blocks.1.res_blocks.0.branch2.norm_a.bias",
         "pathways.0.res2.blocks.0.norm_a.bias"),
        (pytorchvideo.POOL1_NAMES, "blocks.3.res_blocks.0.branch2.conv_b.weight",
         "pathways.0.res3.blocks.0.conv_b.weight"),
        (pytorchvideo.POOL1_NAMES, "blocks.6.proj.weight", "head.projection.weight"),
        (torchvision.NAMES, "layer3.5.bn2.running_mean", "pathways.0.res4.blocks.5.norm_b.running_mean"),
        (torchvision.NAMES, "layer1.0.downsample.0.weight", "pathways.0.res2.blocks.0.conv_shortcut.weight"),
        (torchvision.NAMES, "layer1.0.downsample.1.bias", "pathways.0.res2.blocks.0.norm_shortcut.bias"),
    ],
)  # fmt: skip
def test_names_beyond_the_tables(names: NameMap, theirs: str, ours: str) -> None:
    assert names.to_ours(theirs) == ours
