"""Lambda's limits of concurrent executions, and the invocations that wait when they are reached."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipectl.embedded.clock import StackClock
from pipectl.embedded.concurrency import Concurrency, ThrottledError
from pipectl.embedded.injected_faults import InjectedFaults
from pipectl.embedded.lambda_service import ASYNC_MAX_AGE_SECONDS, LambdaService, ServiceError
from pipectl.embedded.poller import Clock, EventSource, Poller
from pipectl.embedded.workers import Function, InvocationResult, Workers
from pipectl.errors import UsageError

DONE = InvocationResult(b"{}", failed=False)
FAILED = InvocationResult(b'{"errorType": "SomeError", "errorMessage": ""}', failed=True)


def take(concurrency: Concurrency, function: str, count: int) -> int:
    """How many of a number of simultaneous invocations are accepted."""
    taken = 0
    with ExitStack() as stack:
        for _ in range(count):
            with suppress(ThrottledError):
                stack.enter_context(concurrency.slot(function))
                taken += 1
    return taken


class TestConcurrency:
    def test_all_functions_share_the_accounts_limit(self) -> None:
        concurrency = Concurrency(3)
        with concurrency.slot("a"), concurrency.slot("b"):
            assert take(concurrency, "c", 2) == 1

    def test_a_slot_is_free_again_after_its_invocation(self) -> None:
        concurrency = Concurrency(3)
        assert [take(concurrency, "a", 5) for _ in range(2)] == [3, 3]

    def test_a_slot_is_free_again_after_an_error(self) -> None:
        concurrency = Concurrency(1)
        with pytest.raises(ValueError, match="broken"), concurrency.slot("a"):
            raise ValueError("broken")
        assert take(concurrency, "a", 1) == 1

    def test_without_a_limit_everything_finds_room(self) -> None:
        assert take(Concurrency(), "a", 2000) == 2000

    def test_a_reservation_is_exclusive_to_its_function_and_its_maximum(self) -> None:
        concurrency = Concurrency(150)
        concurrency.reserve("a", 20)
        assert take(concurrency, "a", 200) == 20
        assert take(concurrency, "b", 200) == 130

    def test_a_reservation_limits_without_an_accounts_limit_too(self) -> None:
        concurrency = Concurrency()
        concurrency.reserve("a", 2)
        assert (take(concurrency, "a", 5), take(concurrency, "b", 5)) == (2, 5)

    def test_the_reason_is_lambdas(self) -> None:
        concurrency = Concurrency(100)
        concurrency.reserve("a", 0)
        with pytest.raises(ThrottledError, match=r"^ReservedFunctionConcurrentInvocationLimit"):
            concurrency.slot("a").__enter__()

    @pytest.mark.parametrize(("limit", "count"), [(10, 1), (100, 1), (150, 51)])
    def test_a_small_account_cannot_reserve_any_concurrency(self, limit: int, count: int) -> None:
        with pytest.raises(UsageError, match="must stay unreserved"):
            Concurrency(limit).reserve("a", count)


class OneByOne:
    """Workers with prepared answers, one for each invocation."""

    def __init__(self, outcomes: Sequence[InvocationResult] = ()) -> None:
        self._outcomes = iter(outcomes)
        self.invoked = 0

    def invoke(self, _function: Function, _payload: bytes, _request_id: str) -> InvocationResult:
        self.invoked += 1
        return next(self._outcomes, DONE)


def service(
    workers: OneByOne,
    wait: Callable[[float], object],
    faults: InjectedFaults,
    limit: int | None = None,
) -> LambdaService:
    made = LambdaService(cast("Workers", workers), wait, faults, Concurrency(limit))
    made.add(Function("f", "arn", "a.b", Path(), 3, 128, {}, "log"))
    return made


@pytest.fixture
def faults() -> InjectedFaults:
    return InjectedFaults()


def test_the_api_answers_as_lambda_does(faults: InjectedFaults) -> None:
    answer = service(OneByOne(), lambda _: None, faults, limit=0).answer(
        "/2015-03-31/functions/f/invocations", "RequestResponse", b"{}"
    )
    assert answer.status == 429
    assert answer.headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    assert b'"Reason": "ConcurrentInvocationLimitExceeded"' in answer.body


class TestHeld:
    @pytest.mark.parametrize("release", [lambda f: f.release("f"), lambda f: f.clear()])
    def test_a_held_invocation_runs_when_it_is_released_and_counts_as_running_before(
        self, faults: InjectedFaults, release: Callable[[InjectedFaults], None]
    ) -> None:
        workers = OneByOne()
        functions = service(workers, lambda _: None, faults, limit=1)
        faults.add("f", "hold")
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(functions.invoke, "f", b"{}")
            while not faults.held("f"):
                time.sleep(0.01)
            with pytest.raises(ServiceError, match="Rate Exceeded"):
                functions.invoke("f", b"{}")
            assert workers.invoked == 0
            release(faults)
            assert held.result()[0] == DONE
        assert (workers.invoked, faults.held("f")) == (1, 0)

    def test_nothing_is_held_after_a_release(self, faults: InjectedFaults) -> None:
        faults.add("f", "hold", 2)
        faults.release("f")
        assert faults.for_invocation("f") is None

    def test_an_api_call_cannot_be_held(self, faults: InjectedFaults) -> None:
        with pytest.raises(ValueError, match="Only the invocations of a function"):
            faults.add("sqs:SendMessage", "hold")


class TestAsynchronously:
    def test_throttling_does_not_count_as_one_of_the_three_attempts(
        self, faults: InjectedFaults
    ) -> None:
        workers, pauses = OneByOne([FAILED, FAILED, FAILED]), list[float]()
        faults.add("f", "throttle", 5)
        invoke_later(service(workers, pauses.append, faults))
        assert workers.invoked == 3
        assert pauses == [1, 2, 4, 8, 16, 60, 120]

    def test_an_event_that_is_throttled_for_six_hours_is_dropped(
        self, faults: InjectedFaults
    ) -> None:
        workers, pauses = OneByOne(), list[float]()
        faults.add("f", "throttle", 1000)
        invoke_later(service(workers, pauses.append, faults))
        assert workers.invoked == 0
        assert sum(pauses) >= ASYNC_MAX_AGE_SECONDS
        assert max(pauses) == 300

    def test_an_event_that_is_given_up_is_sent_to_the_failure_destination(
        self, faults: InjectedFaults
    ) -> None:
        records: list[str] = []
        failing = service(OneByOne([FAILED] * 3), lambda _: None, faults)
        failing.on_failure("f", records.append)
        invoke_later(failing, b'{"Records": []}')
        record = json.loads(*records)
        context = record["requestContext"]
        assert context["functionArn"] == "arn:$LATEST"
        assert context["condition"] == "RetriesExhausted"
        assert context["approximateInvokeCount"] == 3
        assert record["requestPayload"] == {"Records": []}
        assert record["responsePayload"] == {"errorType": "SomeError", "errorMessage": ""}

    def test_an_event_that_was_never_handled_is_sent_without_a_response(
        self, faults: InjectedFaults
    ) -> None:
        records: list[str] = []
        throttled = service(OneByOne(), lambda _: None, faults)
        throttled.on_failure("f", records.append)
        faults.add("f", "throttle", 1000)
        invoke_later(throttled)
        record = json.loads(*records)
        assert record["requestContext"]["condition"] == "EventAgeExceeded"
        assert "responsePayload" not in record

    def test_an_event_that_is_finally_handled_is_not_sent(self, faults: InjectedFaults) -> None:
        records: list[str] = []
        recovering = service(OneByOne([FAILED, FAILED]), lambda _: None, faults)
        recovering.on_failure("f", records.append)
        invoke_later(recovering)
        assert records == []

    def test_an_event_is_pending_until_it_is_handled(self, faults: InjectedFaults) -> None:
        functions = service(OneByOne(), lambda _: None, faults)
        faults.add("f", "hold")
        functions.invoke_later("f", b"{}")
        while not faults.held("f"):
            time.sleep(0.01)
        assert [invocation for _, invocation in functions.pending.all()] == [("f", b"{}")]
        faults.release("f")
        while functions.pending.all():
            time.sleep(0.01)

    # The thread ends with SystemExit, which nothing but pytest reports.
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_an_event_that_waits_when_the_stack_ends_is_still_pending(
        self, faults: InjectedFaults
    ) -> None:
        clock = StackClock(1)
        clock.close()
        failing = service(OneByOne([FAILED] * 3), clock.sleep, faults)
        invoke_later(failing)
        assert [invocation for _, invocation in failing.pending.all()] == [("f", b"{}")]

    def test_a_permanent_refusal_is_final(self, faults: InjectedFaults) -> None:
        workers, pauses = OneByOne(), list[float]()
        faults.add("f", "access-denied")
        invoke_later(service(workers, pauses.append, faults))
        assert (workers.invoked, pauses) == (0, [])


def invoke_later(service: LambdaService, event: bytes = b"{}") -> None:
    before = set(threading.enumerate())
    service.invoke_later("f", event)
    for thread in set(threading.enumerate()) - before:
        thread.join()


class Queue:
    """A queue of one message, and the calls that were made for it."""

    def __init__(self) -> None:
        self.waiting = [{"MessageId": "m", "ReceiptHandle": "r", "Body": "x", "MD5OfBody": ""}]
        self.deleted = threading.Event()
        self.visible_again = threading.Event()

    def receive_message(self, **_: Any) -> Any:
        return {"Messages": [self.waiting.pop()]} if self.waiting else {}

    def get_queue_attributes(self, **_: Any) -> Any:
        return {"Attributes": {"VisibilityTimeout": "30"}}

    def change_message_visibility(self, *, VisibilityTimeout: int, **_: Any) -> None:  # noqa: N803
        assert VisibilityTimeout == 0
        self.visible_again.set()

    def delete_message_batch(self, **_: Any) -> None:
        self.deleted.set()


SOURCE = EventSource("url", "arn:aws:sqs:us-east-1:1:q", "f", 10, False, 2)


class TestPolling:
    @pytest.fixture
    def polled(self, faults: InjectedFaults) -> Iterator[tuple[Queue, Poller, OneByOne]]:
        queue, workers = Queue(), OneByOne()
        arrivals = SimpleNamespace(wait=lambda: None, wake=lambda: None)
        lambdas = service(workers, lambda _: None, faults)
        sqs = cast("Any", queue)
        poller = Poller(SOURCE, lambdas, sqs, arrivals, Clock(sqs, 0))
        yield queue, poller, workers
        poller.stop()

    def test_a_throttled_message_is_kept_until_there_is_room(
        self, polled: tuple[Queue, Poller, OneByOne], faults: InjectedFaults
    ) -> None:
        queue, poller, workers = polled
        faults.add("f", "throttle", 3)
        poller.start()
        assert queue.deleted.wait(10)
        assert workers.invoked == 1
        assert not queue.visible_again.is_set()
        assert not poller.failures

    def test_it_goes_back_to_the_queue_when_its_visibility_timeout_ends(
        self, polled: tuple[Queue, Poller, OneByOne], faults: InjectedFaults
    ) -> None:
        queue, poller, workers = polled
        faults.add("f", "throttle", 1000)
        poller.start()
        assert queue.visible_again.wait(10)
        assert workers.invoked == 0
        assert not queue.deleted.is_set()
        assert not poller.failures


def test_a_refusal_says_whether_it_is_temporary() -> None:
    assert ServiceError(429, "TooManyRequestsException", "").throttled
    assert ServiceError(503, "ServiceException", "").passing
    assert not ServiceError(403, "AccessDeniedException", "").passing
