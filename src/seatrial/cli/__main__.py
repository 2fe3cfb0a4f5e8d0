"""`python -m seatrial.cli`."""

from seatrial.cli.main import main

main(prog_name="seatrial")
