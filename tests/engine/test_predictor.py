"""The road from a video file to scores, with a real video and a real small network."""

from itertools import takewhile

import numpy as np
import pytest
import torch

from ava_detect.engine import Predictor
from ava_detect.engine.predictor import VideoRun
from ava_detect.models import split_pathways
from ava_detect.video.clip_sampler import nearest_frame_indices
from ava_detect.video.reader import VideoReader
from ava_detect.video.transforms import normalise_clip, resize_short_side, scale_boxes
from evaluation.errors import VideoError
from person_detector import PersonBoxes

BOXES = np.array([[10, 8, 60, 90], [50, 20, 127, 95]], np.float32)
SCORES = np.array([0.9, 0.7], np.float32)


def two_people(_video_id, clips):
    return [PersonBoxes(BOXES, SCORES) for _ in clips]


def nobody(_video_id, clips):
    return [PersonBoxes.none() for _ in clips]


def test_a_video_without_people_still_gives_its_keyframes(tiny_cfg, tiny_model, make_video):
    results = list(Predictor(tiny_cfg, tiny_model, nobody).predict(make_video(frames=51)))
    assert [result.time for result in results] == [0.0, 1.0, 2.0]
    for result in results:
        assert result.boxes.shape == (0, 4)
        assert result.action_scores.shape == (0, 6)
        assert np.isnan(result.best_person_score)


def test_a_video_shorter_than_a_clip_gives_its_keyframe(tiny_cfg, tiny_model, make_video):
    (result,) = Predictor(tiny_cfg, tiny_model, two_people, person_thresh=0.5).predict(make_video(frames=2))
    assert result.time == 0.0
    assert result.action_scores.shape == (2, 6)


@pytest.mark.parametrize("fps", [24, 50])
def test_scores_are_those_of_the_clip_taken_by_hand(tiny_cfg, tiny_model, make_video, fps):
    path = make_video(frames=3 * fps, fps=fps)
    predictor = Predictor(tiny_cfg, tiny_model, two_people, person_thresh=0.5)
    with VideoReader(path) as video:
        frames = [(frame.time, frame.image()) for frame in video]
    times = np.array([time for time, _ in frames])
    for result in predictor.predict(path):
        wanted = result.time + (np.arange(8) - 4) * 2 / 30
        clip = [resize_short_side(frames[i][1], 64) for i in nearest_frame_indices(times, wanted)]
        tensor = normalise_clip(np.stack(clip), tiny_cfg.DATA.MEAN, tiny_cfg.DATA.STD)[None]
        boxes = np.minimum(scale_boxes(BOXES, (96, 128), (64, 85)), [84, 63, 84, 63])  # inside the clip
        rois = torch.from_numpy(np.hstack([np.zeros((2, 1)), boxes]).astype(np.float32))
        with torch.inference_mode():
            expected = tiny_model(split_pathways(tensor, tiny_cfg), rois).numpy()
        np.testing.assert_allclose(result.action_scores, expected, atol=1e-5)


def test_a_batch_gives_what_single_keyframes_give(tiny_cfg, tiny_model, make_video):
    path = make_video(frames=130)

    def sometimes(_video_id, clips):
        return [PersonBoxes.none() if clip.time == 2.0 else PersonBoxes(BOXES, SCORES) for clip in clips]

    single, batched = (
        list(Predictor(tiny_cfg, tiny_model, sometimes, person_thresh=0.5, batch=batch).predict(path))
        for batch in (1, 4)
    )
    assert [len(result.boxes) for result in batched] == [2, 2, 0, 2, 2, 2]
    for one, other in zip(single, batched, strict=True):
        assert (one.time, one.frame_idx) == (other.time, other.frame_idx)
        np.testing.assert_allclose(one.action_scores, other.action_scores, atol=1e-5)


def test_people_below_the_threshold_are_dropped_but_the_best_is_told(tiny_cfg, tiny_model, make_video):
    path = make_video(frames=10)
    (result,) = Predictor(tiny_cfg, tiny_model, two_people, person_thresh=0.8).predict(path)
    np.testing.assert_array_equal(result.boxes, BOXES[:1])
    (result,) = Predictor(tiny_cfg, tiny_model, two_people, person_thresh=0.95).predict(path)
    assert len(result.boxes) == 0
    assert result.best_person_score == pytest.approx(0.9)


def test_start_every_and_end_lay_out_the_keyframes(tiny_cfg, tiny_model, make_video):
    predictor = Predictor(tiny_cfg, tiny_model, nobody, every=0.1, start=0.5, end=0.8)
    assert [result.time for result in predictor.predict(make_video())] == [0.5, 0.6, 0.7, 0.8]


def test_ids_follow_people_and_are_absent_without_tracking(tiny_cfg, tiny_model, make_video):
    path = make_video()
    tracked = list(Predictor(tiny_cfg, tiny_model, two_people, person_thresh=0.5).predict(path))
    assert [result.person_ids.tolist() for result in tracked] == [[1, 2]] * 3
    untracked = Predictor(tiny_cfg, tiny_model, two_people, person_thresh=0.5, track=False).predict(path)
    assert all((result.person_ids == -1).all() for result in untracked)


def test_a_run_goes_on_after_the_results_that_are_done(tiny_cfg, tiny_model, make_video):
    path = make_video(frames=130)
    predictor = Predictor(tiny_cfg, tiny_model, two_people, person_thresh=0.5)
    whole = list(predictor.predict(path))
    done = list(takewhile(lambda result: result.time < 3, whole))
    with VideoReader(path) as video:
        rest = list(VideoRun(predictor, video, "video", done=done))
    assert [result.time for result in rest] == [3.0, 4.0, 5.0]
    for one, other in zip(whole[3:], rest, strict=True):
        np.testing.assert_array_equal(one.action_scores, other.action_scores)
        np.testing.assert_array_equal(one.person_ids, other.person_ids)


def test_the_same_video_gives_the_same_scores_twice(tiny_cfg, tiny_model, make_video):
    path = make_video(frames=40)
    predictor = Predictor(tiny_cfg, tiny_model, two_people, person_thresh=0.5)
    for one, other in zip(predictor.predict(path), predictor.predict(path), strict=True):
        np.testing.assert_array_equal(one.action_scores, other.action_scores)


def test_a_missing_file_is_refused(tiny_cfg, tiny_model, tmp_path):
    with pytest.raises(VideoError, match="no such file"):
        list(Predictor(tiny_cfg, tiny_model, nobody).predict(tmp_path / "none.mp4"))
