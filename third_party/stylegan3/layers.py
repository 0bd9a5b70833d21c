"""The layers of StyleGAN3. Names of parameters and buffers are those of NVIDIA's G_ema."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stitchedit.cuda_ops import filtered_lrelu
from stitchedit.stylegan3.mapping import FullyConnected
from stitchedit.stylegan3.schedule import LayerPlan, Signal

CONV_CLAMP = 256.0  # of every layer's activation
_DEMODULATION_EPS = 1e-8


class SynthesisInput(nn.Module):
    """w to the first picture: waves of fixed frequencies, turned and moved as w says, mixed by a matrix.

    Args:
        offset: of the middle of what is drawn from that of the picture, in widths of the picture.
    Attributes:
        transform: [3, 3], what the user asks for beside: a point of the picture drawn -> a point of the untransformed
            one, both in widths of the picture with the origin in its middle, y downward.
    """

    freqs: Tensor
    phases: Tensor
    transform: Tensor

    def __init__(self, w_dim: int, first: Signal, offset: tuple[float, float] = (0.0, 0.0)) -> None:
        super().__init__()
        self.signal, self.offset = first, offset
        self.weight = nn.Parameter(torch.randn(first.channels, first.channels))
        self.affine = FullyConnected(w_dim, 4)
        with torch.no_grad():
            self.affine.weight.zero_()
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        # Not by `eye`, which on the meta device makes torch import for seconds.
        self.register_buffer("transform", torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]))
        freqs, phases = torch.randn(first.channels, 2), torch.rand(first.channels)
        if not freqs.is_meta:  # arithmetic there makes torch import for seconds
            radii = freqs.square().sum(dim=1, keepdim=True).sqrt()
            freqs *= first.cutoff / (radii * radii.square().exp().pow(0.25))  # spread over a disc of that radius
            phases -= 0.5
        self.register_buffer("freqs", freqs)
        self.register_buffer("phases", phases)

    def forward(self, pose: Tensor, transform: Tensor | None = None) -> Tensor:
        """pose [B, 4], what the affine layer gives; transform [3, 3] or [B, 3, 3] in place of the user's own.

        Returns: [B, C, size, size].
        """
        place = self._pose(pose) @ (self.transform if transform is None else transform)  # [B, 3, 3]
        phases = self.phases + (self.freqs @ place[:, :2, 2:]).squeeze(2)  # [B, C]
        freqs = self.freqs @ place[:, :2, :2]  # [B, C, 2]
        signal = self.signal
        # What a transform brings above the cutoff is faded out before it reaches what the sampling can hold.
        room = signal.rate / 2 - signal.cutoff
        amplitudes = (1 - (freqs.norm(dim=2) - signal.cutoff) / room).clamp(0, 1)  # [B, C]
        at = (torch.arange(signal.size, device=freqs.device, dtype=freqs.dtype) + 0.5 - signal.size / 2) / signal.rate
        across, down = at + self.offset[0], at + self.offset[1]
        grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=2).reshape(1, -1, 2)  # x, y
        waves = (grid @ freqs.transpose(1, 2)).add_(phases[:, None]).mul_(2 * math.pi).sin() * amplitudes[:, None]
        x: Tensor = waves @ self.weight.t() / math.sqrt(signal.channels)  # [B, size * size, C]
        return x.reshape(len(x), signal.size, signal.size, -1).permute(0, 3, 1, 2)  # channels last in memory

    @staticmethod
    def _pose(pose: Tensor) -> Tensor:
        """(cosine, sine, x, y), the first two of any length -> [B, 3, 3], a turn after a move."""
        c, s, x, y = (pose / pose[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        zero, one = torch.zeros_like(c), torch.ones_like(c)
        turn = torch.stack([c, -s, zero, s, c, zero, zero, zero, one], dim=1).reshape(-1, 3, 3)
        move = torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], dim=1).reshape(-1, 3, 3)
        return turn @ move


class SynthesisLayer(nn.Module):
    """Modulated convolution, then an activation without aliases; the last layer gives RGB and has neither.

    Args:
        plan: what it takes and gives, and its filters.
        use_fp16: whether the layer may run in half precision.
    Attributes:
        magnitude_ema: running mean of the input's square, by whose root it is divided. Fixed: it changes only where a
            network is trained from scratch.
    """

    magnitude_ema: Tensor
    up_filter: Tensor | None
    down_filter: Tensor | None

    def __init__(self, w_dim: int, plan: LayerPlan, *, use_fp16: bool = False) -> None:
        super().__init__()
        here, there, way = plan.here, plan.there, plan.resample
        self.is_rgb, self.use_fp16, self.out_rate = plan.is_rgb, use_fp16, there.rate
        self.up, self.down, self.padding = way.up, way.down, way.padding
        self.affine = FullyConnected(w_dim, here.channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(there.channels, here.channels, plan.kernel, plan.kernel))
        self.bias = nn.Parameter(torch.zeros(there.channels))
        self.register_buffer("magnitude_ema", torch.ones([]))
        for name, taps in (("up_filter", way.up_filter), ("down_filter", way.down_filter)):
            self.register_buffer(name, None if taps is None else torch.as_tensor(taps))

    def forward(self, x: Tensor, style: Tensor, *, half: bool = False) -> Tensor:
        """x [B, Cin, h, w], style [B, Cin] as the affine layer gives it -> [B, Cout, h', w'].

        half: whether to compute in float16.
        """
        x = x.to(torch.float16 if half else torch.float32)
        gain = self.magnitude_ema.rsqrt()
        if self.is_rgb:
            style = style / math.sqrt(self.weight[0].numel())
        x = modulated_conv2d(x, self.weight, style, demodulate=not self.is_rgb, input_gain=gain)
        return filtered_lrelu(
            x,
            self.up_filter,
            self.down_filter,
            self.bias.to(x.dtype),
            up=self.up,
            down=self.down,
            padding=self.padding,
            gain=1.0 if self.is_rgb else math.sqrt(2),
            slope=1.0 if self.is_rgb else 0.2,
            clamp=CONV_CLAMP,
        )


def modulated_conv2d(x: Tensor, weight: Tensor, style: Tensor, *, demodulate: bool, input_gain: Tensor) -> Tensor:
    """Full convolution with weights scaled by each sample's style, and each output channel back to norm 1.

    Args:
        x: [B, Cin, h, w]; weight: [Cout, Cin, k, k]; style: [B, Cin].
        input_gain: scalar, factor of x.
    Returns: [B, Cout, h + k - 1, w + k - 1].
    """
    batch, cin = style.shape
    cout, _, kernel, _ = weight.shape
    if demodulate:  # the norms are divided out again: this keeps the numbers inside of half precision's range
        weight = weight * weight.square().mean([1, 2, 3], keepdim=True).rsqrt()
        style = style * style.square().mean().rsqrt()
    w = weight * style[:, None, :, None, None]  # [B, Cout, Cin, k, k]
    if demodulate:
        power = weight.square().sum([2, 3])  # [Cout, Cin]
        w = w * (style.square() @ power.t() + _DEMODULATION_EPS).rsqrt()[:, :, None, None, None]
    w = (w * input_gain).to(x.dtype)
    if x.device.type == "cpu":
        # Channels last, as `filtered_lrelu` leaves it, takes half the time with 1x1 kernels, and with larger ones three
        # times as long for the gradient.
        x = x.contiguous() if kernel > 1 else x
        return torch.cat([F.conv2d(x[i : i + 1], w[i], padding=kernel - 1) for i in range(batch)])
    w = w.reshape(batch * cout, cin, kernel, kernel)
    y = F.conv2d(x.reshape(1, batch * cin, *x.shape[2:]), w, padding=kernel - 1, groups=batch)
    return y.reshape(batch, cout, *y.shape[2:])
