"""From PyTorch to the bundle: ONNX and GGUF, quantization, and proof that nothing was lost."""

from pocketrec_distill.export.gguf import export_gguf, write_gguf
from pocketrec_distill.export.item_tower import export_item_tower
from pocketrec_distill.export.parity import Parity, compare_scores
from pocketrec_distill.export.quantize import quantize_model
from pocketrec_distill.export.user_tower import export_user_tower

__all__ = [
    "Parity",
    "compare_scores",
    "export_gguf",
    "export_item_tower",
    "export_user_tower",
    "quantize_model",
    "write_gguf",
]
