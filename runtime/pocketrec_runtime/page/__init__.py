"""What HTML reports are made of: escaped markup, scales, a scatter, and the house's style.

It stands in the lowest layer because reports of distillation and cards of benchmarks share it; the
engine does not import it.
"""

from pocketrec_runtime.page.document import html_document
from pocketrec_runtime.page.lines import Line, lines
from pocketrec_runtime.page.markup import Markup, element, escape, join, row, table
from pocketrec_runtime.page.scale import Scale, linear_scale, log_scale, tight_log_scale
from pocketrec_runtime.page.scatter import Point, pareto_front, scatter

__all__ = [
    "Line",
    "Markup",
    "Point",
    "Scale",
    "element",
    "escape",
    "html_document",
    "join",
    "linear_scale",
    "lines",
    "log_scale",
    "pareto_front",
    "row",
    "scatter",
    "table",
    "tight_log_scale",
]
