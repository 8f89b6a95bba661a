"""The context manager that both ways to run an embedded stack share."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Started(AbstractContextManager["Started"]):
    """Something that runs inside a `with` block: closed at its end, and if it fails to start."""

    @abstractmethod
    def _start(self) -> None:
        """Start; whatever has been started before an error is closed."""

    @abstractmethod
    def close(self) -> None:
        """End everything that has been started; may be called more than once."""

    def __enter__(self) -> Self:
        with ExitStack() as after_error:
            after_error.callback(self.close)
            self._start()
            after_error.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
