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
    x, known = pictures.flatten(1), images.flatten(1)
    # ‖x − y‖² less ‖x‖², which all images share. torch.cdist would copy every image to get it.
    index = (torch.linalg.vector_norm(known, dim=1).square() - 2 * x @ known.T).argmin(1)
    return (x - known[index]).square().sum(1), index
