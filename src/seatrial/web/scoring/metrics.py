"""The counters as Prometheus text (exposition format 0.0.4)."""

import math
from collections.abc import Iterable, Mapping

from seatrial.product.staleness import staleness
from seatrial.serve.counters import Histogram
from seatrial.serve.serving import Serving

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(servings: Iterable[Serving], statuses: Mapping[tuple[str, int], int]) -> str:
    """All metrics of this process. `statuses` counts HTTP answers by route and status."""
    page = _Page()
    for (route, status), count in sorted(statuses.items()):
        page.add("seatrial_http_responses_total", "counter", count, route=route, code=str(status))
    for serving in servings:
        _add_serving(page, serving)
    return page.text()


def _add_serving(page: "_Page", serving: Serving) -> None:
    counters, product = serving.counters, serving.product
    for label, name, counts in (
        ("outcome", "seatrial_requests_total", counters.requests),
        ("release", "seatrial_rows_total", counters.rows),
        ("field", "seatrial_contract_violations_total", counters.violations),
        ("release", "seatrial_breaker_opens_total", counters.breaker_opens),
        ("release", "seatrial_shadow_errors_total", counters.shadow_errors),
        ("reason", "seatrial_shed_total", counters.shed),
        ("verdict", "seatrial_outcomes_total", counters.outcomes),
        ("result", "seatrial_refreshes_total", counters.refreshes),
    ):
        for value, count in sorted(counts.copy().items()):
            page.add(name, "counter", count, product=product, **{label: value})
    for name, pairs in (
        ("seatrial_fallback_total", counters.fallbacks),
        ("seatrial_diverted_total", counters.diverted),
    ):
        for (release, reason), count in sorted(pairs.copy().items()):
            page.add(name, "counter", count, product=product, release=release, reason=reason)
    page.histogram("seatrial_request_duration_seconds", counters.request_seconds, product)
    page.histogram("seatrial_batch_rows", counters.batch_rows, product)
    page.add("seatrial_queue_depth", "gauge", serving.queue_depth, product=product)
    page.add("seatrial_ready", "gauge", int(serving.ready), product=product)
    _add_releases(page, serving)
    _add_lookups(page, serving)


def _add_releases(page: "_Page", serving: Serving) -> None:
    routes = serving.engine.routes
    if routes is None:
        return
    for loaded in routes.releases:
        release = loaded.release
        page.add(
            "seatrial_model_info",
            "gauge",
            1,
            product=serving.product,
            release=release.id,
            digest=release.bundle.model,
            phase=str(release.phase),
        )
    page.add("seatrial_canary_share_ratio", "gauge", routes.share, product=serving.product)


def _add_lookups(page: "_Page", serving: Serving) -> None:
    """How old the lookups are that answers are made from, beside what the contract allows."""
    routes, routed, now = serving.engine.routes, serving.routed, serving.now()
    if routes is None or routed is None:
        return
    product = routes.live.product
    for name, published in sorted(routed.lookups.items()):
        if name not in product.lookup_names or product.lookup(name).as_of is None:
            continue
        found = staleness(product, name, published.newest_at(now), now)
        labels = {"product": serving.product, "lookup": name}
        page.add("seatrial_lookup_staleness_seconds", "gauge", found.seconds, **labels)
        if found.bound is not None:
            page.add("seatrial_lookup_staleness_bound_seconds", "gauge", found.bound, **labels)
    if routed.published_at is not None:
        age = (now - routed.published_at).total_seconds()
        page.add("seatrial_lookup_publication_age_seconds", "gauge", age, product=serving.product)


class _Page:
    """Samples grouped by metric, as the format asks."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}
        self._lines: dict[str, list[str]] = {}

    def add(self, name: str, kind: str, value: float, **labels: str) -> None:
        self._sample(name, kind, name, value, labels)

    def histogram(self, name: str, histogram: Histogram, product: str) -> None:
        total = 0
        bounds = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
        for bound, count in zip(bounds, list(histogram.counts), strict=True):
            total += count
            self._sample(name, "histogram", f"{name}_bucket", total, {"product": product, "le": bound})
        self._sample(name, "histogram", f"{name}_sum", histogram.sum, {"product": product})
        self._sample(name, "histogram", f"{name}_count", total, {"product": product})

    def text(self) -> str:
        blocks = [
            "\n".join([f"# TYPE {name} {kind}", *self._lines[name]]) for name, kind in self._kinds.items()
        ]
        return "\n".join([*blocks, ""])

    def _sample(self, name: str, kind: str, sample: str, value: float, labels: Mapping[str, str]) -> None:
        self._kinds.setdefault(name, kind)
        shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        self._lines.setdefault(name, []).append(f"{sample}{{{shown}}} {_number(value)}")


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
