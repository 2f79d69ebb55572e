"""A SentencePiece vocabulary that holds an encoder's words and the catalogue's own."""

import io
from collections.abc import Sequence

from pocketrec_distill.models.item_tower import PADDING_TOKEN

_SPACE = "\u2581"
# Every piece costs the same, so that a text is cut into as few pieces as possible.
_COST = -10.0


def word_vocabulary(
    texts: Sequence[str], words: Sequence[tuple[str, bool]], catalogue_pieces: int
) -> tuple[bytes, list[str]]:
    """A tokenizer that knows whole words which the catalogue never used.

    Pieces learned from the catalogue stand first (bytes among them, so that no script is
    unreadable), then those words that are not among them. Text is lower-cased (NFKC, case
    folded). Token 0 is padding.

    Args:
        texts: Item texts.
        words: Text of a piece, and whether it begins a word.
        catalogue_pieces: Most pieces learned from `texts`.

    Returns:
        The SentencePiece model's bytes and its pieces in order of id.
    """
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2 as schema

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text.replace("\0", " ") for text in texts]),
        model_writer=model,
        model_type="unigram",
        vocab_size=catalogue_pieces,
        hard_vocab_limit=False,
        byte_fallback=True,
        character_coverage=0.9995,
        normalization_rule_name="nmt_nfkc_cf",
        pad_id=PADDING_TOKEN,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        max_sentence_length=16384,
        minloglevel=2,
    )
    proto = schema.ModelProto()
    proto.ParseFromString(model.getvalue())
    known = {piece.piece for piece in proto.pieces}
    for text, begins in words:
        folded = text.casefold()
        # Punctuation begins a word for an encoder and stands at the end of one in a text.
        for piece in dict.fromkeys((_SPACE + folded if begins else folded, *_alone(folded))):
            if piece not in known:
                known.add(piece)
                proto.pieces.add(piece=piece, score=_COST)
    for piece in proto.pieces:
        if piece.type == schema.ModelProto.SentencePiece.NORMAL:
            piece.score = _COST
    proto.trainer_spec.vocab_size = len(proto.pieces)
    return proto.SerializeToString(deterministic=True), [piece.piece for piece in proto.pieces]


def _alone(text: str) -> tuple[str, ...]:
    return (text,) if len(text) == 1 and not text.isalnum() else ()


def spoken(piece: str) -> str:
    """What an encoder should read for a piece: the text without its mark of a beginning."""
    return piece.removeprefix(_SPACE)
