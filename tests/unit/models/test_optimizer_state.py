"""An optimiser goes on from its state as if it had never stopped."""

import torch
from torch import Tensor

from stitchedit.models.optimizer_state import adam_state, restore_adam


def moved(named: list[tuple[str, Tensor]], optimizer: torch.optim.Adam, steps: int) -> None:
    for step in range(steps):
        optimizer.zero_grad()
        (named[0][1] * (step + 1)).sin().sum().backward()
        optimizer.step()


def three(device: torch.device) -> tuple[list[tuple[str, Tensor]], torch.optim.Adam]:
    named = [(name, torch.linspace(0, 1, 4, device=device).requires_grad_()) for name in ("a", "0")]
    return named, torch.optim.Adam([p for _, p in named], lr=0.1, fused=device.type == "cuda")


def test_it_goes_on_exactly(device: torch.device) -> None:
    named, optimizer = three(device)
    moved(named, optimizer, 3)
    state = {key: value.cpu().clone() for key, value in adam_state(optimizer, named).items()}
    assert sorted(state) == ["adam_step.a", "exp_avg.a", "exp_avg_sq.a"], "the other was never moved"
    assert state["adam_step.a"].shape == (1,)
    assert state["adam_step.a"].item() == 3
    again, other = three(device)
    with torch.no_grad():
        again[0][1].copy_(named[0][1])
    restore_adam(other, again, state)
    for one, by in ((named, optimizer), (again, other)):
        moved(one, by, 2)
    assert torch.equal(named[0][1], again[0][1])
