"""Optimiser steps on a GPU, recorded once and played again.

A step through a small generator is some thousand short kernels: Python takes several times as long to call them as the
card to run them. A CUDA graph calls all of them at once, with the same results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Work = Callable[..., tuple[Tensor, Tensor]]
TRIES = 3  # of the work before it is recorded, in which libraries take what memory they want


class Recorded:
    """Work on tensors of fixed sizes on a GPU, and its gradients.

    Args:
        work: gives (values [K], picture), of tensors; nothing in it may depend on what is in them.
        parameters: what gradients are wanted of, beside the inputs that require one; may change in place only.
    """

    def __init__(self, work: Work, parameters: Sequence[Tensor]) -> None:
        self._work, self._parameters = work, list(parameters)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._inputs: list[Tensor] = []
        self._results: tuple[Tensor, Tensor] | None = None
        self._grads: Sequence[Tensor | None] = ()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """(values, picture), without a graph and valid until the next call; gradients of values[0] are in `.grad`."""
        if self._graph is None:
            self._graph = self._record(inputs)
        with torch.no_grad():
            for kept, given in zip(self._inputs, inputs, strict=True):
                kept.copy_(given)
        self._graph.replay()
        for tensor, grad in zip([*self._parameters, *_differentiable(inputs)], self._grads, strict=True):
            tensor.grad = grad
        assert self._results is not None
        return self._results

    def _record(self, inputs: Sequence[Tensor]) -> torch.cuda.CUDAGraph:
        self._inputs = [given.detach().clone().requires_grad_(given.requires_grad) for given in inputs]
        wanted = [*self._parameters, *_differentiable(self._inputs)]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(TRIES):
                torch.autograd.grad(self._work(*self._inputs)[0][0], wanted, allow_unused=True)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            values, picture = self._work(*self._inputs)
            self._grads = torch.autograd.grad(values[0], wanted, allow_unused=True)
            self._results = values.detach(), picture.detach()
        return graph


def _differentiable(tensors: Sequence[Tensor]) -> list[Tensor]:
    return [tensor for tensor in tensors if tensor.requires_grad]
