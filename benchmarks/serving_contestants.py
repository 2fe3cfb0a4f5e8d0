"""Who takes part: how each is started, where it is asked, and how its bodies look."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.serving_work import PRODUCT

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = ROOT / "benchmarks" / "serving_systems"
OURS, BARE, CONSTANT = "Seatrial", "bare stack", "constant answer"
OWN_DOOR = f"/v1/products/{PRODUCT}/predict"
FASTAPI = "fastapi"
# Nobody computes on more than one thread, and nobody reports home.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": str(ROOT),
    "DO_NOT_TRACK": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@dataclass(frozen=True)
class Contestant:
    """A system: the peer's environment it runs in (None: our own), its command there, its door and its bodies.

    The scorer is what it calls of the model: scikit-learn's interface, or LightGBM's booster. It may borrow libraries
    of another peer's environment.
    """

    name: str
    peer: str | None
    command: tuple[str, ...]
    path: str
    body: str
    scorer: str = "scikit-learn"
    more: Mapping[str, str] = field(default_factory=dict)
    borrows: str | None = None

    @property
    def home(self) -> Path:
        """The folder of its Python and its commands."""
        return Path(sys.executable).parent if self.peer is None else ROOT / ".peers" / self.peer / "bin"

    @property
    def is_there(self) -> bool:
        """Whether the environments that it needs were made."""
        needed = (peer for peer in (self.peer, self.borrows) if peer is not None)
        return all((ROOT / ".peers" / peer / ".installed").exists() for peer in needed)

    def environment(self, model: Path, port: int) -> dict[str, str]:
        """What its processes see."""
        own = {
            "PATH": f"{self.home}{os.pathsep}{os.environ['PATH']}",
            "SERVING_MODEL": str(model),
            "SERVING_PORT": str(port),
            "SERVING_SCORER": self.scorer,
            "SERVING_LIBRARIES": str(libraries(FASTAPI)),
        }
        return {**os.environ, **ENVIRONMENT, **own, **self.more}

    def arguments(self, port: int) -> list[str]:
        """Its command line."""
        first, *rest = (part.replace("{port}", str(port)) for part in self.command)
        return [str(self.home / first), *rest]


def libraries(peer: str) -> Path:
    """Where the libraries of a peer's environment lie."""
    return next((ROOT / ".peers" / peer / "lib").glob("python3*/site-packages"), Path())


def _script(name: str) -> tuple[str, ...]:
    return ("python", str(SYSTEMS / f"{name}.py"))


def granian(interface: str, target: str, *more: str) -> tuple[str, ...]:
    """The command of granian with one worker, as Seatrial starts it, for what a module of this folder makes."""
    limits = ("--http=1", "--no-ws", "--backlog=2048", "--backpressure=8192", "--log-level=warning")
    place = ("--port", "{port}", f"benchmarks.serving_systems.{target}")
    return ("granian", "--interface", interface, *more, *limits, *place)


_OWN_PRODUCT = {"SEATRIAL_PRODUCT": PRODUCT}
_BENTOML = ("bentoml", "serve", "with_bentoml:Trees", "--working-dir", str(SYSTEMS), "--port", "{port}")
_INFER = "/v2/models/trees/infer"

TRIO = (
    Contestant(OURS, None, ("seatrial", "serve", "--port", "{port}"), OWN_DOOR, "ours"),
    Contestant(BARE, None, granian("rsgi", "floors:stack", "--factory"), "/", "ours"),
    Contestant(CONSTANT, None, granian("rsgi", "floors:constant"), "/", "ours"),
)
HAND_MADE = Contestant("FastAPI", FASTAPI, _script("with_fastapi"), "/predict", "named")
MODEL_SERVERS = (
    Contestant("LitServe", "litserve", _script("with_litserve"), "/predict", "listed"),
    Contestant("MLServer", "mlserver", _script("with_mlserver"), _INFER, "tensor"),
    Contestant("BentoML", "bentoml", _BENTOML, "/predict", "listed"),
    Contestant("MLflow", "mlflow", _script("with_mlflow"), "/invocations", "inputs"),
    Contestant("Ray Serve", "ray", _script("with_ray"), "/predict", "listed"),
)
# Not judged: the same with LightGBM's booster called past scikit-learn's interface, and MLServer's usual two processes.
BESIDE = (
    *(replace(one, name=f"{one.name}, booster", scorer="booster") for one in (HAND_MADE, *MODEL_SERVERS[:3])),
    replace(MODEL_SERVERS[1], name="MLServer, worker beside", more={"SERVING_WORKERS": "1"}),
)
# Our own application behind other interfaces; uvicorn is FastAPI's.
_BEHIND_GRANIAN = granian("asgi", "other_servers:application", "--factory")
OTHER_SERVERS = (
    Contestant("Seatrial, granian ASGI", None, _BEHIND_GRANIAN, OWN_DOOR, "ours", more=_OWN_PRODUCT),
    Contestant(
        "Seatrial, uvicorn ASGI",
        None,
        _script("other_servers"),
        OWN_DOOR,
        "ours",
        more=_OWN_PRODUCT,
        borrows=FASTAPI,
    ),
)
