"""What tests share: the devices, a generator small enough to tune in seconds, and crops for it."""

import logging
from collections.abc import Generator, Iterator

import numpy as np
import pytest
import torch
from hypothesis import settings

from stitchedit.stylegan2 import StyleGAN2
from stitchedit.types import Crops

# Examples are timed by the wall clock, and a machine that tests and does other work besides is slow at times.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logged goes from its process to the one that tells, as UTF-8: a file's name need not be that."""
    report = yield
    report.sections = [(title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def no_log_of_another_test() -> Iterator[None]:
    """A command that ran in this process leaves its log attached, which would go on in the next test's project."""
    logger = logging.getLogger("stitchedit")
    before, level = list(logger.handlers), logger.level
    yield
    for handler in logger.handlers:
        if handler not in before:
            handler.close()
    logger.handlers[:] = before
    logger.setLevel(level)


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """The processor, and the GPU where there is one, in whole float32: TF32 keeps three digits."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield torch.device(request.param)
    torch.backends.cudnn.allow_tf32 = before


@pytest.fixture
def tiny_generator() -> StyleGAN2:
    """128 px, 16 numbers in W, exits at 64 and 128 px; fixed random weights."""
    torch.manual_seed(0)
    generator = StyleGAN2(
        made_for="tiny-128",
        z_dim=16,
        w_dim=16,
        img_resolution=128,
        mapping_layers=2,
        channels={4: 16, 8: 16, 16: 16, 32: 8, 64: 8, 128: 8},
    )
    with torch.no_grad():
        generator.w_avg = generator.mapping(torch.randn(1000, 16))[:, 0].mean(0)
    return generator.eval()


@pytest.fixture
def tiny_crops() -> Crops:
    """Five smooth pictures of one family, out of reach of W alone."""
    torch.manual_seed(1)
    coarse = torch.rand(1, 3, 4, 4) + 0.2 * torch.rand(5, 3, 4, 4)
    smooth = torch.nn.functional.interpolate(coarse, size=128, mode="bicubic")
    stack = (smooth.permute(0, 2, 3, 1).numpy() * 200).clip(0, 255).astype(np.uint8)
    return crops_of(list(stack))


def crops_of(images: list[np.ndarray]) -> Crops:
    """Pictures as the crops of a clip that has nothing else in it."""
    size = images[0].shape[0]
    quad = np.array([[0, 0], [0, size], [size, size], [size, 0]], np.float32)
    return Crops(np.arange(len(images)), np.repeat(quad[None], len(images), 0), images, size)
