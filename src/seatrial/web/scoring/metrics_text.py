"""Samples, and their text in Prometheus' exposition format 0.0.4."""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from seatrial.serve.counters import Histogram
from seatrial.web.scoring.metrics_defined import METRICS

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """One value of a metric; `suffix` is what a histogram's samples have behind the name."""

    metric: str
    suffix: str
    labels: dict[str, str]
    value: int | float


class Samples:
    """What one worker has measured, sample by sample."""

    def __init__(self) -> None:
        self.all: list[Sample] = []

    def add(self, metric: str, value: float, **labels: str) -> None:
        """One sample of a counter or gauge."""
        self.all.append(Sample(metric, "", labels, value))

    def histogram(self, metric: str, histogram: Histogram, **labels: str) -> None:
        """A histogram's buckets, which count from below, its sum and its count."""
        total = 0
        bounds = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
        for bound, count in zip(bounds, list(histogram.counts), strict=True):
            total += count
            self.all.append(Sample(metric, "_bucket", {**labels, "le": bound}, total))
        self.all.append(Sample(metric, "_sum", labels, histogram.sum))
        self.all.append(Sample(metric, "_count", labels, total))


def exposition(workers: Mapping[str, Iterable[Sample]]) -> str:
    """The text of all workers' samples, each with its worker's name, if it has one; a metric's stand together."""
    lines: dict[str, list[str]] = {}
    for worker, samples in sorted(workers.items()):
        for sample in samples:
            lines.setdefault(sample.metric, []).append(_line(sample, worker))
    return "".join(_block(metric, lines[metric]) for metric in METRICS if metric in lines)


def _block(metric: str, lines: Sequence[str]) -> str:
    kind, text = METRICS[metric]
    return "\n".join([f"# HELP {metric} {text}", f"# TYPE {metric} {kind}", *lines, ""])


def _line(sample: Sample, worker: str) -> str:
    labels = sample.labels | {"worker": worker} if worker else sample.labels
    shown = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return f"{sample.metric}{sample.suffix}{{{shown}}} {_number(sample.value)}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
