"""Pictures, filters and factors for the tests of upfirdn2d."""

import torch
from hypothesis import strategies as st
from torch import Tensor

from stitchedit.cuda_ops._spec import Resampling


def picture(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@st.composite
def passes(draw: st.DrawFn) -> tuple[tuple[int, int], Tensor, Resampling]:
    """A picture's size, a filter and factors that leave at least one sample."""
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    taps = st.floats(-2, 2, width=32)
    if draw(st.booleans()):
        f = torch.tensor(draw(st.lists(taps, min_size=1, max_size=9)))
    else:
        fh, fw = draw(st.integers(1, 6)), draw(st.integers(1, 6))
        f = torch.tensor(draw(st.lists(taps, min_size=fh * fw, max_size=fh * fw))).reshape(fh, fw)
        if draw(st.booleans()):
            f = torch.outer(f[:, 0], f[0])  # an outer product, which may be run as two passes
    factor, pad = st.integers(1, 4), st.integers(-3, 6)
    spec = Resampling(
        (draw(factor), draw(factor)),
        (draw(factor), draw(factor)),
        (draw(pad), draw(pad), draw(pad), draw(pad)),
        draw(st.booleans()),
        draw(st.sampled_from([1.0, 4.0, 0.5])),
    )
    out = spec.output_size(height, width, int(f.shape[0]), int(f.shape[-1]))
    if min(out) < 1:
        spec = spec._replace(pad=(8, 8, 8, 8))
    return (height, width), f, spec
