"""Names of models and stages for readers."""

_NAMES = {
    "teacher": "LLM teacher",
    "student_fp32": "Student, 32-bit",
    "shipped": "Shipped bundle",
    "control": "Control, no distillation",
    "blend": "Blended teacher",
    "sasrec": "SASRec on ids",
    "ease": "EASE",
    "itemitem": "Item to item",
    "popularity": "Popularity",
}


def model_name(model: str) -> str:
    """The name of a model's (or a stage's) key for a reader, for example `Shipped bundle`."""
    return _NAMES.get(model, model[:1].upper() + model[1:].replace("_", " "))
