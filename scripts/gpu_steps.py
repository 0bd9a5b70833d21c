"""One step of tuning and of stitching, with the network in several forms, for `gpu_check.py`."""

from __future__ import annotations

import contextlib
import copy
import functools
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

from gpu_page import Row

PRECISIONS = ("float32", "tf32", "half")
STEPS = 10  # of tuning, a measurement; the first ones are not counted
UNCOUNTED = 3
COUNTED = 1  # frames of so many steps, of stitching, after one that is not counted


def measure_steps(network: str, device: str, small: bool, keep: Callable[[Row], None]) -> None:
    """Both steps of the default generator ("default") or StyleGAN2 config-f, at each size, precision and form."""
    import torch

    from stitchedit.models.generator import Generator, load_default_generator
    from stitchedit.stylegan2 import StyleGAN2

    def config_f(size: int) -> Generator:
        torch.manual_seed(0)
        return StyleGAN2(img_resolution=size, num_fp16_res=4).eval().to(device)

    default = network == "default"
    sizes = ((256,) if default else (64,)) if small else (256, 1024)
    for size in sizes:
        make = functools.partial(load_default_generator, device) if default else functools.partial(config_f, size)
        expected = None
        for precision in PRECISIONS if device == "cuda" else ("float32", "half"):
            for form in ("reference", "ours"):
                generator = make()
                FORMS[network, form, precision == "half"](generator)
                name = "tf32" if device == "cuda" and precision != "float32" else "float32"  # of what is not in half
                if (network, form, precision) == ("default", "ours", "half"):
                    name = "bfloat16"
                step = Steps(generator, size, device, small, name)
                image = step.picture()
                expected = image if expected is None else expected
                error = (image - expected).square().mean() / expected.abs().max().square()
                told = {"size": size, "precision": precision, "form": form, "mean_square": float(error)}
                for job in ("tuning", "stitching"):
                    keep(told | {"job": job} | getattr(step, job)())


class Steps:
    """Measures with the product's own `tune` and `stitch_frame`, on random pictures and codes."""

    def __init__(self, generator: Any, size: int, device: str, small: bool, precision: str) -> None:
        import numpy as np
        import torch

        from stitchedit.models.loading import perceptual
        from stitchedit.types import Crops, Latents

        self.generator, self.size, self.device = generator, size, torch.device(device)
        self.precision = precision  # of `models.precision`
        self.count, self.uncounted = (1, 1) if small else (STEPS, UNCOUNTED)
        random = np.random.default_rng(0)
        z = torch.from_numpy(random.standard_normal((2, generator.z_dim)).astype(np.float32)).to(device)
        with torch.no_grad():
            ws = generator.mapping(z, truncation_psi=0.7)
        self.latents = Latents(ws.cpu().numpy())
        coarse = random.integers(0, 255, (2, 8, 8, 3)).astype(np.uint8)
        images = [np.repeat(np.repeat(image, size // 8, 0), size // 8, 1) for image in coarse]
        self.crops = Crops(np.arange(2), np.zeros((2, 4, 2), np.float32), images, size)
        self.perceptual = perceptual(self.device)

    def picture(self) -> Any:
        import torch

        from stitchedit.models.precision import at_precision

        with torch.no_grad(), at_precision(self.generator, self.precision):
            ws = torch.from_numpy(self.latents.ws[:1]).to(self.device)
            return self.generator.synthesis(ws, resolution=self.size).float()

    def tuning(self) -> Row:
        from stitchedit.config import TuneConfig
        from stitchedit.inversion.crop_batches import Batches
        from stitchedit.inversion.pivotal_tuning import tune

        ticks: list[float] = []
        config = TuneConfig(steps=self.count + self.uncounted, coarse_part=0, plateau=0, ramp_down=0)
        with self.peak() as peak:
            # A step ends with reading its loss, so the clock is read when the card is done.
            report = tune(
                copy.deepcopy(self.generator).requires_grad_(True),
                self.latents,
                Batches(self.crops, None, self.device),
                self.perceptual,
                config,
                size=self.size,
                precision=self.precision,
                progress=lambda stage, done, total, note="": ticks.append(time.perf_counter()),
            )
        took = [b - a for a, b in itertools.pairwise(ticks)][self.uncounted - 1 :]
        return {"ms": statistics.median(took) * 1e3, "loss": float(report.curve[-1, 0]), **peak}

    def stitching(self) -> Row:
        import torch

        from stitchedit.config import StitchConfig
        from stitchedit.editing.stitching_tuning import Chain, stitch_frame
        from stitchedit.inversion.crop_batches import Batches
        from stitchedit.models.precision import at_precision

        batches = Batches(self.crops, None, self.device)
        source, content = batches.images([0], self.size), batches.images([1], self.size)
        inside = torch.zeros(1, 1, self.size, self.size, device=self.device)
        inside[..., self.size // 4 : -self.size // 4, self.size // 4 : -self.size // 4] = 1
        w = torch.from_numpy(self.latents.ws[:1]).to(self.device)
        took = []
        with self.peak() as peak, at_precision(self.generator, self.precision):  # which the chain's copy has too
            chain = Chain(copy.deepcopy(self.generator).requires_grad_(True), StitchConfig(border_threshold=0))
            for _ in range(1 + COUNTED):
                began = time.perf_counter()
                _, curve = stitch_frame(chain, w, source, content, 1 - inside, inside, size=self.size, steps=self.count)
                took.append((time.perf_counter() - began) / (self.count + 0.5))  # the last pass has no gradient
        return {"ms": statistics.median(took[1:]) * 1e3, "loss": curve[-1][0], **peak}

    @contextlib.contextmanager
    def peak(self) -> Iterator[Row]:
        """Peak of the card's memory, less what was there before."""
        import torch

        found: Row = {}
        if self.device.type != "cuda":
            yield found
            return
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        yield found
        found["peak_mb"] = (torch.cuda.max_memory_allocated() - before) / 1e6


def as_it_is(generator: Any) -> None:
    """The network as the product tunes it."""


def whole_numbers(generator: Any) -> None:
    """StyleGAN2 as the product tunes it: in float32 also where no gradient is asked for."""
    become(generator.synthesis, forward=functools.partialmethod(type(generator.synthesis).forward, force_fp32=True))


def exported(generator: Any) -> None:
    """The default generator as its file has it, operation by operation, see `bench_generator.py`."""
    import bench_generator

    def synthesis(self: Any, ws: Any, *, noise_mode: str = "const", resolution: int | None = None) -> Any:
        draw = bench_generator.exported(self)
        return draw(ws.expand(-1, self.num_ws, -1), resolution or self.resolution)

    become(generator, synthesis=synthesis)


def published(generator: Any) -> None:
    """StyleGAN2 in plain torch as NVIDIA's code trains it, see `bench_stylegan2.py`."""
    import bench_stylegan2

    def forward(self: Any, ws: Any, *, noise_mode: str = "const", resolution: int | None = None) -> Any:
        return bench_stylegan2.reference(SimpleNamespace(synthesis=self), ws.expand(-1, self.num_ws, -1))

    become(generator.synthesis, forward=forward)


def in_half(recast: Callable[[Any], None], name: str) -> Callable[[Any], None]:
    """A form under torch.autocast."""

    def also(generator: Any) -> None:
        import torch

        recast(generator)
        network, method = (generator, "synthesis") if name == "default" else (generator.synthesis, "forward")
        plain = getattr(type(network), method)
        dtype = torch.bfloat16 if name == "default" else torch.float16

        def run(self: Any, ws: Any, **options: Any) -> Any:
            with torch.autocast(ws.device.type, dtype if ws.is_cuda else torch.bfloat16):
                return plain(self, ws, **options).float()

        become(network, **{method: run})

    return also


def own_half(generator: Any) -> None:
    """StyleGAN2's own scheme: its four highest resolutions in float16."""
    plain = type(generator.synthesis).forward

    def forward(self: Any, ws: Any, **options: Any) -> Any:
        return plain(self, ws, **options, force_fp32=False)

    become(generator.synthesis, forward=forward)


def become(network: Any, **methods: Any) -> None:
    """Give this one network other methods, which its copies have too."""
    network.__class__ = type(type(network).__name__, (type(network),), methods)


# (network, form, in half precision) -> what brings a generator into this form
FORMS: dict[tuple[str, str, bool], Callable[[Any], None]] = {
    ("default", "reference", False): exported,
    ("default", "ours", False): as_it_is,
    ("default", "reference", True): in_half(exported, "default"),
    ("default", "ours", True): as_it_is,  # its `precision` is set
    ("stylegan2", "reference", False): published,
    ("stylegan2", "ours", False): whole_numbers,
    ("stylegan2", "reference", True): in_half(published, "stylegan2"),
    ("stylegan2", "ours", True): own_half,
}
