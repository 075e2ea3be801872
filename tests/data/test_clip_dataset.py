"""Items and batches of a configured data set: the right frames, boxes and labels; broken videos are named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ava_detect.config import Config, parse_config
from ava_detect.data.batch_samplers import EvaluationBatches, TrainingBatches
from ava_detect.data.build import build_loader, build_test_set, build_training_set
from ava_detect.data.clip_dataset import Batch, ClipItem, ClipKey, SkippedClip, collate
from evaluation.errors import ConfigError, DataError
from tests.video.encoding import read_number

Configure = Callable[..., Config]


@pytest.fixture
def configure(numbered_settings: list[object]) -> Configure:
    """Return a function from further settings to a configuration of the numbered set."""
    return lambda *settings: parse_config("", overrides=[*numbered_settings, *settings])


def _item(found: ClipItem | SkippedClip) -> ClipItem:
    assert isinstance(found, ClipItem)
    return found


def _numbers(clip: torch.Tensor) -> list[int]:
    """Read the frames' numbers from a normalised clip [3, T, H, W]."""
    pixels = (clip * 0.225 + 0.45).clamp(0, 1) * 255
    return [read_number(frame) for frame in pixels.permute(1, 2, 3, 0).numpy()]


def test_a_test_item_is_the_whole_picture_at_the_nearest_frames(configure: Configure):
    dataset = build_test_set(configure())
    assert len(dataset) == 4
    item = _item(dataset[ClipKey(0, 1)])
    # Second 1 of 25 fps at 30 fps positions -8, -6, .. 6: times 1 + step / 30; ties go to the earlier frame.
    assert _numbers(item.clip) == [18, 20, 22, 23, 25, 27, 28, 30]
    assert item.clip.shape == (3, 8, 72, 120)
    # 160x96 -> 120x72: pixels of the original, limited to 0..159 and 0..95, times 120 / 160.
    expected = np.array([[32, 19.2, 96, 86.4], [80, 9.6, 144, 76.8]]) * 0.75
    np.testing.assert_allclose(item.boxes, expected, rtol=1e-6)
    assert item.labels.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert (item.keyframe.video_id, item.keyframe.second) == ("one", 1.0)
    assert item.keyframe.boxes.tolist() == [[0.2, 0.2, 0.6, 0.9], [0.5, 0.1, 0.9, 0.8]]


def test_a_box_of_the_whole_picture_ends_at_its_last_pixel(configure: Configure):
    item = _item(build_test_set(configure())[ClipKey(0, 2)])
    assert item.clip.shape == (3, 8, 120, 72)
    np.testing.assert_allclose(item.boxes, [[0, 0, 71, 119]])


def test_a_mirrored_test_item_is_the_mirror_image(configure: Configure):
    plain = _item(build_test_set(configure())[ClipKey(0, 1)])
    for mirrored in (
        build_test_set(configure(), mirrored=True),
        build_test_set(configure("AVA.TEST_FORCE_FLIP", True)),
    ):
        item = _item(mirrored[ClipKey(0, 1)])
        assert torch.equal(item.clip, plain.clip.flip(-1))
        assert torch.allclose(item.boxes[:, 0], 120 - plain.boxes[:, 2] - 1)
        assert torch.equal(item.boxes[:, 1], plain.boxes[:, 1])


def test_other_test_sizes_scale_boxes_along(configure: Configure):
    item = _item(build_test_set(configure(), size=96)[ClipKey(0, 1)])
    assert item.clip.shape == (3, 8, 96, 160)
    np.testing.assert_allclose(item.boxes[0], [32, 19.2, 96, 86.4], rtol=1e-6)


def test_items_depend_on_seed_epoch_and_place_alone(configure: Configure):
    dataset, again = build_training_set(configure()), build_training_set(configure())
    first = _item(dataset[ClipKey(3, 1)])
    again[ClipKey(0, 0)]
    same = _item(again[ClipKey(3, 1)])
    assert torch.equal(first.clip, same.clip)
    assert torch.equal(first.boxes, same.boxes)
    assert first.clip.shape == (3, 8, 64, 64)
    assert not torch.equal(first.boxes, _item(dataset[ClipKey(4, 1)]).boxes)
    other_seed = build_training_set(configure("RNG_SEED", 1))
    assert not torch.equal(first.boxes, _item(other_seed[ClipKey(3, 1)]).boxes)


def test_workers_read_what_the_process_itself_reads(configure: Configure):
    cfg = configure("AVA.TRAIN_USE_COLOR_AUGMENTATION", True, "AVA.TRAIN_PCA_JITTER_ONLY", False)
    loaded = []
    for workers in (0, 2):
        dataset = build_training_set(cfg)
        batches = TrainingBatches(len(dataset), 2)
        batches.epoch = 5
        loader_cfg = configure("DATA_LOADER.NUM_WORKERS", workers) if workers else cfg
        loaded.append(list(build_loader(dataset, batches, loader_cfg)))
    assert len(loaded[0]) == 2
    for alone, worked in zip(*loaded, strict=True):
        assert alone.indices == worked.indices
        assert torch.equal(alone.clips, worked.clips)
        assert torch.equal(alone.boxes, worked.boxes)
        assert torch.equal(alone.labels, worked.labels)


def test_one_loader_serves_epoch_after_epoch(configure: Configure):
    cfg = configure("DATA_LOADER.NUM_WORKERS", 1)
    dataset = build_training_set(cfg)
    batches = TrainingBatches(len(dataset), 4, seed=cfg.RNG_SEED)
    loader = build_loader(dataset, batches, cfg)
    for epoch in range(2):
        batches.epoch = epoch
        (batch,) = loader
        (keys,) = batches
        assert batch.indices == tuple(key.place for key in keys)
        assert torch.equal(batch.clips, collate([dataset[key] for key in keys]).clips)
        assert {key.epoch for key in keys} == {epoch}


def test_a_batch_names_the_clip_of_every_box(configure: Configure):
    dataset = build_training_set(configure())
    batch = collate([dataset[ClipKey(0, place)] for place in range(4)])
    assert batch.clips.shape == (4, 3, 8, 64, 64)
    assert batch.boxes[:, 0].tolist() == [0, 1, 1, 2, 3]
    assert batch.labels.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert (len(batch), batch.indices, batch.skipped) == (4, (0, 1, 2, 3), ())


def test_clips_of_different_sizes_make_no_batch(configure: Configure):
    dataset = build_test_set(configure())
    with pytest.raises(ValueError, match="clips of different sizes"):
        collate([dataset[ClipKey(0, 0)], dataset[ClipKey(0, 2)]])


def test_an_empty_batch_has_no_clips_and_no_boxes():
    batch = collate([SkippedClip(0, "a", 1.0, "broken")])
    assert (len(batch), len(batch.clips), batch.boxes.shape) == (0, 0, (0, 5))
    assert batch.to(torch.device("cpu")).skipped == batch.skipped


def test_a_broken_video_is_named_and_skipped_and_the_others_go_on(
    configure: Configure, numbered_set: Path, tmp_path: Path
):
    videos = tmp_path / "videos"
    shutil.copytree(numbered_set / "videos", videos)
    (videos / "one.mp4").write_bytes((videos / "one.mp4").read_bytes()[:900])
    cfg = configure("AVA.VIDEO_DIR", str(videos), "DATA_LOADER.NUM_WORKERS", 1)
    dataset = build_training_set(cfg)
    (batch,) = build_loader(dataset, TrainingBatches(len(dataset), 4), cfg)
    assert isinstance(batch, Batch)
    assert [frame.video_id for frame in batch.keyframes] == ["two", "two"]
    assert sorted((skipped.video_id, skipped.second) for skipped in batch.skipped) == [("one", 0), ("one", 1)]
    assert all("one.mp4: not a video that FFmpeg can read" in skipped.reason for skipped in batch.skipped)


def test_every_keyframe_is_tested_once_by_any_number_of_processes(configure: Configure):
    dataset = build_test_set(configure())
    for world in (1, 2, 3, 5):
        seen = []
        for rank in range(world):
            for keys in EvaluationBatches(dataset.annotations, 2, rank=rank, world=world):
                batch = collate([dataset[key] for key in keys])
                seen += batch.indices
        assert sorted(seen) == [0, 1, 2, 3]


def test_missing_videos_are_named_and_their_keyframes_left_out(
    configure: Configure, numbered_set: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(numbered_set / "videos" / "two.mkv", videos)
    dataset = build_training_set(configure("AVA.VIDEO_DIR", str(videos)))
    assert {frame.video_id for frame in dataset.annotations} == {"two"}
    assert f"left out 2 keyframes of 1 videos not in {videos}: one" in caplog.text
    (videos / "two.mkv").rename(videos / "three.mkv")
    with pytest.raises(
        DataError, match=r"none of the 2 annotated videos is there \(annotated: one, two; found"
    ):
        build_training_set(configure("AVA.VIDEO_DIR", str(videos)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (("AVA.VIDEO_DIR", ""), "AVA.VIDEO_DIR is empty and AVA.FRAME_DIR is too"),
        (("AVA.TRAIN_GT_BOX_LISTS", "[]"), "AVA.TRAIN_GT_BOX_LISTS is empty"),
        (("DATA.TRAIN_JITTER_SCALES_RELATIVE", "[0.1, 1.0]"), "SCALES_RELATIVE is for classification"),
    ],
)
def test_what_cannot_be_built_is_refused(configure: Configure, settings: tuple[str, str], message: str):
    with pytest.raises(ConfigError, match=message):
        build_training_set(configure(*settings))


def test_a_60_class_map_may_come_with_80_outputs(configure: Configure):
    cfg = configure("AVA.LABEL_MAP_FILE", "v2.2", "MODEL.NUM_CLASSES", 80)
    assert build_training_set(cfg).annotations.class_ids == tuple(range(1, 81))


def test_detected_boxes_are_tested_and_the_excluded_left_out(configure: Configure, numbered_set: Path):
    (numbered_set / "boxes.csv").write_text(
        "one,1,0.2,0.2,0.6,0.9,,0.95\none,0,0,0,1,1,,0.5\ntwo,1,0,0,1,1,,0.9\n"
    )
    (numbered_set / "out.csv").write_text("two,1\n")
    boxes = ("AVA.TEST_GT_BOXES", False, "AVA.TEST_PREDICT_BOX_LISTS", "[boxes.csv]")
    assert [str(frame) for frame in build_test_set(configure(*boxes)).annotations] == [
        "one at 0001",
        "two at 0001",
    ]
    dataset = build_test_set(configure(*boxes, "AVA.EXCLUSION_FILE", "out.csv"))
    assert [str(frame) for frame in dataset.annotations] == ["one at 0001"]
