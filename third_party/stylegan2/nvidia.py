"""NVIDIA's pickles: modules of `torch_utils.persistence` -> named tensors and the options that shapes do not tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stitchedit.errors import Refused
from stitchedit.stylegan2.standins import Items, Module, StoredTensor
from stitchedit.stylegan2.unpickle import printable
from stitchedit.stylegan3.layout import OPTIONS

MAX_DEPTH = 12  # modules inside modules; a generator has 5 levels
MAX_MODULES = 5_000


def state_dict(module: Module) -> dict[str, StoredTensor]:
    """The tensors of a module by torch's names, in torch's order. Raises Refused for what no module looks like."""
    tensors: dict[str, StoredTensor] = {}
    for prefix, part in modules(module):
        transient = part.state.get("_non_persistent_buffers_set")
        left_out = transient.items if isinstance(transient, Items) else transient
        skip = set(left_out) if isinstance(left_out, set | list | tuple) and len(left_out) < 1000 else set()
        for kind in ("_parameters", "_buffers"):
            for name, value in _entries(part, kind):
                if value is None or (kind == "_buffers" and name in skip):
                    continue
                if not isinstance(value, StoredTensor):
                    raise Refused(f"{printable(prefix + name)} is no tensor")
                tensors[prefix + name] = value
    return tensors


def modules(root: Module) -> Iterator[tuple[str, Module]]:
    """Every module below and with `root`, and its prefix, such as "synthesis.b4."; parents come first."""
    waiting: list[tuple[str, Module, int]] = [("", root, 0)]
    seen = 0
    while waiting:
        prefix, module, depth = waiting.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_MODULES:
            raise Refused("modules are nested too deeply")
        yield prefix, module
        children = []
        for name, child in _entries(module, "_modules"):
            if isinstance(child, Module):
                children.append((f"{prefix}{name}.", child, depth + 1))
            elif child is not None:
                raise Refused(f"{printable(prefix + name)} is no module")
        waiting.extend(reversed(children))


def generator_options(root: Module) -> dict[str, object]:
    """`conv_clamp` and `num_fp16_res` of a StyleGAN2 generator, from its modules' attributes.

    Raises: Refused, for variants that draw differently although their tensors look the same.
    """
    clamps: set[object] = set()
    half_blocks = 0
    for prefix, module in modules(root):
        state = module.state
        if module.class_name in ("SynthesisLayer", "ToRGBLayer"):
            clamps.add(_number(state.get("conv_clamp"), f"{prefix}conv_clamp"))
        elif module.class_name == "SynthesisBlock" and state.get("use_fp16"):
            half_blocks += 1
        if module.class_name == "SynthesisLayer":
            _expect(prefix, state, use_noise=True, activation="lrelu")
        if module.class_name == "FullyConnectedLayer" and prefix.startswith("mapping.fc"):
            _expect(prefix, state, activation="lrelu", bias_gain=0.01)
    if len(clamps) > 1:
        raise Refused("its layers clamp to different values")
    return {"conv_clamp": clamps.pop() if clamps else None, "num_fp16_res": half_blocks}


def stylegan3_options(root: Module) -> dict[str, object]:
    """What a StyleGAN3 generator's modules tell of `stylegan3.layout.OPTIONS`.

    Raises: Refused, for variants that draw differently although their tensors look the same.
    """
    found: dict[str, object] = {}
    for prefix, module in modules(root):
        state = module.state
        if module.class_name == "SynthesisNetwork":
            arguments = state.get("_init_kwargs")
            told = {**(arguments if isinstance(arguments, dict) else {}), **state}
            for name in OPTIONS:
                if told.get(name) is not None:
                    found[name] = _option(told[name], prefix + name)
        elif module.class_name == "SynthesisLayer":
            _expect(prefix, state, conv_clamp=256)
        elif module.class_name == "FullyConnectedLayer" and prefix.startswith("mapping.fc"):
            _expect(prefix, state, activation="lrelu", bias_gain=0.01)
    return found


def _option(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e4:
        raise Refused(f"{printable(name)} is {printable(value, 20)}")
    return value


def _expect(prefix: str, state: Mapping[object, object], **wanted: object) -> None:
    for name, value in wanted.items():
        found = state.get(name, value)
        if not isinstance(found, str | int | float) or found != value:
            raise Refused(f"{printable(prefix)}{name} is {printable(found, 20)}, only {value} is known")


def _number(value: object, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise Refused(f"{printable(name)} is {printable(value, 20)}")
    return float(value)


def _entries(module: Module, kind: str) -> Iterator[tuple[str, object]]:
    entries = module.state.get(kind, {})
    if not isinstance(entries, dict):
        raise Refused(f"{kind} of a module is no dictionary")
    for name, value in entries.items():
        if not isinstance(name, str) or "." in name:
            raise Refused(f"a module has a part named {printable(name)}")
        yield name, value
