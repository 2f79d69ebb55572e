"""A prompt in two parts: what is said of the user, and what is asked about a candidate."""

from dataclasses import dataclass
from string import Formatter

from pocketrec_distill.errors import ConfigError

DEFAULT_PROMPT = (
    "A user liked these, oldest first:\n{history}\n"
    "Will the user like this next?\n{candidate}\nAnswer Yes or No:"
)


@dataclass(frozen=True)
class PromptTemplate:
    """Literal text around the history and the candidate.

    Attributes:
        before: Text in front of the history.
        between: Text between history and candidate; the part that all candidates share ends here.
        after: Text after the candidate, in front of the answer.
    """

    before: str
    between: str
    after: str

    @classmethod
    def parse(cls, text: str) -> "PromptTemplate":
        """The parts of a template with {history} and, later, {candidate}.

        Raises:
            ConfigError: It is no format string, has other fields, or has them in another order.
        """
        try:
            parts = list(Formatter().parse(text))
        except ValueError as error:
            raise ConfigError(f"prompt {text!r}: {error}") from error
        fields = [name for _, name, _, _ in parts if name is not None]
        plain = not any(form or conversion for _, _, form, conversion in parts)
        if fields != ["history", "candidate"] or not plain:
            raise ConfigError(
                f"prompt {text!r} has fields {fields}; write {{history}} once and, after it, "
                "{candidate} once, so that all candidates share the history's part"
            )
        literals = [literal for literal, _, _, _ in parts]
        cut = [name for _, name, _, _ in parts].index("candidate")
        after = "".join(literals[cut + 1 :])
        return cls(literals[0], "".join(literals[1 : cut + 1]), after)

    def prefix(self, history: str) -> str:
        """What all candidates of one user share."""
        return f"{self.before}{history}{self.between}"

    def suffix(self, candidate: str) -> str:
        """What is said of one candidate, up to the answer."""
        return f"{candidate}{self.after}"
