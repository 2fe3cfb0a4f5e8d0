"""Seatrial's application under ASGI: for granian, and for uvicorn, which is taken from FastAPI's environment."""

import os
import sys

from seatrial.settings import read_settings
from seatrial.web.scoring.app import build
from seatrial.web.scoring.asgi import AsgiApp
from seatrial.wiring import serving


def application() -> AsgiApp:
    """The data plane of the product in this folder."""
    return AsgiApp(build(serving(read_settings(), os.environ["SEATRIAL_PRODUCT"])))


if __name__ == "__main__":
    sys.path.append(os.environ["SERVING_LIBRARIES"])
    import uvicorn

    # One process, with its compiled loop and parser.
    port = int(os.environ["SERVING_PORT"])
    uvicorn.run(
        application(),
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
    )
