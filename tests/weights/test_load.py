"""Loading weights: every tensor is accounted for, misfits are refused and leave the model as it was."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ava_detect.config import parse_config
from ava_detect.models import build_model
from ava_detect.weights import LoadReport, load_weights
from ava_detect.weights.load import compare_weights
from ava_detect.weights.pyslowfast import NAMES
from evaluation.errors import WeightsError

BuildModel = Callable[..., nn.Module]


def published(model: nn.Module) -> dict[str, Tensor]:
    """A model's tensors under PySlowFast's names."""
    state = {NAMES.from_ours(name) or "": tensor.clone() for name, tensor in model.state_dict().items()}
    assert "" not in state
    return state


def write(path: Path, tensors: Mapping[str, Tensor], key: str = "model_state") -> Path:
    torch.save({key: dict(tensors), "epoch": 1}, path)
    return path


def assert_equal(first: nn.Module, second: nn.Module) -> None:
    for (name, a), b in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0, msg=name)


def test_a_fitting_file_sets_every_tensor(small_model: BuildModel, tmp_path: Path) -> None:
    source, target = small_model(seed=1), small_model(seed=2)
    report = load_weights(target, write(tmp_path / "x.pyth", published(source)))
    assert_equal(source, target)
    assert report.fits
    assert set(report.loaded) == set(source.state_dict())
    assert (report.format, report.dropped, report.missing, report.unexpected) == ("PySlowFast", {}, (), ())
    assert report.summary() == f"loaded {len(report.loaded)} of {len(report.loaded)} tensors (PySlowFast)"


def test_the_prefix_of_distributed_training_is_stripped(small_model: BuildModel, tmp_path: Path) -> None:
    source, target = small_model(seed=1), small_model(seed=2)
    tensors = {f"module.{name}": tensor for name, tensor in published(source).items()}
    assert load_weights(target, write(tmp_path / "x.pyth", tensors)).fits
    assert_equal(source, target)


def test_half_precision_weights_become_the_models_type(small_model: BuildModel, tmp_path: Path) -> None:
    source, target = small_model(seed=1).half(), small_model(seed=2)
    load_weights(target, write(tmp_path / "x.pyth", published(source)))
    assert_equal(source.float(), target)


def test_batch_norm_counters_may_be_absent_or_superfluous(small_model: BuildModel, tmp_path: Path) -> None:
    target = small_model(seed=2)
    tensors = published(small_model(seed=1))
    without = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    report = load_weights(target, write(tmp_path / "x.pyth", without))
    assert (len(report.loaded), report.missing) == (len(without), ())
    with_more = tensors | {"s5_fuse.bn.num_batches_tracked": torch.tensor(3)}
    report = load_weights(target, write(tmp_path / "y.pyth", with_more))
    assert report.dropped == {"s5_fuse.bn.num_batches_tracked": "a counter that the model does not keep"}


# --- misfits


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("s3.pathway1_res1.branch2.b.weight"),
         r"661 of 662 tensors fit: pathways\.1\.res3\.blocks\.1\.conv_b\.weight is not in the file\."),
        (lambda t: t.update({"s6.strange.weight": torch.ones(1)}),
         r"s6\.strange\.weight is not in the model"),
        (lambda t: t.update({"s1_fuse.conv_f2s.weight": torch.ones(2, 2)}),
         r"s1_fuse\.conv_f2s\.weight is \[2, 2\] in the file and \[4, 2, 5, 1, 1\] in the model"),
        (lambda t: t.update({"s1_fuse.bn.weight": torch.full((4,), float("nan"))}),
         r"s1_fuse\.bn\.weight holds values that are not numbers \(NaN or infinite\)"),
        (lambda t: t.update({"s1_fuse.bn.weight": torch.full((4,), float("inf"))}), "NaN or infinite"),
        (lambda t: t.update({"s1_fuse.bn.weight": torch.ones(4, dtype=torch.int64)}),
         r"s1_fuse\.bn\.weight holds torch\.int64 where torch\.float32 is expected"),
        (lambda t: t.update({"module.s1_fuse.bn.weight": torch.ones(4)}),
         r"module\.s1_fuse\.bn\.weight and s1_fuse\.bn\.weight are the same parameter"),
    ],
    ids=["missing", "unexpected", "shape", "not a number", "infinite", "type", "twice"],
)  # fmt: skip
@pytest.mark.parametrize("finetune", [False, True])
def test_a_misfit_is_refused_and_the_model_is_as_it_was(
    small_model: BuildModel, tmp_path: Path, change: Callable, message: str, finetune: bool
) -> None:
    target = small_model(seed=2)
    tensors = published(small_model(seed=1))
    change(tensors)
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(target, write(tmp_path / "x.pyth", tensors), finetune=finetune)
    assert "Is it the configuration that these weights were trained with?" in caught.value.hint
    assert_equal(target, small_model(seed=2))


def test_many_misfits_are_counted_and_three_are_named(small_model: BuildModel, tmp_path: Path) -> None:
    path = write(tmp_path / "x.pyth", published(small_model()))
    with pytest.raises(WeightsError) as caught:
        load_weights(small_model("RESNET.WIDTH_PER_GROUP", 16), path)
    text = str(caught.value)
    assert re.search(r"x\.pyth \(PySlowFast\) does not fit the model, \d+ of 662 tensors fit: ", text)
    assert text.count(" in the file and ") == 3
    assert re.search(r"; and \d+ more\.$", text)


def test_an_unknown_publisher_is_refused_and_its_names_shown(small_model: BuildModel, tmp_path: Path) -> None:
    path = write(tmp_path / "x.pth", {f"encoder.{k}.weight": torch.ones(1) for k in range(5)})
    with pytest.raises(
        WeightsError,
        match=r"no known publisher: encoder\.0\.weight, encoder\.1\.weight, encoder\.2\.weight and 2 more",
    ):
        load_weights(small_model(), path)


def test_a_person_detector_is_told_from_an_action_model(small_model: BuildModel, tmp_path: Path) -> None:
    path = write(tmp_path / "x.pth", {"backbone.bottom_up.stem.conv1.weight": torch.ones(1)}, key="model")
    with pytest.raises(WeightsError, match=r"holds a person detector of Detectron2") as caught:
        load_weights(small_model(), path)
    assert "--detector-weights" in caught.value.hint


def test_compare_tells_the_misfits_and_changes_nothing(small_model: BuildModel, tmp_path: Path) -> None:
    target = small_model("MODEL.NUM_CLASSES", 5, seed=2)
    report = compare_weights(target, write(tmp_path / "x.pyth", published(small_model(seed=1))))
    assert not report.fits
    assert report.missing == ("head.projection.weight", "head.projection.bias")
    assert len(report.misfits) == 2
    assert_equal(target, small_model("MODEL.NUM_CLASSES", 5, seed=2))


# --- another classifier


def test_another_number_of_classes_is_refused_with_a_sentence_of_its_own(
    small_model: BuildModel, tmp_path: Path
) -> None:
    path = write(tmp_path / "x.pyth", published(small_model("MODEL.NUM_CLASSES", 24)))
    with pytest.raises(
        WeightsError,
        match=r"fits but the classifier: head\.projection\.weight is \[24, 320\] in the file and \[80, 320\]",
    ) as caught:
        load_weights(small_model(), path)
    assert "--labels" in caught.value.hint
    assert "--finetune" in caught.value.hint


def test_finetuning_keeps_the_initial_classifier_and_loads_the_rest(
    small_model: BuildModel, tmp_path: Path
) -> None:
    source, target = small_model("MODEL.NUM_CLASSES", 24, seed=1), small_model(seed=2)
    path = write(tmp_path / "x.pyth", published(source))
    report = load_weights(target, path, finetune=True)
    assert report.missing == ("head.projection.weight", "head.projection.bias")
    assert set(report.dropped) == {"head.projection.weight", "head.projection.bias"}
    assert "is [24, 320] in the file and [80, 320] in the model" in report.dropped["head.projection.weight"]
    assert "new: head.projection.weight, head.projection.bias" in report.summary()
    untouched = small_model(seed=2)
    for name, tensor in target.state_dict().items():
        origin = untouched if name.startswith("head.") else source
        torch.testing.assert_close(tensor, origin.state_dict()[name], rtol=0, atol=0)


def test_finetuning_loads_a_classifier_that_fits(small_model: BuildModel, tmp_path: Path) -> None:
    source, target = small_model(seed=1), small_model(seed=2)
    assert load_weights(target, write(tmp_path / "x.pyth", published(source)), finetune=True).fits
    assert_equal(source, target)


def test_finetuning_replaces_a_linear_classifier_by_one_with_a_hidden_layer(
    small_model: BuildModel, tmp_path: Path
) -> None:
    path = write(tmp_path / "x.pyth", published(small_model()))
    target = small_model("DETECTION.MLP_DIM", 16)
    with pytest.raises(WeightsError, match=r"classifier: head\.projection\.weight is not in the model"):
        load_weights(target, path)
    report = load_weights(target, path, finetune=True)
    assert [name.startswith("head.projection.") for name in report.missing] == [True] * 4
    assert set(report.dropped.values()) == {"the model has another kind of classifier"}


def test_finetuning_accepts_a_file_without_a_classifier(small_model: BuildModel, tmp_path: Path) -> None:
    tensors = published(small_model())
    del tensors["head.projection.weight"], tensors["head.projection.bias"]
    path = write(tmp_path / "x.pyth", tensors)
    with pytest.raises(WeightsError, match=r"classifier: head\.projection\.weight is not in the file"):
        load_weights(small_model(), path)
    assert len(load_weights(small_model(), path, finetune=True).missing) == 2


def test_a_file_of_a_classifier_alone_is_refused(small_model: BuildModel, tmp_path: Path) -> None:
    tensors = {"s1.pathway0_stem.other": torch.ones(1), "head.projection.bias": torch.ones(80)}
    with pytest.raises(WeightsError, match="does not fit the model"):
        load_weights(small_model(), write(tmp_path / "x.pyth", tensors), finetune=True)


# --- what is particular to a publisher


def test_caffe2_blobs_get_trailing_sizes_of_one_and_bookkeeping_is_left_out(
    small_model: BuildModel, tmp_path: Path, write_caffe2_file: Callable[..., None]
) -> None:
    model = small_model()
    blobs = caffe2_blobs(model)
    name = "res2_0_branch2c_w"
    assert blobs[name].shape[2:] == (1, 1, 1)
    blobs[name] = blobs[name][:, :, 0, 0, 0]
    blobs |= {"conv1_w_momentum": np.ones(3, "f4"), "lr": np.ones(1, "f4"), "model_iter": np.ones(1, "i8")}
    write_caffe2_file(tmp_path / "x.pkl", blobs)
    target = small_model(seed=5)
    report = load_weights(target, tmp_path / "x.pkl")
    assert report.format == "Caffe2 (PySlowFast zoo)"
    assert report.adapted == {"pathways.0.res2.blocks.0.conv_c.weight": "trailing sizes of 1 added"}
    assert report.dropped == dict.fromkeys(
        ["conv1_w_momentum", "lr", "model_iter"], "Caffe2's training state"
    )
    assert_equal(model, target)


def test_a_caffe2_blob_never_loses_sizes(
    small_model: BuildModel, tmp_path: Path, write_caffe2_file: Callable[..., None]
) -> None:
    blobs = caffe2_blobs(small_model())
    blobs["pred_b"] = blobs["pred_b"][:, None]
    write_caffe2_file(tmp_path / "x.pkl", blobs)
    with pytest.raises(WeightsError, match=r"pred_b is \[80, 1\] in the file and \[80\] in the model"):
        load_weights(small_model(), tmp_path / "x.pkl")


def caffe2_blobs(model: nn.Module) -> dict[str, np.ndarray]:
    """A model's tensors as Caffe2 named them, worked out from our names by hand."""
    norm = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
    blobs = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        words = name.split(".")
        if words[0] == "head":
            blob = f"pred_{words[-1][0]}"
        elif words[0] == "laterals":
            last = {"stem": "t_pool1", "res2": "t_res2_2", "res3": "t_res3_3", "res4": "t_res4_5"}[words[1]]
            middle = "" if words[1] == "stem" else "_branch2c_bn"
            end = "w" if words[3] == "conv" else f"bn_{norm[words[-1]]}"
            blob = f"{last}{middle}_subsample_{end}"
        else:
            prefix = "t_" if words[1] == "1" else ""
            if words[2] == "stem":
                blob = f"{prefix}conv1_w" if words[3] == "conv" else f"{prefix}res_conv1_bn_{norm[words[-1]]}"
            else:
                kind, part = words[5].split("_")
                branch = "branch1" if part == "shortcut" else f"branch2{part}"
                end = "w" if kind == "conv" else f"bn_{norm[words[-1]]}"
                blob = f"{prefix}{words[2]}_{words[4]}_{branch}_{end}"
        blobs[blob] = tensor.numpy()
    return blobs


def mmaction2_tensors(model: nn.Module, name_table: Callable[[str], dict]) -> dict[str, Tensor]:
    """A model's tensors under mmaction2's names, by way of the published table."""
    from ava_detect.weights.mmaction2 import NAMES as MMACTION2_NAMES

    state = model.state_dict()
    table = name_table("mmaction2_ava_slowfast_r50_8x8")
    return {name: state[MMACTION2_NAMES.to_ours(name.removeprefix("backbone."))] for name in table}


MMACTION2 = ["SLOWFAST.LATERAL_NORM", False]


def test_the_background_row_goes_where_there_is_a_column_for_it_and_is_left_out_elsewhere(
    small_model: BuildModel, tmp_path: Path, name_table: Callable[[str], dict]
) -> None:
    source = small_model(*MMACTION2, "DETECTION.BACKGROUND_COLUMN", True, seed=1)
    tensors = mmaction2_tensors(source, name_table)
    assert len(tensors["roi_head.bbox_head.fc_cls.bias"]) == 81
    path = write(tmp_path / "x.pth", tensors, key="state_dict")
    with_column = small_model(*MMACTION2, "DETECTION.BACKGROUND_COLUMN", True)
    assert load_weights(with_column, path).adapted == {}
    assert_equal(source, with_column)
    without = small_model(*MMACTION2)
    report = load_weights(without, path)
    reason = "row 0 left out: mmaction2's background class, never trained"
    assert report.adapted == {"head.projection.weight": reason, "head.projection.bias": reason}
    torch.testing.assert_close(
        without.state_dict()["head.projection.weight"], source.state_dict()["head.projection.weight"][1:]
    )


def test_a_background_row_is_only_taken_from_81_rows(
    small_model: BuildModel, tmp_path: Path, name_table: Callable[[str], dict]
) -> None:
    path = write(tmp_path / "x.pth", mmaction2_tensors(small_model(*MMACTION2), name_table), key="state_dict")
    with pytest.raises(
        WeightsError, match=r"fc_cls\.weight is \[80, 320\] in the file and \[81, 320\] in the model"
    ):
        load_weights(small_model(*MMACTION2, "DETECTION.BACKGROUND_COLUMN", True), path)


def test_an_mmaction2_backbone_without_its_prefix_begins_a_finetuning(
    small_model: BuildModel, tmp_path: Path, name_table: Callable[[str], dict]
) -> None:
    source = small_model(*MMACTION2, seed=1)
    tensors = {
        name.removeprefix("backbone."): tensor
        for name, tensor in mmaction2_tensors(source, name_table).items()
        if name.startswith("backbone.")
    }
    target = small_model(*MMACTION2)
    report = load_weights(target, write(tmp_path / "x.pth", tensors, key="state_dict"), finetune=True)
    assert (report.format, report.missing) == (
        "mmaction2",
        ("head.projection.weight", "head.projection.bias"),
    )


def test_normalisation_constants_in_an_mmaction2_file_are_left_out(
    small_model: BuildModel, tmp_path: Path, name_table: Callable[[str], dict]
) -> None:
    tensors = mmaction2_tensors(small_model(*MMACTION2), name_table) | {
        "data_preprocessor.mean": torch.ones(3)
    }
    report = load_weights(small_model(*MMACTION2), write(tmp_path / "x.pth", tensors, key="state_dict"))
    assert report.dropped == {"data_preprocessor.mean": "normalisation constants; ours are in the config"}


def test_pytorchvideo_names_in_a_pyslowfast_file_are_recognised(
    small_model: BuildModel, tmp_path: Path, name_table: Callable[[str], dict]
) -> None:
    """PySlowFast's PTV models save pytorchvideo's names, the classifiers with ``model.`` in front."""
    from ava_detect.weights.pytorchvideo import SLOWFAST_NAMES

    source, target = small_model(seed=1), small_model(seed=2)
    state = source.state_dict()
    table = name_table("pytorchvideo_slowfast_r50")
    tensors = {f"model.{name}": state[SLOWFAST_NAMES.to_ours(name)] for name in table}
    report = load_weights(target, write(tmp_path / "x.pyth", tensors))
    assert (report.format, report.fits) == ("pytorchvideo", True)
    assert_equal(source, target)


ONE_PATHWAY = """
MODEL: {ARCH: i3d, NUM_CLASSES: 12}
RESNET: {DEPTH: 50, WIDTH_PER_GROUP: 8}
DATA: {NUM_FRAMES: 8, TEST_CROP_SIZE: 64, TRAIN_CROP_SIZE: 64}
"""


def image_resnet(model: nn.Module) -> dict[str, Tensor]:
    """Random image weights of a network's shape, under torchvision's names, with 1000 classes."""
    from ava_detect.weights.torchvision import NAMES as TORCHVISION_NAMES

    names = {}
    for stage in range(1, 5):
        for block in range(6):
            for layer in ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample.0", "downsample.1"):
                for leaf in ("weight", "bias", "running_mean", "running_var"):
                    name = f"layer{stage}.{block}.{layer}.{leaf}"
                    names[name] = TORCHVISION_NAMES.to_ours(name)
    for name in ("conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"):
        names[name] = TORCHVISION_NAMES.to_ours(name)
    state, generator = model.state_dict(), torch.Generator().manual_seed(3)
    tensors = {}
    for name, ours in names.items():
        if ours in state:
            shape = [size for axis, size in enumerate(state[ours].shape) if axis != 2]
            tensors[name] = torch.rand(shape, generator=generator) + 0.5
    return tensors | {"fc.weight": torch.ones(1000, 256), "fc.bias": torch.ones(1000)}


def test_an_image_network_is_inflated_so_that_a_still_picture_gives_the_same(tmp_path: Path) -> None:
    model = build_model(parse_config(ONE_PATHWAY)).eval()
    tensors = image_resnet(model)
    torch.save(tensors, tmp_path / "resnet50.pth")
    report = load_weights(model, tmp_path / "resnet50.pth", finetune=True)
    assert report.format == "torchvision ResNet"
    assert report.adapted["pathways.0.stem.conv.weight"] == "2-D kernel inflated over 5 frames"
    kernel = model.state_dict()["pathways.0.stem.conv.weight"]  # [8, 3, 5, 7, 7]
    for frame in range(5):
        torch.testing.assert_close(kernel[:, :, frame], tensors["conv1.weight"] / 5)
    picture = torch.rand(1, 3, 1, 64, 64)
    stem = model.get_submodule("pathways.0.stem.conv")
    from_clip = stem(picture.expand(1, 3, 9, 64, 64))[:, :, 4]  # a middle frame: no padding in sight
    image = nn.functional.conv2d(picture[:, :, 0], tensors["conv1.weight"], stride=2, padding=3)
    torch.testing.assert_close(from_clip, image, rtol=1e-5, atol=1e-4)


def test_an_image_network_does_not_fit_two_pathways(small_model: BuildModel, tmp_path: Path) -> None:
    torch.save(image_resnet(build_model(parse_config(ONE_PATHWAY))), tmp_path / "resnet50.pth")
    with pytest.raises(WeightsError, match=r"torchvision ResNet\) does not fit the model"):
        load_weights(small_model(), tmp_path / "resnet50.pth", finetune=True)


@pytest.mark.parametrize("dims", [4, 5])
def test_pyslowfasts_image_model_is_inflated_too(tmp_path: Path, dims: int) -> None:
    model = build_model(parse_config(ONE_PATHWAY)).eval()
    tensors = published(model)
    for name, tensor in tensors.items():
        if tensor.dim() == 5:
            tensors[name] = tensor.mean(dim=2, keepdim=dims == 5)
    tensors["head.projection.weight"] = torch.ones(1000, 256)
    tensors["head.projection.bias"] = torch.ones(1000)
    report = load_weights(model, write(tmp_path / "R50_IN1K.pyth", tensors), finetune=True)
    assert report.format == "PySlowFast image model"
    assert report.adapted["pathways.0.stem.conv.weight"] == "2-D kernel inflated over 5 frames"


def test_a_video_model_of_single_frames_is_not_inflated_in_silence(tmp_path: Path) -> None:
    """C2D weights have kernels of one frame, too, but Kinetics' classes: they do not fit I3D."""
    model = build_model(parse_config(ONE_PATHWAY)).eval()
    flat = build_model(parse_config(ONE_PATHWAY, overrides=["MODEL.ARCH", "c2d"]))
    with pytest.raises(
        WeightsError, match=r"\[8, 3, 1, 7, 7\] in the file and \[8, 3, 5, 7, 7\] in the model"
    ):
        load_weights(model, write(tmp_path / "x.pyth", published(flat)), finetune=True)


def test_an_empty_report_does_not_fit() -> None:
    assert not LoadReport("PySlowFast", (), {}, (), (), {}).fits
