"""Images on their way to Lingma: a private file beside it, `image/upload`, the address that it then tells.

All of it is from the decompiled plugin (protocol page, image/upload: medium confidence); that `imageUri` may be a
`file:` address is assumed (low). The file is removed on every path.
"""

import asyncio
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lingma_gateway.errors import UpstreamRefused, UpstreamTimeout
from lingma_gateway.lingma.connection import Connection
from lingma_gateway.sessions.files import private_folder, replace

UPLOADED = "image/uploadResultNotification"
TIMEOUT_S = 10.0
"""As long as the plugin waits for the notification."""


class Uploads:
    """What is being uploaded to one Lingma, through files in `folder`."""

    def __init__(self, folder: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._folder = folder
        self._timeout_s = timeout_s
        self._waiting: dict[str, asyncio.Future[Mapping[str, Any]]] = {}

    def clear(self) -> None:
        """Remove what a gateway that was killed left behind."""
        for file in self._folder.glob("*"):
            file.unlink(missing_ok=True)

    def told(self, params: Mapping[str, Any]) -> None:
        """Lingma pushed how an upload ended."""
        result = params.get("result")
        request_id = result.get("requestId") if isinstance(result, dict) else None
        waiting = self._waiting.get(request_id) if isinstance(request_id, str) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(params)

    async def upload(self, connection: Connection, suffix: str, content: bytes) -> str:
        """The address by which a question names the image.

        Raises:
            UpstreamError: Lingma did not take it, or did not say so in time.
            OSError: the file cannot be written.
        """
        request_id = str(uuid.uuid4())
        private_folder(self._folder)
        file = (self._folder / f"{request_id}{suffix}").absolute()
        told = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        try:
            replace(file, content)
            asked = {"imageUri": file.as_uri(), "requestId": request_id}
            _address(await connection.request("image/upload", asked), required=False)
            async with asyncio.timeout(self._timeout_s):
                return _address(await told, required=True)
        except TimeoutError as error:
            raise UpstreamTimeout(f"Lingma did not say within {self._timeout_s:g} s that it has the image") from error
        finally:
            del self._waiting[request_id]
            file.unlink(missing_ok=True)


def _address(answer: Any, *, required: bool) -> str:
    """The address in Lingma's answer, which is not there at first.

    Raises:
        UpstreamRefused: it says that the upload failed, or names no address.
    """
    fields = answer if isinstance(answer, dict) else {}
    result = fields.get("result")
    result = result if isinstance(result, dict) else {}
    url = result.get("imageUrl")
    if fields.get("errorCode") or result.get("success") is False or (required and not url):
        raise UpstreamRefused(f"Lingma did not take the image: {str(fields.get('errorMessage') or 'no reason')[:200]}")
    return url if isinstance(url, str) else ""
