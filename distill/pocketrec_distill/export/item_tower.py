"""The item tower in ONNX: written out where it is a bag of pieces, else by PyTorch's exporter."""

import torch
from torch import nn

from pocketrec_distill.export.graph import FLOAT, INT64, Graph, Port
from pocketrec_distill.export.onnx import export_model
from pocketrec_distill.models.bag_tower import SHORTEST, BagTower
from pocketrec_distill.models.item_tower import PADDING_TOKEN

TOKEN_IDS, ITEM_VECTOR = "token_ids", "item_vector"


class TokenGraph(Graph):
    """A graph from `token_ids`, int64 (batch, tokens), to `item_vector`, float32 (batch, width)."""

    def there(self) -> str:
        """1 where a token stands, 0 where padding does, float32 (batch, tokens)."""
        there = self.op("Not", self.op("Equal", TOKEN_IDS, self.whole(PADDING_TOKEN)))
        return self.op("Cast", there, to=FLOAT)

    def tower(self, width: int) -> bytes:
        """The finished item tower."""
        return self.model(
            "item_tower",
            [Port(TOKEN_IDS, ("batch", "tokens"), INT64)],
            [Port(ITEM_VECTOR, ("batch", width))],
        )


def export_item_tower(tower: nn.Module) -> bytes:
    """The item tower: `token_ids` int64 (batch, tokens), 0 = padding -> `item_vector`."""
    if isinstance(tower, BagTower):
        return _bag_tower(tower)
    batch, tokens = (torch.export.Dim(n) for n in ("batch", "tokens"))
    example = torch.ones(2, 7, dtype=torch.int64)
    sizes = ({0: batch, 1: tokens},)
    return export_model(tower, (example,), [TOKEN_IDS], [ITEM_VECTOR], sizes)


def _bag_tower(tower: BagTower) -> bytes:
    """`BagTower.forward`, operator by operator."""
    graph = TokenGraph()
    op = graph.op
    first, second = (op("Unsqueeze", TOKEN_IDS, graph.whole([axis])) for axis in (2, 1))
    same = op("Cast", op("Equal", first, second), to=FLOAT)
    counts = op("ReduceSum", same, graph.whole([2]), keepdims=0)
    rarity = op("Gather", graph.weight("idf", tower.idf.weight[:, 0]), TOKEN_IDS)
    strength = op("Mul", rarity, op("Add", op("Log", counts), graph.number(1)))
    strength = op("Mul", strength, graph.there())
    share = op("Div", strength, counts)
    squares = op("ReduceSum", op("Mul", strength, share), graph.whole([1]))
    length = op("Max", op("Sqrt", squares), graph.number(SHORTEST))
    pieces = op("Gather", graph.weight("tokens", tower.tokens.weight), TOKEN_IDS)
    mixed = op("Mul", pieces, op("Unsqueeze", share, graph.whole([2])))
    direction = op("Div", op("ReduceSum", mixed, graph.whole([1]), keepdims=0), length)
    op("Add", direction, graph.weight("bias", tower.bias), name=ITEM_VECTOR)
    return graph.tower(len(tower.bias))
