"""The camera: a fixed point of view onto the ground, and the pans, zooms and shakes of its picture.

World axes: X to the right, Y up, Z away from the camera, metres, origin on the ground below the camera. The
lens never moves; what it sees lies on one big canvas, and a frame is a moving window of the canvas. That is
how a camera on a tripod behaves, and it lets the background be painted once.
"""

from dataclasses import dataclass

import numpy as np

from ava_detect.data.scenes.dice import Dice


@dataclass(frozen=True)
class View:
    """A pinhole camera that looks along Z.

    Attributes:
        frame_size: width, height of a drawn frame, pixels (supersampled).
        margin: pixels of canvas beyond the frame to the left and right, above and below.
        focal: pixels.
        eye: height of the camera, metres.
        horizon: row of the horizon on the canvas.
    """

    frame_size: tuple[int, int]
    margin: tuple[int, int]
    focal: float
    eye: float
    horizon: float

    def scaled(self, factor: float) -> "View":
        """Return the same view for pictures ``factor`` times as large."""
        (width, height), (side, above) = self.frame_size, self.margin
        return View(
            frame_size=(round(width * factor), round(height * factor)),
            margin=(round(side * factor), round(above * factor)),
            focal=self.focal * factor,
            eye=self.eye,
            horizon=self.horizon * factor,
        )

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height of the canvas."""
        return self.frame_size[0] + 2 * self.margin[0], self.frame_size[1] + 2 * self.margin[1]

    @property
    def centre(self) -> tuple[float, float]:
        """The canvas point in the middle of a frame at rest."""
        return self.canvas_size[0] / 2, self.canvas_size[1] / 2

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project world points [..., 3] in front of the camera to canvas points [..., 2]."""
        depth = np.maximum(points[..., 2], 0.3)
        across = self.centre[0] + self.focal * points[..., 0] / depth
        down = self.horizon - self.focal * (points[..., 1] - self.eye) / depth
        return np.stack([across, down], axis=-1)

    def scale_at(self, depth: np.ndarray) -> np.ndarray:
        """Return canvas pixels per metre at depths [...]."""
        return self.focal / np.maximum(depth, 0.3)

    def half_width_at(self, depth: float) -> float:
        """Return the X of the right edge of the frame at rest, at a depth; metres."""
        return self.frame_size[0] / 2 * depth / self.focal


@dataclass(frozen=True)
class CameraMotion:
    """How the window moves over the canvas.

    Attributes:
        pan: [2] canvas pixels from the first to the last frame.
        swing: amplitude (pixels), rate (Hz) and phase of a slow pan to and fro.
        zoom: scale at the first and the last frame.
        shake: [n, 5] amplitude (pixels), rate, phases of x, y and roll.
        roll: radians of roll per pixel of shake.
        duration_s: of the scene.
    """

    pan: np.ndarray
    swing: tuple[float, float, float]
    zoom: tuple[float, float]
    shake: np.ndarray
    roll: float
    duration_s: float

    def windows(self, times: np.ndarray, view: View) -> np.ndarray:
        """Return [T, 2, 3] affine maps from canvas points to frame points."""
        share = times / self.duration_s
        eased = share * share * (3 - 2 * share)
        amplitude, rate, phase = self.swing
        x = self.pan[0] * (eased - 0.5) + amplitude * np.sin(2 * np.pi * rate * times + phase)
        y = self.pan[1] * (eased - 0.5)
        size, rates, *phases = self.shake.T[:, :, None]
        turn = 2 * np.pi * rates * times
        shake_x, shake_y, shake_roll = ((size * np.sin(turn + each)).sum(axis=0) for each in phases)
        zoom = self.zoom[0] + (self.zoom[1] - self.zoom[0]) * eased
        return _window(x + shake_x, y + shake_y, zoom, self.roll * shake_roll, view)


def _window(x: np.ndarray, y: np.ndarray, zoom: np.ndarray, roll: np.ndarray, view: View) -> np.ndarray:
    cos, sin = zoom * np.cos(roll), zoom * np.sin(roll)
    centre_x, centre_y = view.centre[0] + x, view.centre[1] + y
    width, height = view.frame_size
    maps = np.empty((len(x), 2, 3))
    maps[:, 0, 0], maps[:, 0, 1] = cos, -sin
    maps[:, 1, 0], maps[:, 1, 1] = sin, cos
    maps[:, 0, 2] = width / 2 - cos * centre_x + sin * centre_y
    maps[:, 1, 2] = height / 2 - sin * centre_x - cos * centre_y
    return maps


def apply_window(points: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Map canvas points [..., 2] to frame points with one [2, 3] window."""
    return points @ window[:, :2].T + window[:, 2]


def draw_view(dice: Dice, frame_size: tuple[int, int]) -> View:
    """Draw a point of view for frames of this size (supersampled pixels)."""
    width, height = frame_size
    margin = (2 * round(0.11 * width), 2 * round(0.07 * height))
    return View(
        frame_size=frame_size,
        margin=margin,
        focal=height * dice.uniform(1.05, 1.5),
        eye=dice.uniform(1.15, 2.1),
        horizon=margin[1] + height * dice.uniform(0.26, 0.40),
    )


def draw_camera_motion(
    dice: Dice, view: View, *, pan: float, zoom: float, shake: float, still: float, duration_s: float
) -> CameraMotion:
    """Draw how the camera moves.

    Args:
        dice: the draws.
        view: the point of view; amplitudes count in its frame's size.
        pan: largest pan from end to end, widths of the frame; kept within the canvas.
        zoom: largest change of scale.
        shake: largest amplitude of a hand-held camera, heights of the frame.
        still: probability of a tripod that neither pans nor zooms.
        duration_s: of the scene.
    """
    width, height = view.frame_size
    moving = not dice.chance(still)
    swinging = dice.chance(0.4)
    reach = min(pan * width, 1.6 * view.margin[0]) * dice.uniform(0.3, 1.0) if moving else 0.0
    tilt = min(0.12 * height, view.margin[1]) * dice.uniform(-1.0, 1.0) if moving else 0.0
    zooms = (1 + zoom * dice.uniform(), 1 + zoom * dice.uniform()) if moving else (1.0, 1.0)
    strength = height * shake * dice.uniform() ** 2
    count = 5
    rates = np.array([0.25, 0.6, 1.3, 2.7, 5.0]) * (0.8 + 0.4 * dice.uniforms(count))
    sizes = strength * np.array([1.0, 0.7, 0.45, 0.25, 0.15]) * (0.5 + dice.uniforms(count))
    phases = 2 * np.pi * dice.uniforms(count, 3)
    return CameraMotion(
        pan=np.array([0.0 if swinging else dice.sign() * reach, tilt]),
        swing=(reach / 2 if swinging else 0.0, dice.uniform(0.06, 0.16), dice.uniform(0, 2 * np.pi)),
        zoom=zooms,
        shake=np.concatenate([sizes[:, None], rates[:, None], phases], axis=1),
        roll=0.05 / max(height * 0.02, 1.0),
        duration_s=duration_s,
    )
