"""Reading checkpoint files: every container that is published, and files that mean harm or are broken."""

import copy
import io
import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file
from torch import Tensor, nn

from ava_detect.weights.safe_read import (
    read_checkpoint,
    read_detector_checkpoint,
    read_safetensors_metadata,
)
from evaluation.errors import WeightsError


def awkward_tensors() -> dict[str, Tensor]:
    """Tensors whose layout in the file is not the obvious one."""
    whole = torch.arange(12.0)
    return {
        "plain": torch.randn(3, 4),
        "half": torch.randn(5).half(),
        "bfloat16": torch.randn(5).bfloat16(),
        "transposed": torch.randn(6, 2).t(),
        "counter": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "bool": torch.tensor([True, False]),
        "part of a storage": whole[4:8],
        "the storage": whole,
        "parameter": nn.Parameter(torch.ones(2)),
    }


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_a_torch_file_gives_its_tensors_and_plain_entries(tmp_path: Path, new: bool) -> None:
    tensors = awkward_tensors()
    content = {
        "model_state": tensors,
        "epoch": 3,
        "cfg": "A: 1\n",
        "optimizer_state": {"state": {0: torch.ones(3)}},
    }
    path = tmp_path / "x.pyth"
    torch.save(content, path, _use_new_zipfile_serialization=new)
    checkpoint = read_checkpoint(path)
    assert checkpoint.container == ("torch" if new else "torch before 1.6")
    assert checkpoint.key == "model_state"
    assert list(checkpoint.tensors) == list(tensors)
    for name, tensor in tensors.items():
        torch.testing.assert_close(checkpoint.tensors[name], tensor.detach(), rtol=0, atol=0)
    assert checkpoint.entries["epoch"] == 3
    assert checkpoint.entries["cfg"] == "A: 1\n"


def test_a_state_dict_without_a_key_around_it_is_read(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    torch.save(model.state_dict(), tmp_path / "x.pth")  # an OrderedDict with an attribute
    checkpoint = read_checkpoint(tmp_path / "x.pth")
    assert (checkpoint.key, list(checkpoint.tensors)) == ("", list(model.state_dict()))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_detectron2_zoo_file_is_read_in_every_pickle_protocol(tmp_path: Path, protocol: int) -> None:
    weights = {
        "backbone.w": np.arange(6, dtype="f4").reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "empty": np.zeros((0, 4), "f4"),
        "no dimension": np.array(2.5),
    }
    content = {"model": weights, "__author__": "Detectron2 Model Zoo", "matching_heuristics": True}
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(content, protocol))
    arrays = read_detector_checkpoint(tmp_path / "x.pkl")
    assert list(arrays) == list(weights)
    for name, array in weights.items():
        np.testing.assert_array_equal(arrays[name], array, strict=True)
    entries = read_checkpoint(tmp_path / "x.pkl").entries
    assert entries == {"__author__": "Detectron2 Model Zoo", "matching_heuristics": True}


def test_a_python_2_pickle_is_read_with_every_byte_value(
    tmp_path: Path, write_caffe2_file: Callable[..., None]
) -> None:
    values = np.frombuffer(bytes(range(256)) * 4, "f4")
    write_caffe2_file(tmp_path / "x.pkl", {"conv1_w": values, "small": np.float32([1, -2])})
    checkpoint = read_checkpoint(tmp_path / "x.pkl")
    assert (checkpoint.container, checkpoint.key) == ("pickle", "blobs")
    assert checkpoint.tensors["conv1_w"].numpy().tobytes() == values.tobytes()
    assert checkpoint.tensors["small"].tolist() == [1, -2]


def test_a_detectron2_training_file_gives_arrays_without_the_prefix_of_ddp(tmp_path: Path) -> None:
    content = {"model": {"module.a": torch.ones(2).bfloat16()}, "trainer": {"iteration": 5}, "iteration": 5}
    torch.save(content, tmp_path / "x.pth")
    arrays = read_detector_checkpoint(tmp_path / "x.pth")
    assert arrays["a"].dtype == np.float32
    assert arrays["a"].tolist() == [1, 1]


def test_mmengine_training_state_is_left_unbuilt(tmp_path: Path) -> None:
    class HistoryBuffer:
        def __init__(self) -> None:
            self.history = np.ones(3)

    HistoryBuffer.__module__, HistoryBuffer.__qualname__ = "mmengine.logging.history_buffer", "HistoryBuffer"
    content = {"state_dict": {"a": torch.ones(2)}, "message_hub": {"log_scalars": {"loss": HistoryBuffer()}}}
    # pickle looks the class up under its name before it writes it
    module = type(os)("mmengine.logging.history_buffer")
    module.HistoryBuffer = HistoryBuffer  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer"):
            patch.setitem(__import__("sys").modules, name, module)
        torch.save(content, tmp_path / "x.pth")
    checkpoint = read_checkpoint(tmp_path / "x.pth")
    assert checkpoint.tensors["a"].tolist() == [1, 1]
    assert "message_hub" in checkpoint.entries


def test_safetensors_give_tensors_and_metadata(tmp_path: Path) -> None:
    save_file({"b": torch.ones(2), "a": torch.zeros(1)}, tmp_path / "x.safetensors", {"note": "ours"})
    checkpoint = read_checkpoint(tmp_path / "x.safetensors")
    assert checkpoint.container == "safetensors"
    assert list(checkpoint.tensors) == ["a", "b"]
    assert read_safetensors_metadata(tmp_path / "x.safetensors") == {"note": "ours"}


def test_another_file_has_no_safetensors_metadata(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1)}, tmp_path / "x.pth")
    assert read_safetensors_metadata(tmp_path / "x.pth") == {}


# --- not a file that can be read


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pth: cannot be opened \(No such file or directory\)"):
        read_checkpoint(tmp_path / "none.pth")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is a folder; a checkpoint file is expected"):
        read_checkpoint(tmp_path)


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").symlink_to("b.pth")
    (tmp_path / "b.pth").symlink_to("a.pth")
    with pytest.raises(WeightsError, match="Too many levels of symbolic links"):
        read_checkpoint(tmp_path / "a.pth")


def test_a_named_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="is a pipe or device"):
        read_checkpoint(tmp_path / "x.pth")


def test_a_device_is_refused() -> None:
    with pytest.raises(WeightsError, match="is a pipe or device"):
        read_checkpoint("/dev/zero")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pth").touch()
    with pytest.raises(WeightsError, match="is empty"):
        read_checkpoint(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"hello world\n", r"is a text file, not a checkpoint \(it begins with 'hello world'\)"),
        (b"<!DOCTYPE html>\n<html>404</html>", r"is a web page, not a checkpoint"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), r"is not a checkpoint \(it begins with the bytes 89 50 4e 47\)"),
        (bytes(1000), "is not a checkpoint"),
    ],
    ids=["text", "web page", "picture", "zeros"],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_checkpoint(tmp_path / "x.pth")


# --- files that want to run code


class RunsCode:
    """What an attacker puts into a file: the ordinary reader would call os.system."""

    def __init__(self, witness: Path) -> None:
        self.command = f"touch {witness}"

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_os_system_is_refused_by_name(tmp_path: Path, protocol: int) -> None:
    content = {"blobs": {"conv1_w": np.ones(2)}, "x": RunsCode(tmp_path / "witness")}
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(
        WeightsError, match=r"x\.pkl: the pickle wants '(posix|nt)\.system', which is not data"
    ):
        read_checkpoint(tmp_path / "x.pkl")
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_a_torch_file_that_calls_os_system_is_refused_by_name(tmp_path: Path, new: bool) -> None:
    content = {"model_state": {"a": torch.ones(2)}, "x": RunsCode(tmp_path / "witness")}
    torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=new)
    with pytest.raises(WeightsError, match=r"the pickle wants '(posix|nt)\.system'"):
        read_checkpoint(tmp_path / "x.pth")
    assert not (tmp_path / "witness").exists()


def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    program = io.BytesIO()
    with zipfile.ZipFile(program, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py", "version"):
            archive.writestr(f"x/{name}", b"x")
    (tmp_path / "x.pt").write_bytes(program.getvalue())
    with pytest.raises(WeightsError, match="is a TorchScript program, which would have to be executed"):
        read_checkpoint(tmp_path / "x.pt")


# --- files that lie about sizes


def rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes], **options: int) -> Path:
    """Copy a zip file member by member through ``change``."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", **options) as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
    return target


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A good torch file with one tensor of 100 x 50 numbers."""
    torch.save({"model_state": {"a": torch.ones(100, 50)}}, tmp_path / "good.pth")
    return tmp_path / "good.pth"


def test_a_compressed_zip_is_refused_as_a_possible_bomb(good: Path, tmp_path: Path) -> None:
    bad = rewritten(good, tmp_path / "x.pth", lambda _, data: data, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(WeightsError, match="is a compressed zip file"):
        read_checkpoint(bad)


def test_a_zip_whose_members_overlap_is_refused_as_a_bomb(good: Path, tmp_path: Path) -> None:
    bad = rewritten(good, tmp_path / "x.pth", lambda _, data: data)
    with zipfile.ZipFile(bad, "a") as archive:
        member = next(info for info in archive.infolist() if info.filename.endswith("data/0"))
        for number in range(10):  # ten further names for the same bytes
            twin = copy.copy(member)
            twin.filename = f"good/data/{number + 1}"
            archive.filelist.append(twin)
        archive.writestr("good/last", b"")  # so that the directory is written again
    with pytest.raises(WeightsError, match=r"its members declare 22\d,\d+ bytes in a file of 2\d,\d+"):
        read_checkpoint(bad)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # BININT2 5000, the storage's length -> BININT 2^30
        (b"M\x88\x13", b"J\x00\x00\x00\x40", "declares a storage of 4,294,967,296 bytes and holds 20,000"),
        # BININT1 100 BININT1 50, the shape -> BININT 2^30, 50
        (b"KdK2\x86", b"J\x00\x00\x00\x40K2\x86", r"a tensor of shape \[1073741824, 50\] over 5,000 numbers"),
        # strides (50, 1) -> (0, 0): a small storage seen as a huge tensor is refused, too
        (b"KdK2\x86", b"J\x00\x00\x00\x40J\x00\x00\x00\x40\x86", "over 5,000 numbers"),
    ],
    ids=["storage", "shape", "shape squared"],
)
def test_a_torch_file_with_a_huge_declared_size_is_refused_before_memory_is_taken(
    good: Path, tmp_path: Path, old: bytes, new: bytes, message: str
) -> None:
    def change(name: str, data: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return data
        assert data.count(old) >= 1
        return data.replace(old, new)

    with pytest.raises(WeightsError, match=message):
        read_checkpoint(rewritten(good, tmp_path / "x.pth", change))


def test_a_numpy_pickle_with_a_huge_declared_shape_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    data = pickle.dumps({"blobs": {"conv1_w": np.zeros((100, 50), "f4")}}, 2)
    assert data.count(b"KdK2\x86") == 1
    (tmp_path / "x.pkl").write_bytes(data.replace(b"KdK2\x86", b"J\x00\x00\x00\x40J\x00\x00\x00\x40\x86"))
    with pytest.raises(WeightsError, match=r"an array of shape \[1073741824, 1073741824\], and holds 20,000"):
        read_checkpoint(tmp_path / "x.pkl")


def test_a_safetensors_header_that_lies_is_refused(tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(WeightsError, match="is a damaged safetensors file"):
        read_checkpoint(tmp_path / "x.safetensors")


def test_a_safetensors_header_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", 4) + b"{abc" + bytes(8))
    with pytest.raises(WeightsError, match="is a damaged safetensors file"):
        read_safetensors_metadata(tmp_path / "x.safetensors")


# --- broken files


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("new", [True, False], ids=["zip", "before 1.6"])
def test_a_truncated_torch_file_is_refused(tmp_path: Path, new: bool, share: float) -> None:
    path = tmp_path / "x.pth"
    torch.save({"model_state": {"a": torch.ones(100, 50)}}, path, _use_new_zipfile_serialization=new)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(WeightsError, match=r"damaged or truncated zip file|is damaged|file is truncated"):
        read_checkpoint(path)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_pickle_is_refused(tmp_path: Path, share: float) -> None:
    data = pickle.dumps({"blobs": {"conv1_w": np.zeros((100, 50), "f4")}}, 2)
    (tmp_path / "x.pkl").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match="the pickle is damaged"):
        read_checkpoint(tmp_path / "x.pkl")


def test_a_flipped_bit_in_a_torch_file_is_noticed(good: Path) -> None:
    content = bytearray(good.read_bytes())
    content[len(content) // 2] ^= 1
    good.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged or truncated zip file"):
        read_checkpoint(good)


def test_big_endian_files_are_refused(good: Path, tmp_path: Path) -> None:
    bad = rewritten(
        good, tmp_path / "x.pth", lambda name, data: b"big" if name.endswith("byteorder") else data
    )
    with pytest.raises(WeightsError, match="its tensors are big-endian"):
        read_checkpoint(bad)
    (tmp_path / "x.pkl").write_bytes(pickle.dumps({"blobs": {"conv1_w": np.ones(3, ">f4")}}))
    with pytest.raises(WeightsError, match="its arrays are big-endian"):
        read_checkpoint(tmp_path / "x.pkl")
    torch.save({"a": torch.ones(1)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    data = (tmp_path / "old.pth").read_bytes()
    assert b"little_endian" in data
    at = data.index(b"little_endian") + len(b"little_endian")
    at = data.index(b"\x88", at)  # NEWTRUE
    (tmp_path / "old.pth").write_bytes(data[:at] + b"\x89" + data[at + 1 :])
    with pytest.raises(WeightsError, match="its tensors are big-endian"):
        read_checkpoint(tmp_path / "old.pth")


def test_a_zip_that_is_no_torch_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(WeightsError, match=r"is a zip file, but not one that torch\.save writes"):
        read_checkpoint(tmp_path / "x.zip")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list; a checkpoint is a dictionary"),
        ({}, r"holds no weights: none of model_state, state_dict, blobs, model is in it, but nothing"),
        ({"epoch": 3, "lr": 0.1}, "holds no weights: .* but epoch, lr"),
        ({"model": {"a": "text"}}, "holds no weights"),
    ],
    ids=["list", "empty", "no tensors", "text for a tensor"],
)
def test_a_file_without_weights_is_refused_and_its_content_named(
    tmp_path: Path, content: object, message: str
) -> None:
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(WeightsError, match=message):
        read_checkpoint(tmp_path / "x.pkl")


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    content = {"blobs": OrderedDict(conv1_w=np.array([{"a": 1}], object))}
    (tmp_path / "x.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(WeightsError, match="it holds an array of type 'O8'; numbers are expected"):
        read_checkpoint(tmp_path / "x.pkl")


def test_every_refusal_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(pickle.dumps(RunsCode(tmp_path / "witness")))
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(tmp_path / "x.pth")
    assert "\n" not in str(caught.value)
    assert "nothing in a file is ever executed" in caught.value.hint


def good_files() -> dict[str, bytes]:
    """One small good file of each container."""
    tensors = {"a": torch.arange(12.0).view(3, 4), "b": torch.ones(5)}
    files = {"pickle": pickle.dumps({"blobs": {name: tensor.numpy() for name, tensor in tensors.items()}}, 2)}
    for name, new in (("zip", True), ("before 1.6", False)):
        buffer = io.BytesIO()
        torch.save({"model_state": tensors, "epoch": 1}, buffer, _use_new_zipfile_serialization=new)
        files[name] = buffer.getvalue()
    return files | {"safetensors": save(tensors, {"ava_detect": "{}"})}


GOOD = good_files()


@given(
    container=st.sampled_from(sorted(GOOD)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    share=st.sampled_from([1.0, 1.0, 0.9, 0.5, 0.1]),
)
def test_a_damaged_file_of_any_container_is_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, container: str, changes: list, share: float
) -> None:
    content = bytearray(GOOD[container])
    for place, byte in changes:
        content[int(place * len(content))] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(content[: int(len(content) * share)])
    for read in (read_checkpoint, read_safetensors_metadata):
        try:
            read(path)
        except WeightsError as refusal:
            assert "\n" not in str(refusal)  # noqa: PT017


def test_a_zip_with_a_name_that_is_no_text_is_refused(good: Path) -> None:
    content = good.read_bytes()
    good.write_bytes(content.replace(b"data.pkl", b"data\xff\xffkl"))
    with pytest.raises(WeightsError, match="damaged or truncated zip file"):
        read_checkpoint(good)
