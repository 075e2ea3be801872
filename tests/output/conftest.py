"""What the tests of the outputs share: facts of a made-up video, and results on its keyframes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ava_detect.output.journal import Journal
from ava_detect.output.records import (
    ActionClass,
    DetectorFacts,
    Header,
    ModelFacts,
    Settings,
    VideoFacts,
)
from ava_detect.output.results import KeyframeResult

CLASSES = (
    ActionClass(12, "stand", "pose"),
    ActionClass(14, "walk", "pose"),
    ActionClass(17, "carry/hold (an object)", "object"),
    ActionClass(80, "watch (a person)", "person"),
)


@pytest.fixture(scope="session")
def classes() -> tuple[ActionClass, ...]:
    return CLASSES


@pytest.fixture(scope="session")
def make_header() -> Callable[..., Header]:
    """Return a function (video_id, **settings) -> Header of a 200 x 100 video with four classes."""

    def make(video_id: str = "gym", **settings: object) -> Header:
        return Header(
            tool_version="0.1.0",
            video=VideoFacts(video_id, f"{video_id}.mp4", 200, 100, 10.0, "30000/1001", 0, "h264", 1234),
            model=ModelFacts("slowfast-test", "ab" * 32, "cd" * 32, "v2.2", CLASSES),
            detector=DetectorFacts("detector", "faster-rcnn-test", "ef" * 32),
            settings=replace(Settings(person_thresh=0.8), **settings),
        )

    return make


@pytest.fixture(scope="session")
def make_result() -> Callable[..., KeyframeResult]:
    """Return a function (time, people) -> KeyframeResult.

    A person is (person id, person score, [x1, y1, x2, y2], [four action scores]).
    """

    def make(time: float, people: list[tuple] = (), **more: object) -> KeyframeResult:
        ids, scores, boxes, actions = zip(*people, strict=True) if people else ((), (), (), ())
        return KeyframeResult(
            time=time,
            frame_time=time + 0.01,
            frame_idx=round(time * 30),
            boxes=np.array(boxes, np.float32).reshape(-1, 4),
            person_scores=np.array(scores, np.float32),
            person_ids=np.array(ids, np.int64),
            action_scores=np.array(actions, np.float32).reshape(-1, len(CLASSES)),
            **more,
        )

    return make


@pytest.fixture
def journal_of(tmp_path: Path, make_header: Callable[..., Header]) -> Callable[..., Path]:
    """Return a function (results, status, **settings) -> path of a journal of one video."""

    def write(results: list[KeyframeResult], status: str | None = "complete", **settings: object) -> Path:
        path = tmp_path / ".actions.csv.journal"
        with Journal.create(path) as journal:
            journal.begin(make_header(**settings))
            for result in results:
                journal.append(result)
            if status is not None:
                journal.finish(status, "" if status == "complete" else "invalid data at 1:37.4")
        return path

    return write
