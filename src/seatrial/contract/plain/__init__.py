"""SQL expressions as plain Python functions over columns, for a few rows, where a call to Polars is too dear.

A function gives what Polars gives for the same rows in a table, bit by bit, or raises Unplain; what has not been
proven to is not turned into a function at all.
"""

from seatrial.contract.plain.function import PlainFunction, plain
from seatrial.contract.plain.parts import Unplain

__all__ = ["PlainFunction", "Unplain", "plain"]
