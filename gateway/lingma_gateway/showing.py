"""Shows a turn's images to Lingma, as far as the model can see them; the others become placeholders."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from lingma_contract.jsonlog import event
from lingma_gateway import media
from lingma_gateway.conversation import Media, MediaKind, Message, Turn
from lingma_gateway.errors import InvalidRequest, UpstreamError
from lingma_gateway.lingma.instance import Instance
from lingma_gateway.prompting.prompt import placeholder
from lingma_gateway.record import TurnRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a question's images Lingma has."""

    urls: tuple[str, ...] = ()
    labels: tuple[tuple[Media, str], ...] = ()
    """How the prompt names each image that Lingma has."""

    def label(self, one: Media) -> str:
        """What stands for it in the prompt."""
        return next((label for shown, label in self.labels if shown is one), placeholder(one))


@dataclass(frozen=True, slots=True)
class Showing:
    """What is done about media."""

    upload: bool
    """Whether images are given to Lingma at all."""
    reject: bool
    """Refuse a request with media that the model cannot see, instead of putting placeholders."""

    def check(self, turn: Turn, instance: Instance, model: str, record: TurnRecord) -> None:
        """Note what the model cannot see of the whole conversation.

        Raises:
            InvalidRequest: there is such a part, and it is to be refused.
        """
        blind = media.unseen(media.of(turn.messages), sees_images=self._sees(instance, model))
        if blind and self.reject:
            kind = blind[0].kind.value
            raise InvalidRequest(f"the model {model} cannot see {blind[0].where} ({kind})", param=blind[0].where)
        record.degraded += (each.kind.value for each in blind)

    async def show(self, messages: Sequence[Message], instance: Instance, model: str, record: TurnRecord) -> Shown:
        """Give Lingma the images of a question. One that it does not take becomes a placeholder.

        Raises:
            UpstreamError: it does not take one, and placeholders are not wanted.
        """
        if not self._sees(instance, model):
            return Shown()
        seen = [(one, found) for one in media.of(messages) if (found := media.image(one)) is not None]
        record.degraded += (one.kind.value for one, _ in seen[: -media.MAX_IMAGES])
        newest = seen[-media.MAX_IMAGES :]
        uploads = (instance.uploads.upload(instance.connection(), *found) for _, found in newest)
        ended = await asyncio.gather(*uploads, return_exceptions=True)
        taken: list[tuple[Media, str]] = []
        for (one, _), url in zip(newest, ended, strict=True):
            if isinstance(url, str):
                taken.append((one, url))
            else:
                self._missed(url, instance, record)
        labels = ((one, f"[image {number}]") for number, (one, _) in enumerate(taken, 1))
        return Shown(tuple(url for _, url in taken), tuple(labels))

    def _sees(self, instance: Instance, model: str) -> bool:
        return self.upload and any(each.key == model and each.sees_images for each in instance.models)

    def _missed(self, error: BaseException, instance: Instance, record: TurnRecord) -> None:
        """An image did not get to Lingma."""
        if self.reject or not isinstance(error, UpstreamError | OSError):
            raise error
        reason = error.message if isinstance(error, UpstreamError) else f"{error.strerror}"
        event(log, "image_not_uploaded", level=logging.WARNING, instance=instance.name, reason=reason[:200])
        record.degraded.append(MediaKind.IMAGE.value)
