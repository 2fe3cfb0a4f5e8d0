"""What a worker measures, and the page that shows it beside what the other workers of its server measure."""

import asyncio
import logging
from collections.abc import Mapping

from seatrial import __version__
from seatrial.ports.runtime import Restarting
from seatrial.product.staleness import staleness
from seatrial.serve.counters import SECONDS, Histogram
from seatrial.serve.serving import Serving
from seatrial.web.scoring.metrics_process import add_process
from seatrial.web.scoring.metrics_text import Sample, Samples, exposition
from seatrial.web.scoring.metrics_workers import Colleagues

Responses = Mapping[tuple[str, int], Histogram]
_PUBLISHED_EVERY = 1.0
_log = logging.getLogger(__name__)


class Metrics:
    """The metrics of one worker. `responses` are the seconds of HTTP answers by route and status.

    Without `colleagues` it shows itself alone.
    """

    def __init__(
        self, servings: Mapping[str, Serving], responses: Responses, colleagues: Colleagues | None = None
    ) -> None:
        self._servings, self._responses, self._colleagues = servings, responses, colleagues
        self._failed = False
        self._writing = asyncio.Lock()  # what was measured first is written first

    def samples(self) -> list[Sample]:
        """What this worker has measured so far."""
        samples = Samples()
        samples.add("seatrial_build_info", 1, version=__version__)
        _add_responses(samples, self._responses)
        for serving in self._servings.values():
            _add_counters(samples, serving)
            _add_state(samples, serving)
            _add_releases(samples, serving)
            _add_lookups(samples, serving)
        add_process(samples)
        return samples.all

    async def text(self) -> str:
        """All workers' metrics as text.

        What is shown of this worker is first written for the others: no later scrape sees less, whoever answers it.
        """
        colleagues = self._colleagues
        if colleagues is None:
            return exposition({"": self.samples()})
        own, others = await self._published(colleagues), dict[str, list[Sample]]()
        try:
            others = await asyncio.to_thread(colleagues.others)
        except OSError:
            _log.exception("the other workers' metrics cannot be read; only this worker's are shown")
        return exposition({**others, colleagues.worker: own})

    async def run(self) -> None:
        """Write this worker's metrics for the others every second, until cancelled."""
        while self._colleagues is not None:
            try:
                await self._published(self._colleagues)
            except Exception:  # noqa: BLE001 - what fails once must not end the timer; logged
                _log.exception("this worker's metrics could not be gathered for the others to show")
            await asyncio.sleep(_PUBLISHED_EVERY)

    async def _published(self, colleagues: Colleagues) -> list[Sample]:
        """What this worker has measured, after it was written for the others."""
        async with self._writing:
            own = self.samples()
            try:
                await asyncio.to_thread(colleagues.publish, own)
            except OSError as error:
                if not self._failed:
                    _log.warning("metrics cannot be written for the other workers to show: %s", error)
                self._failed = True
            else:
                self._failed = False
        return own

    def close(self) -> None:
        """Be shown no more."""
        if self._colleagues is not None:
            self._colleagues.close()


def _add_responses(samples: Samples, responses: Responses) -> None:
    classes: dict[tuple[str, str], Histogram] = {}
    for (route, status), histogram in sorted(responses.items()):
        code = str(status)
        samples.add("seatrial_http_responses_total", sum(histogram.counts), route=route, code=code)
        classes.setdefault((route, f"{code[0]}xx"), Histogram(SECONDS)).add(histogram)
    for (route, code_class), histogram in classes.items():
        samples.histogram(
            "seatrial_http_request_duration_seconds", histogram, route=route, code_class=code_class
        )


def _add_counters(samples: Samples, serving: Serving) -> None:
    counters, product = serving.counters, serving.product
    for label, name, counts in (
        ("outcome", "seatrial_requests_total", counters.requests),
        ("release", "seatrial_rows_total", counters.rows),
        ("field", "seatrial_contract_violations_total", counters.violations),
        ("release", "seatrial_breaker_opens_total", counters.breaker_opens),
        ("release", "seatrial_shadow_errors_total", counters.shadow_errors),
        ("release", "seatrial_shadow_rows_left_out_total", counters.shadows_left_out),
        ("release", "seatrial_journal_lost_rows_total", counters.journal_lost),
        ("kind", "seatrial_journal_records_total", counters.journal_records),
        ("kind", "seatrial_journal_failures_total", counters.journal_failures),
        ("reason", "seatrial_shed_total", counters.shed),
        ("verdict", "seatrial_outcomes_total", counters.outcomes),
        ("verdict", "seatrial_actions_total", counters.actions),
        ("result", "seatrial_refreshes_total", counters.refreshes),
    ):
        for value, count in sorted(counts.copy().items()):
            samples.add(name, count, product=product, **{label: value})
    for name, pairs in (
        ("seatrial_fallback_total", counters.fallbacks),
        ("seatrial_diverted_total", counters.diverted),
        ("seatrial_ejections_total", counters.ejections),
    ):
        for (release, reason), count in sorted(pairs.copy().items()):
            samples.add(name, count, product=product, release=release, reason=reason)
    samples.histogram("seatrial_request_duration_seconds", counters.request_seconds, product=product)
    samples.histogram("seatrial_queue_duration_seconds", counters.queue_seconds, product=product)
    samples.histogram("seatrial_batch_rows", counters.batch_rows, product=product)
    for release, seconds in sorted(counters.model_seconds.copy().items()):
        samples.histogram("seatrial_model_duration_seconds", seconds, product=product, release=release)


def _add_state(samples: Samples, serving: Serving) -> None:
    for name, value in (
        ("seatrial_requests_in_flight", serving.in_flight),
        ("seatrial_queue_depth", serving.queue_depth),
        ("seatrial_ready", int(serving.ready)),
        ("seatrial_journal_failing", int(serving.journal_failing)),
    ):
        samples.add(name, value, product=serving.product)


def _add_releases(samples: Samples, serving: Serving) -> None:
    routes = serving.engine.routes
    if routes is None:
        return
    for loaded in routes.releases:
        release, labels = loaded.release, {"product": serving.product, "release": loaded.id}
        phase = str(release.phase)
        samples.add("seatrial_model_info", 1, **labels, digest=release.bundle.model, phase=phase)
        samples.add("seatrial_model_failing", int(loaded.id in serving.counters.failing), **labels)
        if isinstance(loaded.scorer, Restarting):
            samples.add("seatrial_model_restarts_total", loaded.scorer.restarts, **labels)
        if loaded.id in serving.loaded_at:
            loaded_at = serving.loaded_at[loaded.id].timestamp()
            samples.add("seatrial_model_loaded_timestamp_seconds", loaded_at, **labels)
    canary = (1 - routes.holdout) * routes.share
    weights = {"live": 1 - routes.holdout - canary, "canary": canary, "holdout": routes.holdout}
    for variant, weight in weights.items():
        samples.add("seatrial_variant_weight_ratio", weight, product=serving.product, variant=variant)


def _add_lookups(samples: Samples, serving: Serving) -> None:
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
        samples.add("seatrial_lookup_staleness_seconds", found.seconds, **labels)
        if found.bound is not None:
            samples.add("seatrial_lookup_staleness_bound_seconds", found.bound, **labels)
    if routed.published_at is not None:
        age = (now - routed.published_at).total_seconds()
        samples.add("seatrial_lookup_publication_age_seconds", age, product=serving.product)
