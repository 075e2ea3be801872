"""A picture as a file."""

from pathlib import Path

import cv2
import numpy as np

from evaluation.atomic import atomic_path
from evaluation.errors import DataError


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write an image [H, W, 3] uint8, BGR, in the format of the suffix; it appears when it is complete.

    Raises:
        DataError: the file cannot be written.
    """
    _, encoded = cv2.imencode(path.suffix, image)
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(encoded.tobytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error
