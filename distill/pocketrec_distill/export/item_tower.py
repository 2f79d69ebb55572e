"""The item tower in ONNX: written out where it is a bag of pieces, else by PyTorch's exporter."""

import torch
from torch import nn

from pocketrec_distill.export.graph import FLOAT, INT64, Graph, Port
from pocketrec_distill.export.onnx import export_model
from pocketrec_distill.models.bag_tower import SHORTEST, BagTower
from pocketrec_distill.models.item_tower import PADDING_TOKEN


def export_item_tower(tower: nn.Module) -> bytes:
    """The item tower: `token_ids` int64 (batch, tokens), 0 = padding -> `item_vector`."""
    if isinstance(tower, BagTower):
        return _bag_tower(tower)
    batch, tokens = (torch.export.Dim(n) for n in ("batch", "tokens"))
    return export_model(
        tower,
        (torch.ones(2, 7, dtype=torch.int64),),
        ["token_ids"],
        ["item_vector"],
        ({0: batch, 1: tokens},),
    )


def _bag_tower(tower: BagTower) -> bytes:
    """`BagTower.forward`, operator by operator."""
    graph = Graph()
    op, ids = graph.op, "token_ids"
    there = op("Not", op("Equal", ids, graph.whole(PADDING_TOKEN)))
    first, second = (op("Unsqueeze", ids, graph.whole([axis])) for axis in (2, 1))
    same = op("Cast", op("Equal", first, second), to=FLOAT)
    counts = op("ReduceSum", same, graph.whole([2]), keepdims=0)
    rarity = op("Gather", graph.weight("idf", tower.idf.weight[:, 0]), ids)
    strength = op("Mul", rarity, op("Add", op("Log", counts), graph.number(1)))
    strength = op("Mul", strength, op("Cast", there, to=FLOAT))
    share = op("Div", strength, counts)
    squares = op("ReduceSum", op("Mul", strength, share), graph.whole([1]))
    length = op("Max", op("Sqrt", squares), graph.number(SHORTEST))
    pieces = op("Gather", graph.weight("tokens", tower.tokens.weight), ids)
    mixed = op("Mul", pieces, op("Unsqueeze", share, graph.whole([2])))
    direction = op("Div", op("ReduceSum", mixed, graph.whole([1]), keepdims=0), length)
    op("Add", direction, graph.weight("bias", tower.bias), name="item_vector")
    return graph.model(
        "item_tower",
        [Port(ids, ("batch", "tokens"), INT64)],
        [Port("item_vector", ("batch", len(tower.bias)))],
    )
