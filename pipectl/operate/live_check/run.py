"""Runs the checks one after the other, each with a verdict, and removes what they made."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from pipectl.client.aws_errors import explain
from pipectl.errors import PipectlError
from pipectl.operate.live_check.endings import InterruptedCheckError, NotRunError
from pipectl.operate.live_check.model import CheckResult, LiveCheck, Seen, Verdict
from pipectl.operate.live_check.workspace import Workspace
from shared.errors import error_code

_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_WITH_INVASIVE = "it changes a function's settings; add --invasive"


class Checked(NamedTuple):
    """The results, what could not be removed, and whether the user ended the checks early."""

    results: list[CheckResult]
    left: list[str]
    interrupted: bool


def run_checks(
    bench: Workspace,
    checks: Sequence[LiveCheck],
    *,
    invasive: bool,
    show: Callable[[LiveCheck], object] = lambda _: None,
) -> Checked:
    """Run these checks, and remove everything afterwards, whatever happens.

    A check that differs or can't be run doesn't end the others. `show` is called before each.
    """
    results: list[CheckResult] = []
    interrupted = False
    try:
        for check in checks:
            show(check)
            results.append(_result_of(bench, check, invasive=invasive))
    except (InterruptedCheckError, KeyboardInterrupt):
        interrupted = True
    finally:
        left = bench.remove_all()
    return Checked(results, left, interrupted)


def _result_of(bench: Workspace, check: LiveCheck, *, invasive: bool) -> CheckResult:
    if check.invasive and not invasive:
        return CheckResult(check, "not run", _WITH_INVASIVE)
    if bench.time_is_up:
        return CheckResult(check, "not run", "the time was up; give more with --timeout")
    bench.pause(0)
    started = time.monotonic()
    try:
        seen = check.look(bench)
    except NotRunError as reason:
        return CheckResult(check, "not run", str(reason), time.monotonic() - started)
    except (BotoCoreError, ClientError) as error:
        denied = isinstance(error, ClientError) and error_code(error) in _DENIED
        unknown = denied or isinstance(error, BotoCoreError)
        verdict: Verdict = "not run" if unknown else "differs"
        return CheckResult(check, verdict, explain(error), time.monotonic() - started)
    except PipectlError as error:
        seen = Seen(error.message, False)
    except (LookupError, TypeError, ValueError) as error:
        # An answer lacks something that it should have, which is a difference too.
        seen = Seen(f"an answer of another form ({type(error).__name__}: {error})", False)
    verdict = "ok" if seen.as_expected else "differs"
    return CheckResult(check, verdict, seen.text, time.monotonic() - started, seen.evidence)
