"""The click towers in the bundle's contract, written out in ONNX."""

import torch

from pocketrec_distill.clicks.head import ClickHead
from pocketrec_distill.clicks.word_tower import SMALLEST, WordTower
from pocketrec_distill.export.graph import Graph, Port
from pocketrec_distill.export.item_tower import ITEM_VECTOR, TOKEN_IDS, TokenGraph
from pocketrec_distill.export.user_tower import cache_names


def export_click_user_tower(head: ClickHead) -> bytes:
    """The user tower: the mean of a history, turned by the head; one block.

    Key and value of the block are the item vectors themselves (one head as wide as they are): the
    mean of what was read in parts is the mean of what is read at once.
    """
    graph, width = Graph(), len(head.taste)
    op = graph.op
    new = op("Unsqueeze", "item_vectors", graph.whole([1]))
    past, present = (cache_names(0, when) for when in ("past", "present"))
    _, value = (
        op("Concat", before, new, name=after, axis=2)
        for before, after in zip(past, present, strict=True)
    )
    mean = op("ReduceMean", value, graph.whole([1, 2]), keepdims=0)
    metric = torch.from_numpy(head.metric)
    turned = graph.weight("turned", head.scale * (torch.eye(width) + metric))
    taste = graph.weight("taste", torch.from_numpy(head.taste))
    op("Add", op("MatMul", mean, turned), taste, name="user_vector")

    def cache(when: str) -> list[Port]:
        return [Port(name, ("batch", 1, f"{when}_length", width)) for name in cache_names(0, when)]

    return graph.model(
        "user_tower",
        [Port("item_vectors", ("batch", "length", width)), *cache("past")],
        [Port("user_vector", ("batch", width)), *cache("present")],
    )


def export_word_tower(tower: WordTower) -> bytes:
    """The item tower: `WordTower.forward`, operator by operator."""
    graph = TokenGraph()
    op = graph.op
    # Of a weight the logarithm was learned.
    weights = graph.weight("weights", tower.logs.weight[:, 0].exp())
    kept = op("Mul", op("Gather", weights, TOKEN_IDS), graph.there())
    words = op("Gather", graph.weight("words", tower.words.weight), TOKEN_IDS)
    weighted = op("Mul", words, op("Unsqueeze", kept, graph.whole([2])))
    total = op("ReduceSum", weighted, graph.whole([1]), keepdims=0)
    squares = op("ReduceSum", op("Mul", total, total), graph.whole([1]))
    length = op("Sqrt", op("Add", squares, graph.number(SMALLEST)))
    op("Div", total, length, name=ITEM_VECTOR)
    return graph.tower(tower.words.embedding_dim)
