"""Rows that `[[data.drop]]` leaves out, before anything else is looked at."""

from typing import TYPE_CHECKING, Any

import numpy as np

from pocketrec_distill.data.columns import listed
from pocketrec_distill.data.settings import DropRule
from pocketrec_distill.data.tables import arrow
from pocketrec_distill.data.values import as_text, numbers
from pocketrec_distill.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


def kept_by(table: "pa.Table", rule: DropRule) -> "pa.Table":
    """The rows that a rule leaves.

    Raises:
        DataError: It names a column that the table lacks.
    """
    if rule.column not in table.column_names:
        raise DataError(
            f"[[data.drop]] names column {rule.column!r}, which is not among "
            f"{listed(table.column_names)}"
        )
    return table.filter(_mask(table, rule))


def _mask(table: "pa.Table", rule: DropRule) -> Any:
    """Arrow mask of the rows that a rule leaves."""
    arrow()
    import pyarrow.compute as pc

    if isinstance(rule.value, str):
        text = pc.fill_null(as_text(table, rule.column), "")
        tests = {
            "==": lambda: pc.equal(text, rule.value),
            "!=": lambda: pc.not_equal(text, rule.value),
            "startswith": lambda: pc.starts_with(text, rule.value),
            "contains": lambda: pc.match_substring(text, rule.value),
        }
        return pc.invert(tests[rule.op]())
    values, limit = numbers(table, rule.column), float(rule.value)
    compare = {
        "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal,
        ">": np.greater, ">=": np.greater_equal,
    }[rule.op]  # fmt: skip
    return arrow().array(~compare(values, limit))
