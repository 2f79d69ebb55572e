"""The base LLM: loading it, turning items into text, and pooling its hidden states."""

from pocketrec_distill.llm.base import BaseLlm, load_base_llm
from pocketrec_distill.llm.states import pooled_states
from pocketrec_distill.llm.text import TextTemplate

__all__ = ["BaseLlm", "TextTemplate", "load_base_llm", "pooled_states"]
