"""The metrics that there are: name, kind, help. Names and units follow Prometheus' conventions."""

from typing import NamedTuple


class Defined(NamedTuple):
    """What the text format says of a metric besides its samples."""

    kind: str
    help: str


def _counter(text: str) -> Defined:
    return Defined("counter", text)


def _gauge(text: str) -> Defined:
    return Defined("gauge", text)


def _histogram(text: str) -> Defined:
    return Defined("histogram", text)


METRICS = {
    "seatrial_build_info": _gauge("1, with the version that runs."),
    "seatrial_http_responses_total": _counter("Answers to HTTP requests by route and status code."),
    "seatrial_http_request_duration_seconds": _histogram(
        "Seconds from an HTTP request's header to its answer, by route and class of status code."
    ),
    "seatrial_requests_total": _counter("Requests for predictions by outcome: ok, or an error's code."),
    "seatrial_request_duration_seconds": _histogram("Seconds from the queue to the answers, with the wait."),
    "seatrial_requests_in_flight": _gauge("Requests for predictions that wait or are worked on."),
    "seatrial_queue_depth": _gauge("Rows that wait."),
    "seatrial_queue_duration_seconds": _histogram("Seconds that requests waited until their batch began."),
    "seatrial_batch_rows": _histogram("Rows of a micro-batch."),
    "seatrial_model_duration_seconds": _histogram("Seconds of one call of a release's model, by release."),
    "seatrial_model_failing": _gauge("1 while the last rows that a release was asked got no score."),
    "seatrial_model_restarts_total": _counter(
        "Times that a model's own process was started again, by release."
    ),
    "seatrial_rows_total": _counter("Rows answered, by the release that answered."),
    "seatrial_shed_total": _counter("Requests refused to keep the others fast, by reason."),
    "seatrial_fallback_total": _counter("Rows that the fallback answered, by release and reason."),
    "seatrial_diverted_total": _counter("A canary's rows that the live release answered, by reason."),
    "seatrial_contract_violations_total": _counter("Faults in requests by field of the contract."),
    "seatrial_breaker_opens_total": _counter("Times that a release was left alone after failures."),
    "seatrial_ejections_total": _counter("Canaries that went out of the traffic, by release and reason."),
    "seatrial_shadow_errors_total": _counter("Batches that a release failed beside the answers."),
    "seatrial_shadow_rows_left_out_total": _counter("Rows not judged or recorded beside the answers."),
    "seatrial_journal_records_total": _counter("Records written to the journal by kind."),
    "seatrial_journal_failures_total": _counter("Appends to the journal that failed, by kind."),
    "seatrial_journal_lost_rows_total": _counter("Rows answered without a record, by live release."),
    "seatrial_journal_failing": _gauge("1 while the journal cannot be written."),
    "seatrial_outcomes_total": _counter("Reported outcomes by verdict."),
    "seatrial_actions_total": _counter("Reported actions by verdict."),
    "seatrial_refreshes_total": _counter("Looks for what is live, by result."),
    "seatrial_ready": _gauge("1 while requests should come here."),
    "seatrial_model_info": _gauge("1, with digest and phase of each release in front of the traffic."),
    "seatrial_model_loaded_timestamp_seconds": _gauge("When a release was loaded, in seconds since 1970."),
    "seatrial_variant_weight_ratio": _gauge("Share of the units that a variant is to answer."),
    "seatrial_lookup_staleness_seconds": _gauge("Age of the newest row of a lookup."),
    "seatrial_lookup_staleness_bound_seconds": _gauge("Age that the contract allows a lookup."),
    "seatrial_lookup_publication_age_seconds": _gauge("Seconds since lookups were compared with sources."),
    "process_start_time_seconds": _gauge("When the worker started, in seconds since 1970."),
    "process_resident_memory_bytes": _gauge("Memory of the worker that is in use."),
    "process_cpu_seconds_total": _counter("Processor time that the worker has used."),
    "process_open_fds": _gauge("Files and connections that the worker has open."),
}
