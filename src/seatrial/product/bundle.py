"""The bundle: all that is released together, each part by digest."""

from collections.abc import Mapping
from functools import lru_cache

from seatrial.errors import IntegrityBroken
from seatrial.facts.model import Model
from seatrial.facts.release import Bundle
from seatrial.ports.artifacts import Artifacts
from seatrial.product.product import Product, text_digest
from seatrial.product.read import parse_product


def make_bundle(product: Product, model: Model, lookups: Mapping[str, str], artifacts: Artifacts) -> Bundle:
    """The bundle of a model under the present product file and contract; its texts are stored as artifacts.

    `lookups` maps lookup names to the artifacts of their tables at the time of release.
    """
    product_file, contract = (artifacts.put(text.encode()) for text in product.texts)
    parts = [model.id, model.artifact, product_file, contract, repr(model.threshold)]
    parts += [f"{name}={digest}" for name, digest in sorted(lookups.items())]
    return Bundle(
        id=text_digest(*parts),
        product=product.name,
        model=model.id,
        model_artifact=model.artifact,
        product_file=product_file,
        contract=contract,
        lookups=dict(lookups),
        threshold=model.threshold,
    )


def bundled_product(bundle: Bundle, artifacts: Artifacts) -> Product:
    """The product as it was released. Raises IntegrityBroken when a part does not match its digest."""
    product = _parsed(artifacts.get(bundle.product_file).decode(), artifacts.get(bundle.contract).decode())
    if product.name != bundle.product:
        raise IntegrityBroken(
            f"bundle {bundle.id} is for {bundle.product}, its product file says {product.name}"
        )
    return product


@lru_cache(maxsize=32)
def _parsed(product_text: str, contract_text: str) -> Product:
    """Texts of a bundle never change, and parsing them takes a tenth of a second."""
    return parse_product(product_text, contract_text)
