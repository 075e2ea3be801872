"""Where people are: a place where one stays, or a loop that is walked or run along."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Track(Protocol):
    """Where a person is and looks to, by the distance gone."""

    def at(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return [T, 2] X and Z in metres and [T] headings in radians after [T] metres."""


@dataclass(frozen=True)
class Spot:
    """A place where a person stays; a heading of 0 faces the camera."""

    x: float
    z: float
    heading: float

    def at(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the same place and heading for every distance."""
        count = len(distance)
        return np.tile([self.x, self.z], (count, 1)), np.full(count, self.heading)


@dataclass(frozen=True)
class Loop:
    """An ellipse on the ground, gone round at the speed that the gait gives.

    Attributes:
        x, z: centre, metres.
        wide, deep: half axes along X and Z.
        start: angle of the start, radians.
        clockwise: 1.0 or -1.0.
    """

    x: float
    z: float
    wide: float
    deep: float
    start: float
    clockwise: float

    def at(self, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return places and headings after [T] metres (negative: before the start)."""
        angles = np.linspace(0, 2 * np.pi, 721)
        steps = np.hypot(self.wide * np.diff(np.cos(angles)), self.deep * np.diff(np.sin(angles)))
        gone = np.concatenate([[0.0], np.cumsum(steps)])
        first = np.interp(self.start % (2 * np.pi), angles, gone)
        angle = np.interp((first + self.clockwise * distance) % gone[-1], gone, angles)
        place = np.stack([self.x + self.wide * np.cos(angle), self.z + self.deep * np.sin(angle)], axis=1)
        east, north = -self.wide * np.sin(angle) * self.clockwise, self.deep * np.cos(angle) * self.clockwise
        return place, np.arctan2(east, -north)
