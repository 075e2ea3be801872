"""What the arms do: hands and elbows against the shoulders, as [T, 7] arm values of the pose vector.

Waving and clapping have still twins that hold one of their positions, so that a single frame does not tell
them apart.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from ava_detect.data.scenes.dice import Dice


class Arms(Enum):
    """Everything that a person does with the arms while standing, sitting or going."""

    REST = "rest"  # hanging, swinging with the gait, on the thighs of a sitter
    WAVE = "wave"
    RAISED = "raised"  # WAVE without the movement
    CLAP = "clap"
    TOGETHER = "together"  # CLAP without the movement
    PHONE = "phone"  # a phone at the ear
    READ = "read"  # a book before the eyes
    LOWERED = "lowered"  # the same phone or book in a hanging hand
    BOX = "box"  # in front, with both hands
    BAG = "bag"  # in a hanging hand
    BAG_WAVE = "bag and wave"  # and the free hand waves
    BAG_RAISED = "bag and raised"
    SHAKE = "shake"  # the partner's right hand


@dataclass(frozen=True)
class Gestures:
    """How one person moves the arms. Angles in radians, lengths in metres of a 1.75 m body, rates in Hz."""

    wave_height: float  # angle of the upper arm above the horizontal
    wave_turn: float  # of the plane of the wave, from the shoulders' towards forwards
    wave_swing: float
    wave_rate_hz: float
    wave_phase: float
    held_wave: float  # the phase at which the arm is held up
    clap_place: tuple[float, float]  # forward and height of the hands
    clap_width: float
    clap_rate_hz: float
    clap_phase: float
    held_clap: float
    read_place: tuple[float, float]
    shake_rate_hz: float
    shake_swing: float
    shake_phase: float


def draw_gestures(dice: Dice) -> Gestures:
    """Draw how a person moves the arms."""
    turn = 2 * np.pi
    return Gestures(
        wave_height=dice.uniform(-0.35, 0.75),
        wave_turn=dice.uniform(0.0, 0.7),
        wave_swing=dice.uniform(0.45, 0.75),
        wave_rate_hz=dice.uniform(1.2, 2.1),
        wave_phase=dice.uniform(0, turn),
        held_wave=dice.uniform(0, turn),
        clap_place=(dice.uniform(0.30, 0.42), dice.uniform(-0.22, 0.04)),
        clap_width=dice.uniform(0.24, 0.36),
        clap_rate_hz=dice.uniform(1.4, 2.3),
        clap_phase=dice.uniform(0, turn),
        held_clap=dice.uniform(0, turn),
        read_place=(dice.uniform(0.27, 0.36), dice.uniform(-0.20, -0.06)),
        shake_rate_hz=dice.uniform(1.6, 2.6),
        shake_swing=dice.uniform(0.05, 0.09),
        shake_phase=dice.uniform(0, turn),
    )


def waving(phase: np.ndarray, gestures: Gestures) -> np.ndarray:
    """Return an arm that is up, the forearm at [T] phases of its wave."""
    height, swing = gestures.wave_height, gestures.wave_swing * np.sin(phase)
    upper_angle = height + 0.25 * swing
    fore_angle = 1.45 + swing  # above the horizontal: upright, leaning out and in by turns
    out = 0.29 * np.cos(upper_angle) + 0.26 * np.cos(fore_angle)
    up = 0.29 * np.sin(upper_angle) + 0.26 * np.sin(fore_angle)
    one = np.ones_like(out)
    cos, sin = np.cos(gestures.wave_turn), np.sin(gestures.wave_turn)
    hand = (sin * out + 0.04, cos * out, up)
    elbow = (sin * one, cos * one, (np.tan(height) - 0.6) * one)
    return np.stack([*hand, *elbow, 0 * one], axis=1)


def clapping(phase: np.ndarray, gestures: Gestures) -> np.ndarray:
    """Return one arm of a person whose hands are together at phase 0 and apart at phase pi."""
    forward, height = gestures.clap_place
    inwards = -0.145 + gestures.clap_width * (0.5 - 0.5 * np.cos(phase))
    one = np.ones_like(inwards)
    return np.stack([forward * one, inwards, height * one, -0.2 * one, 0.6 * one, -one, 0 * one], axis=1)


def shaking(reach: tuple[float, float, float], phase: np.ndarray, gestures: Gestures) -> np.ndarray:
    """Return the arm whose hand pumps up and down at ``reach`` (forward, out, up against the shoulder)."""
    forward, out, up = (np.full_like(phase, value) for value in reach)
    one = np.ones_like(phase)
    up = up + gestures.shake_swing * np.sin(phase)
    return np.stack([forward, out, up, -0.6 * one, 0.3 * one, -one, 0 * one], axis=1)


def fixed_arm(count: int, hand: tuple[float, float, float], elbow: tuple[float, float, float]) -> np.ndarray:
    """Return [count, 7] arm values of an arm that keeps its place against the chest."""
    return np.tile(np.array([*hand, *elbow, 0.0]), (count, 1))


def hanging_arm(count: int) -> np.ndarray:
    """Return an arm that hangs straight down with a load."""
    return np.tile(np.array([0.03, 0.09, -0.545, -1.0, 0.4, 0.0, 1.0]), (count, 1))


def phone_arm(count: int) -> np.ndarray:
    """Return an arm whose hand is at the ear."""
    return fixed_arm(count, (0.055, -0.03, 0.125), (0.45, 0.55, -1.0))


def reading_arm(count: int, gestures: Gestures) -> np.ndarray:
    """Return one of two arms that hold a book before the chest."""
    forward, height = gestures.read_place
    return fixed_arm(count, (forward, -0.055, height), (-0.3, 0.6, -1.0))


def box_arm(count: int) -> np.ndarray:
    """Return one of two arms around a box."""
    return fixed_arm(count, (0.33, 0.0, -0.26), (-0.6, 0.5, -0.8))
