"""Which tensors an e4e or pSp encoder has: an IR-SE50 body, a feature pyramid, one head a row of W+."""

from __future__ import annotations

from collections.abc import Mapping

from stitchedit.errors import Refused
from stitchedit.stylegan2.unpickle import printable

WIDTH = 64  # channels of the first layer in every published encoder; all others follow from it
_UNITS = (3, 4, 14, 3)  # residual units of IR-SE50 that work at 1, 2, 4 and 8 times the first width
_COARSE, _MIDDLE = 3, 7  # heads below these read 16 px, 32 px; the rest 64 px
_MAX_STYLES = 26


def read_encoder_config(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """{"num_styles": heads} of the encoder whose tensors have these names and shapes.

    Raises: Refused, naming the first tensor that is missing, surplus, or of another shape.
    """
    heads = sum(1 for name in shapes if name.startswith("styles.") and name.endswith(".linear.weight"))
    stem = shapes.get("input_layer.0.weight", ())
    if not stem or not 1 <= heads <= _MAX_STYLES:
        raise Refused("it holds no IR-SE50 encoder with heads")
    expected = encoder_shapes(heads, stem[0], restyle=len(stem) > 1 and stem[1] == 6)
    for name, shape in expected.items():
        if name not in shapes:
            raise Refused(f"its encoder lacks {name}")
        if tuple(shapes[name]) != shape:
            raise Refused(f"{name} has shape {list(shapes[name])}, not {list(shape)}")
    surplus = next((name for name in shapes if name not in expected), None)
    if surplus is not None:
        raise Refused(f"it has a tensor that the encoder has not: {printable(surplus)}")
    return {"num_styles": heads}


def encoder_shapes(num_styles: int, width: int = WIDTH, *, restyle: bool = False) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor, in the order of execution. `width` other than 64 is for tests.

    restyle: of ReStyle, which sees two pictures, and whose heads all read 16 px.
    """
    shapes: dict[str, tuple[int, ...]] = {"input_layer.0.weight": (width, 6 if restyle else 3, 3, 3)}
    shapes |= {**_norm("input_layer.1", width), "input_layer.2.weight": (width,)}
    before, index = width, 0
    for step, count in enumerate(_UNITS):
        depth = width << step
        for _ in range(count):
            shapes |= _unit(f"body.{index}", before, depth)
            before, index = depth, index + 1
    for head in range(num_styles):
        convs = 4 if restyle or head < _COARSE else 5 if head < _MIDDLE else 6
        for k in range(convs):
            shapes |= {f"styles.{head}.convs.{2 * k}.weight": (before, before, 3, 3)}
            shapes |= {f"styles.{head}.convs.{2 * k}.bias": (before,)}
        shapes |= {f"styles.{head}.linear.weight": (before, before), f"styles.{head}.linear.bias": (before,)}
    for layer, depth in () if restyle else ((1, 4 * width), (2, 2 * width)):
        shapes |= {f"latlayer{layer}.weight": (before, depth, 1, 1), f"latlayer{layer}.bias": (before,)}
    return shapes


def _unit(name: str, before: int, depth: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    if before != depth:
        shapes |= {f"{name}.shortcut_layer.0.weight": (depth, before, 1, 1)}
        shapes |= _norm(f"{name}.shortcut_layer.1", depth)
    squeezed = max(1, depth // 16)
    return {
        **shapes,
        **_norm(f"{name}.res_layer.0", before),
        f"{name}.res_layer.1.weight": (depth, before, 3, 3),
        f"{name}.res_layer.2.weight": (depth,),
        f"{name}.res_layer.3.weight": (depth, depth, 3, 3),
        **_norm(f"{name}.res_layer.4", depth),
        f"{name}.res_layer.5.fc1.weight": (squeezed, depth, 1, 1),
        f"{name}.res_layer.5.fc2.weight": (depth, squeezed, 1, 1),
    }


def _norm(name: str, depth: int) -> dict[str, tuple[int, ...]]:
    each = dict.fromkeys((f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")), (depth,))
    return {**each, f"{name}.num_batches_tracked": ()}
