"""Settings of click models."""

from dataclasses import dataclass

from pocketrec_distill.checks import at_least, not_negative, positive, share


@dataclass(frozen=True)
class ClickSettings:
    """Training on impressions: will this user click this item?

    Attributes:
        encoder: Text encoder whose knowledge is distilled: "minilm" (all-MiniLM-L6-v2 from a pinned
            package), or a folder with a Hugging Face encoder and its tokenizer.
        encoder_tokens: Tokens that the encoder reads of an item's text.
        width: Length of item and user vectors.
        max_tokens: Tokens that the on-device item tower reads of a text.
        vocabulary: Most word pieces taken over from the encoder's vocabulary.
        catalogue_pieces: Pieces learned from the items' own texts beside them.
        epochs: Passes over the item texts when the item tower is distilled.
        learning_rate: Its AdamW step size.
        window: Longest history, in events, that is read.
        teacher_weight: Share of the teacher's click probabilities in the student's loss, 0 to 1.
        max_candidates: Shown candidates that are learned from at most; of more, whole impressions
            are drawn evenly over time.
        folds: Parts of the cross-validation that chooses the penalties and fits the calibration.
    """

    encoder: str = "minilm"
    encoder_tokens: int = 96
    width: int = 128
    max_tokens: int = 96
    vocabulary: int = 30_000
    catalogue_pieces: int = 2_000
    epochs: int = 20
    learning_rate: float = 3e-3
    window: int = 50
    teacher_weight: float = 0.5
    max_candidates: int = 200_000
    folds: int = 5

    def __post_init__(self) -> None:
        names = ("encoder_tokens", "width", "max_tokens", "epochs", "window", "max_candidates")
        positive("clicks", self, *names, "learning_rate")
        not_negative("clicks", self, "vocabulary")
        at_least("clicks", self, 300, "catalogue_pieces")
        at_least("clicks", self, 2, "folds")
        share("clicks", self, "teacher_weight")
