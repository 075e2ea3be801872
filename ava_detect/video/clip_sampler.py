"""Which frames make up the clip around a keyframe: by time, at the rate the model was trained at."""

import numpy as np

TIE_S = 1e-6
"""Two frames this equally near are a tie; below the resolution of common container clocks."""


class ClipSampler:
    """The times of a clip's frames relative to its keyframe.

    With T frames, one every tau frames of a video at ``target_fps``, frame i lies at ``(i - T // 2) * tau``
    frames from the keyframe: the keyframe is element T // 2, and for even T the clip reaches one step further
    back than forward. For even T these are PySlowFast's positions, ``range(c - H, c + H, tau)`` with
    H = T * tau // 2; for odd T they are mmaction2's, because PySlowFast's then miss the keyframe.

    Args:
        num_frames: T, frames of the Fast input.
        sampling_rate: tau, frames of the ``target_fps`` video from one clip frame to the next.
        target_fps: the frame rate that the model was trained at, Hz (30 for the published models).

    Attributes:
        offsets: [T] float64, seconds relative to the keyframe, ascending.

    Raises:
        ValueError: an argument is not positive.
    """

    def __init__(self, num_frames: int, sampling_rate: int, target_fps: float = 30.0) -> None:
        if num_frames < 1 or sampling_rate < 1 or not target_fps > 0:
            raise ValueError(
                f"num_frames {num_frames}, sampling_rate {sampling_rate}, target_fps {target_fps}: "
                "all three must be positive"
            )
        self.num_frames = num_frames
        self.offsets: np.ndarray = (np.arange(num_frames) - num_frames // 2) * sampling_rate / target_fps

    @property
    def span(self) -> tuple[float, float]:
        """Seconds that the clip reaches before and after its keyframe; both are >= 0."""
        return float(-self.offsets[0]), float(self.offsets[-1])

    def times(self, keyframe_s: float) -> np.ndarray:
        """Return the clip's [T] wanted times, seconds; they may lie outside the video."""
        return keyframe_s + self.offsets


def nearest_frame_indices(frame_times: np.ndarray, wanted_times: np.ndarray) -> np.ndarray:
    """Return for each wanted time the index of the frame shown nearest to it.

    Before the first and behind the last frame the end frame repeats. Of two frames equally near (within a
    microsecond) the earlier one is taken, so that rounding errors do not choose.

    Args:
        frame_times: [N] seconds, ascending; N >= 1.
        wanted_times: [M] seconds, in any order.

    Returns:
        [M] int64 in 0..N-1.

    Raises:
        ValueError: there is no frame.
    """
    frame_times = np.asarray(frame_times, dtype=np.float64)
    wanted_times = np.asarray(wanted_times, dtype=np.float64)
    if frame_times.size == 0:
        raise ValueError("no frame to choose from")
    after = np.searchsorted(frame_times, wanted_times).clip(0, len(frame_times) - 1)
    before = (after - 1).clip(0)
    later_is_nearer = (
        np.abs(frame_times[after] - wanted_times) < np.abs(wanted_times - frame_times[before]) - TIE_S
    )
    return np.where(later_is_nearer, after, before).astype(np.int64)
