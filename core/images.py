"""What topics measure of small images."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sharpness(images: Float[Tensor, "*n h w"]) -> Float[Tensor, "*n"]:
    """Gradient energy: squared differences of neighboring pixels, summed over the image."""
    across, down = images.diff(dim=-1).square(), images.diff(dim=-2).square()
    return across.sum((-2, -1)) + down.sum((-2, -1))


def nearest(
    pictures: Float[Tensor, "m ..."], images: Float[Tensor, "n ..."]
) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
    """Squared distance of each picture to the nearest image, over all pixels, and which that is."""
    gaps, index = torch.cdist(pictures.flatten(1), images.flatten(1)).min(1)
    return gaps.square(), index
