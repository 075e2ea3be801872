"""Things that belong together: one data set, or the loose files of one command line."""

from dataclasses import dataclass, field

from ava_detect.config import Config
from ava_detect.data.check.checkpoints import CheckpointFacts
from ava_detect.data.check.frame_lists import FrameList
from ava_detect.data.check.frames import FrameSet
from ava_detect.data.check.kinds import Kind
from ava_detect.data.check.names import Media, media_of_frames, media_of_videos
from ava_detect.data.check.row_files import RowFile
from ava_detect.data.check.video_facts import VideoFacts, clock
from evaluation.label_map import LabelMap


@dataclass
class VideoSet:
    """Videos of a folder, or single ones.

    Attributes:
        source: the folder or the file, as given.
        complete: whether these are meant to be all videos of the data set: a folder.
        videos: by id, those that can be read.
        names: ids of all, the unreadable ones too.
    """

    source: str
    complete: bool
    videos: dict[str, VideoFacts] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """Say how much is there."""
        if len(self.videos) == 1 and not self.complete:
            return next(iter(self.videos.values())).summary()
        total = sum(facts.length_s for facts in self.videos.values())
        return f"{len(self.names):,} videos, {clock(total)} in all"


@dataclass
class Group:
    """What is known of a data set; any part may be missing.

    Attributes:
        rows: files of AVA rows.
        label_map: the classes.
        videos, frames, frame_lists, checkpoints: what their names say.
        cfg, config_source: the configuration, and where it is from.
        has_data: whether the configuration describes data, or a folder does.
        start_second: time on the rows' clock at which the videos begin; ``None`` when nothing says so.
        valid: first and last keyframe second that are used; ``None`` when nothing says so.
        threshold: least score of a person box that is used; ``None`` when nothing says so.
        training_boxes: files of boxes that are only used in training.
    """

    rows: list[RowFile] = field(default_factory=list)
    label_map: LabelMap | None = None
    videos: list[VideoSet] = field(default_factory=list)
    frames: list[FrameSet] = field(default_factory=list)
    frame_lists: list[FrameList] = field(default_factory=list)
    checkpoints: list[CheckpointFacts] = field(default_factory=list)
    cfg: Config | None = None
    config_source: str = ""
    has_data: bool = False
    data_source: str = ""
    start_second: float | None = None
    valid: tuple[float, float] | None = None
    threshold: float | None = None
    training_boxes: set[str] = field(default_factory=set)

    def of(self, *kinds: Kind) -> list[RowFile]:
        """Return the files of rows of some kinds."""
        return [file for file in self.rows if file.kind in kinds]

    def all_videos(self) -> dict[str, VideoFacts]:
        """Return every video that can be read, by id."""
        return {name: facts for videos in self.videos for name, facts in videos.videos.items()}

    def media(self) -> list[Media]:
        """Describe videos, frames and frame lists for the comparison with rows; single videos together."""
        folders = [videos for videos in self.videos if videos.complete]
        single = [videos for videos in self.videos if not videos.complete]
        found = [
            media_of_videos(videos.source, videos.videos, names=videos.names, complete=True)
            for videos in folders
        ]
        if single:
            source = single[0].source if len(single) == 1 else f"the {len(single)} videos"
            facts = {name: video for videos in single for name, video in videos.videos.items()}
            names = [name for videos in single for name in videos.names]
            found.append(media_of_videos(source, facts, names=names, complete=False))
        found += [media_of_frames(frames) for frames in self.frames]
        return found
