"""What a camera does to the picture: blur, exposure, colour cast, drifting light, vignette and noise."""

from dataclasses import dataclass

import cv2
import numpy as np

from ava_detect.data.scenes.dice import Dice


@dataclass(frozen=True)
class Effects:
    """The camera's effects on frames of one scene.

    Attributes:
        blur: standard deviation of the lens blur, pixels.
        focus_hunting: rate (Hz) at which the blur comes and goes; 0 is constant.
        exposure: mean gain, amplitude, rate (Hz), phase of its slow change.
        step: time and gain of a sudden change of exposure; gain 1 is none.
        gamma: of the tone curve.
        cast: [3] gains of blue, green, red.
        light: [h, w] uint8 gain map, 128 is 1, larger than the frame; slides over it.
        light_speed: pixels per second in x and y.
        grain: [n, n] int16 noise, larger than the frame; some window of it is added to each frame and
            channel.
        grain_colour: whether the channels get different noise.
    """

    blur: float
    focus_hunting: float
    exposure: tuple[float, float, float, float]
    step: tuple[float, float]
    gamma: float
    cast: np.ndarray
    light: np.ndarray
    light_speed: tuple[float, float]
    grain: np.ndarray
    grain_colour: bool

    def apply(self, image: np.ndarray, time: float, frame: int) -> np.ndarray:
        """Return a frame [H, W, 3] uint8 as the camera would record it."""
        blur = self.blur
        if self.focus_hunting:
            blur *= abs(np.sin(np.pi * self.focus_hunting * time))
        if blur > 0.2:
            image = cv2.GaussianBlur(image, (0, 0), blur)
        image = cv2.multiply(image, self._light_at(image.shape[0], image.shape[1], time), scale=1 / 128)
        image = cv2.LUT(image, self._curve_at(time))
        return self._grained(image, frame)

    def _light_at(self, height: int, width: int, time: float) -> np.ndarray:
        spare_y, spare_x = self.light.shape[0] - height, self.light.shape[1] - width
        x = int(_to_and_fro(self.light_speed[0] * time, spare_x))
        y = int(_to_and_fro(self.light_speed[1] * time, spare_y))
        return cv2.merge([self.light[y : y + height, x : x + width]] * 3)

    def _curve_at(self, time: float) -> np.ndarray:
        mean, amplitude, rate, phase = self.exposure
        gain = mean * (1 + amplitude * np.sin(2 * np.pi * rate * time + phase))
        if time >= self.step[0]:
            gain *= 1 + (self.step[1] - 1) * min(1.0, (time - self.step[0]) / 0.15)
        tones = 255 * (np.arange(256)[:, None] / 255) ** self.gamma * gain * self.cast
        return np.clip(np.rint(tones), 0, 255).astype(np.uint8).reshape(1, 256, 3)

    def _grained(self, image: np.ndarray, frame: int) -> np.ndarray:
        height, width = image.shape[:2]
        spare_y, spare_x = self.grain.shape[0] - height, self.grain.shape[1] - width
        if spare_y < 0 or spare_x < 0:
            return image
        windows = []
        for channel in range(3 if self.grain_colour else 1):
            # A fixed walk over the grain: cheap, and the same for every order in which frames are made.
            step = (frame * 3 + channel) * 7919
            y, x = (step * 31) % (spare_y + 1), (step * 17 + step // 5) % (spare_x + 1)
            windows.append(self.grain[y : y + height, x : x + width])
        noise = cv2.merge(windows if self.grain_colour else windows * 3)
        return cv2.add(image, noise, dtype=cv2.CV_8U)


def _to_and_fro(position: float, reach: int) -> float:
    """Reflect a position into [0, reach]."""
    if reach <= 0:
        return 0.0
    folded = position % (2 * reach)
    return min(folded, 2 * reach - folded)


@dataclass(frozen=True)
class EffectStrength:
    """How strong the effects may be; every pair is a range to draw from.

    Attributes:
        blur: pixels, for frames 256 high.
        noise: standard deviation in grey levels.
        exposure: mean gain.
        drift: relative amplitude of slow changes of exposure.
        step: probability of a sudden change of exposure.
        light: contrast of drifting light.
        cast: largest difference between the gains of the colours.
    """

    blur: tuple[float, float]
    noise: tuple[float, float]
    exposure: tuple[float, float]
    drift: tuple[float, float]
    step: float
    light: tuple[float, float]
    cast: float


def draw_effects(dice: Dice, size: tuple[int, int], strength: EffectStrength, duration_s: float) -> Effects:
    """Draw the effects for frames of a size (width, height)."""
    width, height = size
    light = _light_map(dice, int(1.5 * height), int(1.5 * width), dice.within(strength.light))
    side = max(width, height) + 64
    deviation = dice.within(strength.noise)
    grain = np.rint(deviation * dice.gaussians(side, side)).astype(np.int16)
    if dice.chance(0.4):  # coarse grain, as of a small sensor or an earlier compression
        grain = np.rint(1.7 * cv2.blur(grain.astype(np.float32), (2, 2))).astype(np.int16)
    return Effects(
        blur=dice.within(strength.blur) * height / 256,
        focus_hunting=dice.uniform(0.1, 0.4) if dice.chance(0.25) else 0.0,
        exposure=(
            dice.within(strength.exposure),
            dice.within(strength.drift),
            dice.uniform(0.05, 0.4),
            dice.uniform(0, 6.28),
        ),
        step=(dice.uniform(0, duration_s), dice.uniform(0.7, 1.35) if dice.chance(strength.step) else 1.0),
        gamma=dice.uniform(0.8, 1.25),
        cast=1 + strength.cast * (dice.uniforms(3) - 0.5),
        light=light,
        light_speed=(dice.uniform(-40, 40), dice.uniform(-12, 12)),
        grain=grain,
        grain_colour=dice.chance(0.5),
    )


def _light_map(dice: Dice, height: int, width: int, contrast: float) -> np.ndarray:
    """Paint smooth patches of light and shade; 128 is neutral."""
    cells = (dice.uniforms(5, 6).astype(np.float32) - 0.5) * 2 * contrast
    patches = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(128 * (1 + patches), 40, 255).astype(np.uint8)
