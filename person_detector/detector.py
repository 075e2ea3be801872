"""Find the people on a picture: resize as the detector was trained, detect, keep the people."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from person_detector.boxes import PersonBoxes

if TYPE_CHECKING:
    from detectron2.config import CfgNode
    from detectron2.structures import Instances

    from person_detector.network import FasterRCNN


@dataclass(frozen=True)
class DetectorForm:
    """How a detector looks at pictures. With the same weights, another form may find other boxes.

    Attributes:
        config_sha256: of the Detectron2 configuration, before anything of what follows changed it.
        person_class: index of the class that is a person.
        mode: "exact" or "fast".
        backend: what runs the trunk, "torch" or "openvino".
        proposals: regions per picture that are looked at closely.
        short_side: pixels that pictures are resized to.
    """

    config_sha256: str
    person_class: int
    mode: str
    backend: str
    proposals: int
    short_side: int

    @classmethod
    def of(
        cls,
        cfg: CfgNode,
        *,
        person_class: int,
        mode: str = "exact",
        backend: str = "torch",
        proposals: int | None = None,
        short_side: int | None = None,
    ) -> Self:
        """Return a form of a configuration; what is not given is the configuration's."""
        return cls(
            hashlib.sha256(cfg.dump().encode()).hexdigest(),
            person_class,
            mode,
            backend,
            proposals or cfg.MODEL.RPN.POST_NMS_TOPK_TEST,
            short_side or cfg.INPUT.MIN_SIZE_TEST,
        )


class PersonDetector:
    """Finds people on pictures; made by ``build_person_detector``.

    Args:
        network: the detector.
        form: how it was built.
        name: what to call it in messages and records.
        threshold: people with lower scores are left out, unless ``detect`` is asked for others.
        max_side: a picture is resized to the short side of ``form``, unless its long side would exceed this;
            pixels.
        rgb: the detector was trained on RGB, not BGR.

    Attributes:
        form, name, threshold: as given.
    """

    def __init__(
        self,
        network: FasterRCNN,
        form: DetectorForm,
        *,
        name: str,
        threshold: float,
        max_side: int,
        rgb: bool = False,
    ) -> None:
        self.form, self.name, self.threshold = form, name, threshold
        self.network, self.device = network, network.device
        self._max_side, self._rgb = max_side, rgb

    def detect(self, image_bgr: np.ndarray, *, threshold: float | None = None) -> PersonBoxes:
        """Return the people on one picture, best first.

        Args:
            image_bgr: [H, W, 3] uint8.
            threshold: lowest score to return; None: the detector's own. Nothing is found below the score at
                which the network itself stops: 0.05 in published models, or the detector's own if lower.

        Raises:
            ValueError: not such a picture.
        """
        return self.detect_batch([image_bgr], threshold=threshold)[0]

    def detect_batch(
        self, images_bgr: Sequence[np.ndarray], *, threshold: float | None = None
    ) -> list[PersonBoxes]:
        """Return the people on several pictures, as ``detect`` does for one.

        Pictures of one size go through the network together on a GPU. On a CPU that would be slower, so they
        go one by one.
        """
        found: list[PersonBoxes] = [PersonBoxes.none()] * len(images_bgr)
        lowest = self.threshold if threshold is None else threshold
        for group in self._groups(images_bgr):
            pictures = [self.resize(images_bgr[index]) for index in group]
            with torch.inference_mode():
                results = self.network([picture.to(self.device) for picture in pictures])
            for index, result in zip(group, results, strict=True):
                found[index] = self.people(result, images_bgr[index].shape[:2]).above(lowest)
        return found

    def resize(self, image_bgr: np.ndarray) -> torch.Tensor:
        """Return the picture as the network sees it: [3, h, w] uint8, resized, in its channel order.

        Raises:
            ValueError: not an [H, W, 3] uint8 picture.
        """
        from detectron2.data.transforms import ResizeShortestEdge, ResizeTransform

        if (
            image_bgr.ndim != 3
            or image_bgr.shape[2] != 3
            or image_bgr.dtype != np.uint8
            or not image_bgr.size
        ):
            raise ValueError(f"picture: {image_bgr.dtype} {image_bgr.shape}; expected uint8 (H, W, 3)")
        image = image_bgr[:, :, ::-1] if self._rgb else image_bgr
        height, width = image.shape[:2]
        # Not ResizeShortestEdge.get_transform: that draws from NumPy's global random numbers.
        size = ResizeShortestEdge.get_output_shape(height, width, self.form.short_side, self._max_side)
        resized = ResizeTransform(height, width, *size).apply_image(np.ascontiguousarray(image))
        return torch.from_numpy(resized.transpose(2, 0, 1).copy())

    def people(self, result: Instances, size: tuple[int, int]) -> PersonBoxes:
        """Keep the people, and scale the boxes back to the picture.

        Args:
            result: of the network, for the resized picture.
            size: height and width of the picture as it was given.
        """
        from detectron2.modeling.postprocessing import detector_postprocess

        result = detector_postprocess(result[result.pred_classes == self.form.person_class], *size)
        boxes, scores = result.pred_boxes.tensor, result.scores
        order = scores.argsort(descending=True, stable=True)
        return PersonBoxes(boxes[order].float().cpu().numpy(), scores[order].float().cpu().numpy())

    def _groups(self, images: Sequence[np.ndarray]) -> list[list[int]]:
        """Return which pictures go through the network together."""
        if self.device.type == "cpu":
            return [[index] for index in range(len(images))]
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            groups.setdefault(image.shape, []).append(index)
        return list(groups.values())
