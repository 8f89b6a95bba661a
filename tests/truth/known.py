"""The known differences between what must hold and what MiniStack shows, with a judgement."""

from __future__ import annotations

from tests.truth.verdicts import Known

MINISTACK: tuple[Known, ...] = ()
