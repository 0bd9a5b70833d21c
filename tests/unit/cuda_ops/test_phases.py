"""The processor's form of filtered_lrelu, by phases, against the definition: any sizes, factors, taps and padding."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from ops_cases import picture
from torch import Tensor

from stitchedit.cuda_ops import _filtered_lrelu, _phases
from stitchedit.cuda_ops._spec import FilteredLreluSpec

Case = tuple[Tensor, Tensor, Tensor, Tensor, FilteredLreluSpec]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    up = draw(st.sampled_from([2, 3, 4]))
    down = draw(st.sampled_from([d for d in (1, 2, 3, 4) if up % d == 0]))
    fu = 0.2 + picture(draw(st.integers(1, 13)), seed=1)
    taps = draw(st.integers(1, 13))
    fd = picture(taps, seed=2) if draw(st.booleans()) else picture(taps, draw(st.integers(1, 7)), seed=2)
    pads = st.integers(-4, 14)
    pad = (draw(pads), draw(pads), draw(pads), draw(pads))
    clamp = draw(st.sampled_from([None, 0.7]))
    spec = FilteredLreluSpec(
        (up, up), (down, down), pad, draw(st.sampled_from([0.0, 0.2])), 1.4, clamp, draw(st.booleans())
    )
    x, b = picture(2, 3, draw(st.integers(1, 12)), draw(st.integers(1, 12))), picture(3, seed=3)
    large = spec.enlarge.output_size(x.shape[2], x.shape[3], len(fu), len(fu))
    assume(min(large) > 0)
    assume(min(spec.shrink.output_size(*large, fd.shape[0], fd.shape[-1])) > 0)
    return x, b, fu.float(), fd.float(), spec


@settings(deadline=None, max_examples=80)
@given(cases(), st.sampled_from([1, 1 << 20]))
def test_equals_the_definition_and_its_gradients(case: Case, band: int) -> None:
    """In one piece and eight rows at a time."""
    x, b, fu, fd, spec = case
    assert _phases.fits(x, fu, fd, spec)
    x.requires_grad_()
    expected = _filtered_lrelu.by_definition(x, b, fu, fd, spec)
    dy, ddx = picture(*expected.shape, seed=4).requires_grad_(), picture(*x.shape, seed=5)
    (dx,) = torch.autograd.grad(expected, x, dy, create_graph=True)
    (ddy,) = torch.autograd.grad(dx, dy, ddx)
    before = _phases.BAND_ELEMENTS
    _phases.BAND_ELEMENTS = band
    try:
        with torch.no_grad():
            found = [_phases.run(x, b, fu, fd, spec, s, back) for s, back in ((None, False), (dy, True), (ddx, False))]
    finally:
        _phases.BAND_ELEMENTS = before
    for got, want in zip(found, (expected, dx, ddy), strict=True):
        torch.testing.assert_close(got, want.detach(), rtol=1e-5, atol=1e-5)
        assert got.is_contiguous(memory_format=torch.channels_last)


def test_a_picture_that_is_cropped_to_its_last_sample() -> None:
    """Zeros come in on one side while the other side is cut: both belong to the picture that is looked at."""
    x, f = picture(1, 1, 3, 1), torch.tensor([0.9])
    spec = FilteredLreluSpec((2, 2), (1, 1), (-3, 2, 0, 0), 0.2, 1.4, None, False)
    expected = _filtered_lrelu.by_definition(x, None, f, f, spec)
    torch.testing.assert_close(_phases.run(x, None, f, f, spec, None, False), expected)


@pytest.mark.parametrize(
    "changes",
    [{"up": (1, 1), "down": (1, 1)}, {"up": (2, 4)}, {"down": (3, 3)}],
    ids=str,
)
def test_what_it_cannot_do(changes: dict[str, tuple[int, int]]) -> None:
    f = torch.ones(4)
    spec = FilteredLreluSpec((2, 2), (2, 2), (3, 3, 3, 3), 0.2, 1.0, None, False)
    assert _phases.fits(torch.zeros(1, 1, 4, 4), f, f, spec)
    assert not _phases.fits(torch.zeros(1, 1, 4, 4), f, f, spec._replace(**changes))
    assert not _phases.fits(torch.zeros(1, 1, 4, 4), torch.outer(f, f), f, spec)
