"""Contract files: Open Data Contract Standard v3.1, read strictly, written without loss."""

from seatrial.contract.odcs.files import API_VERSION, read_contract, write_contract

__all__ = ["API_VERSION", "read_contract", "write_contract"]
