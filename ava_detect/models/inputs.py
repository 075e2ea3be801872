"""The data layer of the paper's Table 1: which frames each pathway takes from a clip, and in what form.

Reference: SlowFast Networks, section 3 and Table 5c.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ava_detect.models.pathway import InputForm, PathwaySpec

SlowFrames = Literal["linspace", "stride"]

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G, B in the gray value (ITU-R BT.601)."""

FLOW_LIMIT_PX = 20.0
"""Optical flow is cut at this many pixels per frame and divided by it, so that it lies in [-1, 1]."""


def pathway_clips(clip: Tensor, pathways: Sequence[PathwaySpec], *, slow_frames: SlowFrames) -> list[Tensor]:
    """Give each pathway its frames of ``clip``, in its form.

    Args:
        clip: [N, 3, F, H, W], normalised RGB, F the fastest pathway's frames. Optical flow may come along as
            channels 3 and 4 (x and y, already scaled); without them it is computed where a pathway wants it.
        pathways: slowest first.
        slow_frames: "linspace" takes evenly spaced frames including the last, as PySlowFast does; "stride"
            takes every so-many-th from the first, as mmaction2 does.

    Returns:
        One clip per pathway, slowest first: [N, C_in, T, H, W] (half of H and W, rounded up, for "half").

    Raises:
        ValueError: the frames cannot be divided among the pathways, or the channels are neither 3 nor 5.
    """
    frames, fastest = clip.shape[2], pathways[-1].frame_ratio
    if clip.shape[1] not in (3, 5):
        raise ValueError(f"a clip has 3 channels (RGB) or 5 (RGB and flow); found {clip.shape[1]}")
    if frames % fastest:
        raise ValueError(f"{frames} frames cannot be divided by the frame ratio {fastest}")
    clips = []
    for spec in pathways:
        count = frames // fastest * spec.frame_ratio
        x = in_form(clip, spec.input_form)  # before taking frames: a difference is between neighbours
        if count < frames:
            x = x[:, :, frame_indices(frames, count, slow_frames).to(x.device)]
        clips.append(x)
    return clips


def frame_indices(frames: int, count: int, rule: SlowFrames) -> Tensor:
    """Return which ``count`` of ``frames`` frames a slower pathway takes: [count], int64.

    "linspace" is evenly spaced, includes the last frame and is floored: of 32 frames, 8 are
    0 4 8 13 17 22 26 31. "stride" is 0 4 8 12 16 20 24 28.
    """
    if rule == "stride":
        return torch.arange(0, frames, frames // count)[:count]
    return torch.linspace(0, frames - 1, count).long()


def in_form(clip: Tensor, form: InputForm) -> Tensor:
    """Return [N, 3 or 5, F, H, W] in one of the forms of Table 5c."""
    rgb = clip[:, :3]
    match form:
        case "rgb":
            return rgb
        case "gray":
            return grayscale(rgb)
        case "difference":
            return frame_difference(rgb)
        case "flow":
            return clip[:, 3:] if clip.shape[1] == 5 else optical_flow(rgb)
        case "half":
            return half_resolution(rgb)
    raise ValueError(f"input form {form!r} is not known")


def grayscale(rgb: Tensor) -> Tensor:
    """Return the gray value of [N, 3, F, H, W] as [N, 1, F, H, W]."""
    weights = rgb.new_tensor(LUMA).view(1, 3, 1, 1, 1)
    return (rgb * weights).sum(dim=1, keepdim=True)


def frame_difference(rgb: Tensor) -> Tensor:
    """Return gray frame minus previous gray frame, [N, 1, F, H, W]; the first, which has none, is zero."""
    gray = grayscale(rgb)
    return torch.cat([torch.zeros_like(gray[:, :, :1]), gray[:, :, 1:] - gray[:, :, :-1]], dim=2)


def half_resolution(rgb: Tensor) -> Tensor:
    """Average [N, 3, F, H, W] over 2 x 2 pixels: [N, 3, F, ceil(H / 2), ceil(W / 2)]."""
    return F.avg_pool3d(rgb, kernel_size=(1, 2, 2), stride=(1, 2, 2), ceil_mode=True, count_include_pad=False)


def optical_flow(rgb: Tensor) -> Tensor:
    """Estimate dense flow (Farnebäck) from each frame to the next.

    Args:
        rgb: [N, 3, F, H, W] in any scale; each clip's gray values are stretched to 8 bits first.

    Returns:
        [N, 2, F, H, W]: x and y displacement from the previous frame, in units of 20 pixels, within [-1, 1];
        zero for the first frame, which has no previous one. Computed on the CPU, returned where ``rgb`` is.
    """
    import cv2
    import numpy as np

    gray = grayscale(rgb)[:, 0]  # [N, F, H, W]
    low, high = gray.amin(dim=(1, 2, 3), keepdim=True), gray.amax(dim=(1, 2, 3), keepdim=True)
    bytes_ = ((gray - low) / (high - low).clamp_min(1e-6) * 255).round().byte().cpu().numpy()
    flow = np.zeros((*gray.shape, 2), np.float32)  # [N, F, H, W, 2]
    for n, frames in enumerate(bytes_):
        for t in range(1, len(frames)):
            flow[n, t] = cv2.calcOpticalFlowFarneback(
                frames[t - 1], frames[t], np.zeros_like(flow[n, t]), 0.5, 3, 15, 3, 5, 1.2, 0
            )
    scaled = torch.from_numpy(flow).clamp(-FLOW_LIMIT_PX, FLOW_LIMIT_PX) / FLOW_LIMIT_PX
    return torch.movedim(scaled, -1, 1).to(rgb)  # [N, 2, F, H, W]
