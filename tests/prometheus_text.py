"""What Prometheus' own Python library reads of a page of metrics, and what its conventions ask beyond the format."""

from collections.abc import Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
Key = tuple[str, tuple[tuple[str, str], ...]]


class Scrape:
    """One page: samples by name and labels."""

    def __init__(self, samples: Mapping[Key, float], kinds: Mapping[str, str]) -> None:
        self.samples, self.kinds = samples, kinds

    @property
    def workers(self) -> set[str]:
        return {value for _, labels in self.samples for name, value in labels if name == "worker"}

    def counted(self) -> dict[Key, float]:
        """Counters, and what of histograms only grows."""
        ends = (*SUFFIXES["counter"], *SUFFIXES["histogram"])
        return {key: value for key, value in self.samples.items() if key[0].endswith(ends)}

    def of(self, name: str, **labels: str) -> float:
        """The one sample that has these labels, whatever others."""
        [found] = [
            value
            for (one, own), value in self.samples.items()
            if one == name and labels.items() <= dict(own).items()
        ]
        return found

    def total(self, name: str) -> float:
        return sum(value for (one, _), value in self.samples.items() if one == name)


def parsed(text: str) -> Scrape:
    """The page, read by a parser that is not ours. Fails on whatever Prometheus would refuse or misread."""
    samples: dict[Key, float] = {}
    kinds: dict[str, str] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in kinds, f"{family.name} stands in two places"
        assert family.documentation, f"{family.name} has no HELP"
        assert family.type in SUFFIXES, f"{family.name} is {family.type}"
        kinds[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in samples, f"{key} twice"
            assert sample.name.removeprefix(family.name) in SUFFIXES[family.type], sample.name
            samples[key] = sample.value
        if family.type == "histogram":
            _check_histogram(family)
    return Scrape(samples, kinds)


def _check_histogram(family: Any) -> None:
    """Buckets grow up to +Inf, which is the count."""
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    counts: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[labels] = sample.value
    assert buckets.keys() == counts.keys(), family.name
    for labels, found in buckets.items():
        assert found == sorted(found), f"{family.name}: bounds and counts must grow"
        assert [value for _, value in found] == sorted(value for _, value in found), family.name
        assert found[-1] == (float("inf"), counts[labels]), family.name
