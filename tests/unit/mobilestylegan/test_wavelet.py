import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stitchedit.mobilestylegan import haar, inverse_haar


def transposed_convolutions(bands: Tensor) -> Tensor:
    """The textbook form: each band through its outer product of [r, r] and [r, -r], r * r = 0.5."""
    low, high = torch.tensor([0.5, 0.5]).sqrt(), torch.tensor([0.5, 0.5]).sqrt() * torch.tensor([1.0, -1.0])
    filters = [torch.outer(a, b) for a, b in ((low, low), (high, low), (low, high), (high, high))]
    parts = bands.permute(0, 3, 1, 2).chunk(4, dim=1)
    channels = parts[0].shape[1]
    images = [
        F.conv_transpose2d(part, kernel.expand(channels, 1, 2, 2).to(part), stride=2, groups=channels)
        for part, kernel in zip(parts, filters, strict=True)
    ]
    return torch.stack(images).sum(dim=0).permute(0, 2, 3, 1)


@pytest.mark.parametrize("shape", [(1, 4, 4, 8), (2, 3, 5, 12), (1, 1, 1, 4)])
def test_inverse_equals_transposed_convolutions(shape: tuple[int, ...]) -> None:
    bands = torch.randn(shape)
    torch.testing.assert_close(inverse_haar(bands), transposed_convolutions(bands))


def test_gradient_equals_transposed_convolutions() -> None:
    bands = torch.randn(2, 3, 4, 8, requires_grad=True)
    weight = torch.randn(2, 6, 8, 2)
    (ours,) = torch.autograd.grad((inverse_haar(bands) * weight).sum(), bands)
    (theirs,) = torch.autograd.grad((transposed_convolutions(bands) * weight).sum(), bands)
    torch.testing.assert_close(ours, theirs)


def test_gradcheck_takes_a_gradient_of_any_layout() -> None:
    bands = torch.randn(1, 2, 3, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: inverse_haar(x).permute(0, 3, 1, 2) ** 2, bands)


def test_haar_is_undone() -> None:
    image = torch.randn(2, 6, 4, 3)
    torch.testing.assert_close(inverse_haar(haar(image)), image)
    torch.testing.assert_close(haar(image).square().sum(), image.square().sum())  # orthonormal
