"""What topics measure of small images."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

BLOCK = 128  # images that are numbers at the same time: half a megabyte stays in the cache


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


@dataclass(frozen=True, eq=False)
class Gallery:
    """Images as bytes, a quarter of what they take as numbers; the nearest is asked for often."""

    grays: UInt8[Tensor, "n pixels"]
    white: int  # the gray of a pixel that is 1
    squares: Float[Tensor, " n"]  # squared length of each image

    @classmethod
    def of(cls, grays: UInt8[Tensor, "n ..."], white: int) -> "Gallery":
        """Of gray values from 0 to `white`."""
        pixels = grays.flatten(1)
        lengths = [
            torch.linalg.vector_norm(part.float().div_(white), dim=1)
            for part in pixels.split(BLOCK)
        ]
        return cls(pixels, white, torch.cat(lengths).square())

    def __getitem__(self, index: Int[Tensor, " m"]) -> Float[Tensor, "m pixels"]:
        """Some of the images, as they were."""
        return self.grays[index].float().div_(self.white)

    def nearest(
        self, pictures: Float[Tensor, "m ..."]
    ) -> tuple[Float[Tensor, " m"], Int[Tensor, " m"]]:
        """As the function of that name."""
        x = pictures.flatten(1)
        products = [x @ part.float().T for part in self.grays.split(BLOCK)]
        index = (self.squares - 2 / self.white * torch.cat(products, dim=1)).argmin(1)
        return (x - self[index]).square().sum(1), index
