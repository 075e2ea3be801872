"""Image weights in a video network: a 2-D kernel becomes a 3-D one that gives the same on a still picture.

Reference: Carreira and Zisserman, Quo Vadis, Action Recognition? (CVPR 2017), section 2.4.1.
"""

from torch import Tensor

from ava_detect.weights.publisher import Adapted


def inflated(tensor: Tensor, shape: tuple[int, ...]) -> Adapted | None:
    """Repeat a 2-D kernel over time and divide it by the number of repetitions.

    Args:
        tensor: [C_out, C_in, H, W] of an image network.
        shape: (C_out, C_in, kt, H, W) of our parameter.

    Returns:
        The kernel of that shape; None if the tensor is not an image kernel of the same channels and size.
    """
    if tensor.dim() != 4 or len(shape) != 5 or tuple(tensor.shape) != (*shape[:2], *shape[3:]):
        return None
    frames = shape[2]
    note = f"2-D kernel inflated over {frames} frames" if frames > 1 else "2-D kernel, one frame"
    return Adapted(tensor[:, :, None].repeat(1, 1, frames, 1, 1) / frames, note)
