"""The files of checkpoints: whole or not there, and of one training at a time."""

import contextlib
import errno
import hashlib
import re
import warnings
from pathlib import Path

import keras
from filelock import FileLock, Timeout

from kerasadv.training.run_files import weights_of, write_bytes

_NAME = re.compile(r"epoch-(\d+)-step-(\d+)-([0-9a-f]{16})\.weights\.h5")
# The newest, and the one to fall back on if the disk spoils that.
_KEPT = 2
# What disks say that know no locks.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def progress(path: Path) -> tuple[int, int]:
    """The epochs that a checkpoint has behind it, and the steps of the next one."""
    epoch, steps, _ = _NAME.fullmatch(path.name).groups()  # type: ignore[union-attr]
    return int(epoch), int(steps)


class CheckpointFolder:
    """A directory with the last two checkpoints of a training.

    Args:
        directory: Made when it is claimed, if needed.
    """

    def __init__(self, directory: Path):
        self.directory = directory
        # One for the process, where a training that was interrupted may not have let go of it. Not
        # a file whose presence locks, which would stay after a kill.
        self._lock = FileLock(
            directory / ".lock", timeout=0, is_singleton=True, fallback_to_soft=False
        )

    def all(self) -> list[Path]:
        """The checkpoints there are, the newest first."""
        found = [path for path in self.directory.glob("epoch-*") if _NAME.fullmatch(path.name)]
        return sorted(found, key=progress, reverse=True)

    def newest(self) -> Path | None:
        """The newest that is what was written; others are passed over with a warning."""
        for path in self.all():
            with contextlib.suppress(OSError):
                if _digest(path.read_bytes()) in path.name:
                    return path
            warnings.warn(f"{path}: is not what was written, and is passed over", stacklevel=3)
        return None

    def claim(self) -> None:
        """Let no other process train here until `release`, or the end of this one.

        Raises:
            OSError: If another one does, or nothing can be written there.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            if not self._lock.is_locked:
                self._lock.acquire()
        except Timeout:
            raise OSError(
                f"{self.directory}: another training, which has not ended, writes there"
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                message = f"{self.directory}: cannot write checkpoints there ({error})"
                raise OSError(message) from error

    def release(self) -> None:
        """Let others train here."""
        self._lock.release(force=True)

    def write(self, model: keras.Model, epoch: int, steps: int) -> None:
        """Write a checkpoint, and remove what is not needed any more.

        Raises:
            OSError: If it cannot be written; the message names the file.
        """
        data = weights_of(model)
        name = f"epoch-{epoch:04d}-step-{steps:06d}-{_digest(data)}.weights.h5"
        path = self.directory / name
        write_bytes(path, data)
        # Those of later epochs are of a training that could not go on after them.
        kept = [p for p in self.all() if progress(p) < (epoch, steps)][: _KEPT - 1]
        for old in self.directory.glob("epoch-*"):  # Or what a killed one had half written.
            if old not in (path, *kept):
                old.unlink(missing_ok=True)


def _digest(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
