"""Exact top-k over the whole catalogue, certified; near the speed of reading the rows once."""

from pocketrec_runtime.scan.exact import ItemRows
from pocketrec_runtime.scan.select import best, check_k, check_mask, checked_rows, leave_out
from pocketrec_runtime.scan.top_k import Scan, TopK

__all__ = ["ItemRows", "Scan", "TopK", "best", "check_k", "check_mask", "checked_rows", "leave_out"]
