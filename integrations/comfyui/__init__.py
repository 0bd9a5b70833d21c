"""Where ComfyUI looks for nodes, with this folder in its `custom_nodes`."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from stitchedit_comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
