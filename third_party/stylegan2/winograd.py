"""3x3 convolution on the CPU by Winograd's minimal filtering F(4x4, 3x3): a quarter of the multiplications.

Outputs are made in tiles of 4x4 from the 6x6 samples d under them and the 3x3 weights w:

    y = A' [ (G w G') * (B' d B) ] A        (' transposes, * multiplies elementwise)

The products are summed over channels, so they are 36 products of matrices, [Cout, Cin] x [Cin, tiles]. Gradients are
the transposes of the same steps. A and B hold small integers: their products are written out below, a few additions a
row, done on whole planes. For that a picture is split into 16 phases, plane [p, q] holding the samples (4i + p,
4j + q): all samples of all tiles are then contiguous views. Work goes in strips of tiles that fit the cache.

Rounding: about 1e-5 of the largest value, a direct convolution has 3e-6. Against torch's direct convolution with 64 to
512 channels: on AVX2 (Zen 3) forward 1.0 to 2.6 times as fast, backward 1.3 to 3 times; on AVX-512, where the direct
form is twice as fast, forward 0.6 to 1.0 times, backward 1.2 to 1.5 times with 256 or 512 channels and 0.7 to 1.0 times
with fewer. `pays` goes by that.
Source: Lavin and Gray 2015, arXiv:1509.09308.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_G = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
)
_G2 = torch.kron(_G, _G)  # [36, 9]: G w G' for w as 9 numbers

_STRIP_TILES = 512


def pays(x: Tensor, w: Tensor, *, backward: bool = False) -> bool:
    """Whether this form is faster than torch's for x [1, Cin, h, w] and w [Cout, Cin, 3, 3], and possible."""
    if x.dtype != torch.float32 or x.device.type != "cpu" or x.shape[2] % 4 or x.shape[3] % 4:
        return False
    least = _least(backward)
    return least is not None and min(w.shape[:2]) >= least[0] and min(x.shape[2:]) >= least[1]


def _least(backward: bool) -> tuple[int, int] | None:
    """Channels and side from which it pays: with fewer, the additions cost more than the multiplications saved."""
    if torch.backends.cpu.get_cpu_capability() != "AVX512":
        return 64, 32
    return (256, 64) if backward else None


def convolve(x: Tensor, w: Tensor) -> Tensor:
    """conv2d(x, w, padding=1) for x [1, Cin, H, W] with H and W multiples of 4, w [Cout, Cin, 3, 3]."""
    (_, _, height, width), cout = x.shape, w.shape[0]
    u = _weights(w)
    y = x.new_empty(1, cout, height, width)
    source, target = _phases(F.pad(x, (1, 3, 1, 3))), _phases(y)
    for rows in _strips(height, width):
        v = _samples(source[:, :, :, rows.start : rows.stop + 1])
        m = torch.bmm(u, v.flatten(3).flatten(0, 1))  # [36, Cout, tiles]
        m = m.reshape(6, 6, cout, *v.shape[3:])
        target[:, :, :, rows] = _outputs(_outputs(m.unbind(0)).unbind(1)).transpose(0, 1)
    return y


def gradients(g: Tensor, x: Tensor, w: Tensor, need_x: bool, need_w: bool) -> tuple[Tensor | None, Tensor | None]:
    """Gradients of `convolve` in x and w, for the gradient g [1, Cout, H, W] of its result."""
    (_, cin, height, width), cout = x.shape, w.shape[0]
    u = _weights(w) if need_x else None
    source = _phases(F.pad(x, (1, 3, 1, 3))) if need_w else None
    given = _phases(g)
    padded = x.new_zeros(1, cin, height + 4, width + 4) if need_x else None
    g_u = x.new_zeros(36, cout, cin) if need_w else None
    for rows in _strips(height, width):
        planes = given[:, :, :, rows].contiguous()
        m = _outputs_back(_outputs_back(planes.unbind(1)).unbind(1))  # [6, 6, Cout, i, j], rows first
        flat = m.flatten(3).flatten(0, 1)
        if source is not None and g_u is not None:
            v = _samples(source[:, :, :, rows.start : rows.stop + 1])
            g_u.baddbmm_(flat, v.flatten(3).flatten(0, 1).transpose(1, 2))
        if padded is not None and u is not None:
            g_v = torch.bmm(u.transpose(1, 2), flat).reshape(6, 6, cin, *m.shape[3:])
            _samples_back(g_v, _phases(padded)[:, :, :, rows.start : rows.stop + 1])
    g_x = None if padded is None else padded[:, :, 1:-3, 1:-3]
    g_w = None if g_u is None else (_G2.to(w).t() @ g_u.flatten(1)).t().reshape(w.shape)
    return g_x, g_w


def _weights(w: Tensor) -> Tensor:
    """G w G' -> [36, Cout, Cin]."""
    return (_G2.to(w) @ w.reshape(-1, 9).t()).reshape(36, *w.shape[:2])


def _strips(height: int, width: int) -> list[slice]:
    """The rows of tiles that are worked on at a time."""
    tiles = height // 4
    step = max(1, min(tiles, _STRIP_TILES // (width // 4)))
    return [slice(i, min(i + step, tiles)) for i in range(0, tiles, step)]


def _phases(x: Tensor) -> Tensor:
    """[1, C, 4 i, 4 j] -> a view [4, 4, C, i, j]."""
    _, channels, height, width = x.shape
    return x.reshape(channels, height // 4, 4, width // 4, 4).permute(2, 4, 0, 1, 3)


def _samples(planes: Tensor) -> Tensor:
    """Phases [4, 4, C, i + 1, j + 1] -> B' d B of all tiles, [6, 6, C, i, j]."""
    planes = planes.contiguous()
    here, below = planes[:, :, :, :-1], planes[:2, :, :, 1:]
    v = _apply_b([*here, *below], dim=0)  # [6, 4, C, i, j + 1]
    here, right = v[..., :-1], v[:, :2, ..., 1:]
    return _apply_b([*here.unbind(1), *right.unbind(1)], dim=1)


def _samples_back(g_v: Tensor, target: Tensor) -> None:
    """Adds the gradients of a strip's samples, from those of `_samples`' result, to their phases."""
    g = _apply_b_back(g_v.unbind(1), dim=1)
    wide = g.new_zeros(6, 4, *g.shape[2:4], g.shape[4] + 1)
    wide[..., :-1] = g[:, :4]
    wide[:, :2, ..., 1:] += g[:, 4:]
    g = _apply_b_back(wide.unbind(0), dim=0)
    target[:, :, :, :-1] += g[:4]
    target[:2, :, :, 1:] += g[4:]


def _apply_b(d: Sequence[Tensor], dim: int) -> Tensor:
    """B' d for six samples d, stacked along dim."""
    out = _stack_like(d[0], 6, dim)
    v = out.unbind(dim)
    far, near = torch.sub(d[4], d[2], alpha=4), torch.sub(d[3], d[1], alpha=4)
    torch.add(far, near, out=v[1])
    torch.sub(far, near, out=v[2])
    torch.sub(d[4], d[2], out=far)
    torch.sub(d[3], d[1], out=near)
    torch.add(far, near, alpha=2, out=v[3])
    torch.sub(far, near, alpha=2, out=v[4])
    torch.sub(d[0], d[2], out=v[0])
    v[0].mul_(4).add_(far)
    torch.sub(d[5], d[3], out=v[5])
    v[5].sub_(near, alpha=4)
    return out


def _apply_b_back(v: Sequence[Tensor], dim: int) -> Tensor:
    """B v for six numbers v, stacked along dim."""
    out = _stack_like(v[0], 6, dim)
    d = out.unbind(dim)
    torch.mul(v[0], 4, out=d[0])
    d[5].copy_(v[5])
    a, b = v[1] + v[2], v[3] + v[4]
    torch.add(v[0], a, out=d[4])
    d[4].add_(b)
    torch.mul(a, -4, out=d[2])
    d[2].sub_(b).sub_(v[0], alpha=5)
    torch.sub(v[2], v[1], out=a)
    torch.sub(v[4], v[3], out=b)
    torch.add(a, v[5], out=d[1])
    d[1].mul_(4).add_(b, alpha=2)
    torch.add(a, b, alpha=2, out=d[3])
    d[3].add_(v[5], alpha=5).neg_()
    return out


def _outputs(m: Sequence[Tensor]) -> Tensor:
    """A' m for six numbers m -> [4, ...]."""
    y = m[0].new_empty(4, *m[0].shape)
    a, b = m[1] + m[2], m[3] + m[4]
    torch.add(m[0], a, out=y[0])
    y[0].add_(b)
    torch.add(a, b, alpha=4, out=y[2])
    torch.sub(m[1], m[2], out=a)
    torch.sub(m[3], m[4], out=b)
    torch.add(a, b, alpha=2, out=y[1])
    torch.add(m[5], a, out=y[3])
    y[3].add_(b, alpha=8)
    return y


def _outputs_back(y: Sequence[Tensor]) -> Tensor:
    """A y for four numbers y -> [6, ...]."""
    m = y[0].new_empty(6, *y[0].shape)
    m[0].copy_(y[0])
    m[5].copy_(y[3])
    a, b = y[0] + y[2], y[1] + y[3]
    torch.add(a, b, out=m[1])
    torch.sub(a, b, out=m[2])
    torch.add(y[0], y[2], alpha=4, out=a)
    torch.add(y[1], y[3], alpha=4, out=b)
    torch.add(a, b, alpha=2, out=m[3])
    torch.sub(a, b, alpha=2, out=m[4])
    return m


def _stack_like(x: Tensor, count: int, dim: int) -> Tensor:
    shape = list(x.shape)
    shape.insert(dim, count)
    return x.new_empty(shape)
