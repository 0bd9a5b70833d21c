"""ComfyUI nodes that call stitchedit's library."""

from stitchedit_comfyui.nodes import Direction, Draw, Edit, Evaluate, Invert

# The ids are in people's workflows: they stay.
NODE_CLASS_MAPPINGS = {
    "StitcheditInvert": Invert,
    "StitcheditDirection": Direction,
    "StitcheditDraw": Draw,
    "StitcheditEdit": Edit,
    "StitcheditEvaluate": Evaluate,
}
NODE_DISPLAY_NAME_MAPPINGS = {
    "StitcheditInvert": "Invert a clip",
    "StitcheditDirection": "Direction",
    "StitcheditDraw": "Draw frames",
    "StitcheditEdit": "Edit the clip",
    "StitcheditEvaluate": "Evaluate",
}
