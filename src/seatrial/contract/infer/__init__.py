"""A first contract from data: cautious rules, each with its evidence in words.

A rule too many refuses good rows, so bounds are wider than the sample and are left out where the sample is too
small or too odd to tell; nobody but people can say what is impossible.
"""

from seatrial.contract.infer.tables import infer_contract, infer_table

__all__ = ["infer_contract", "infer_table"]
