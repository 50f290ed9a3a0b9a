import struct
import zlib
from typing import Any

import httpx
import pytest
from conftest import Sdk, settle
from whop_sdk import NotFoundError

pytestmark = pytest.mark.anyio


def png(width: int = 8, height: int = 8) -> bytes:
    """A red picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + b"\xff\0\0" * width) * height
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


async def uploaded(client: Any, filename: str, content: bytes, **more: Any) -> Any:
    made = await settle(client.files.create(filename=filename, **more))
    assert (made.upload_status, made.url, made.content_type, made.size) == ("pending", None, None, None)
    assert httpx.put(made.upload_url, content=content, headers={"content-type": "application/x-as-if"}).is_success
    return await settle(client.files.retrieve(made.id))


async def test_create_send_retrieve(sdk: Sdk) -> None:
    for client in (sdk.owner, await sdk.ann()):
        file = await uploaded(client, "notes.txt", b"notes")
        assert (file.upload_status, file.visibility, file.content_type) == ("ready", "public", "text/plain")
        assert file.size == "5"
        assert httpx.get(file.url).text == "notes"


async def test_a_private_file_is_read_by_a_signed_link(sdk: Sdk) -> None:
    file = await uploaded(sdk.owner, "secret.txt", b"secret", visibility="private")
    served = httpx.get(file.url)
    assert (served.text, served.headers["cache-control"]) == ("secret", "private, no-store")
    assert httpx.get(file.url.split("?")[0]).status_code == 404


async def test_a_file_is_its_makers(sdk: Sdk) -> None:
    file = await uploaded(sdk.owner, "a.txt", b"a")
    for other in (await sdk.ann(), sdk.stranger):
        with pytest.raises(NotFoundError):
            await settle(other.files.retrieve(file.id))


async def test_a_company_specific_picture(sdk: Sdk) -> None:
    user_id = (await sdk.connected_account()).owner_user.id
    picture = await uploaded(sdk.owner, "me.png", png(300, 200))
    update = sdk.owner.users.update(
        user_id, account_id=sdk.hallpass.company_id, profile_picture={"id": picture.id}
    )
    shown = await settle(update)
    assert shown.profile_picture is not None
    served = httpx.get(shown.profile_picture["url"])
    assert (served.status_code, served.headers["content-type"]) == (200, "image/jpeg")
    assert (await settle(sdk.owner.users.retrieve(user_id))).profile_picture is None


async def test_attachments_of_a_message(sdk: Sdk) -> None:
    ann, channel = await sdk.ann(), await sdk.channel()
    file = await uploaded(ann, "plan.txt", b"a plan")
    create = ann.messages.create(channel_id=channel.id, content="read", attachments=[{"id": file.id}])
    said = await settle(create)
    seen = await settle(sdk.owner.messages.retrieve(said.id))
    [attachment] = seen.to_dict()["attachments"]
    assert attachment["id"] == file.id
    assert httpx.get(attachment["url"]).text == "a plan"
