"""Files that hold secrets: written whole or not at all, readable by their owner only."""

import os
import tempfile
from pathlib import Path


def private_folder(folder: Path) -> None:
    """A folder that only its owner can enter, whoever made it and whatever the umask."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def replace(path: Path, content: bytes) -> None:
    """Write a file of mode 0600 that is either the old or the new one at any time."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
