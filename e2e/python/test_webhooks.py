import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError, PermissionDeniedError

pytestmark = pytest.mark.anyio


@pytest.fixture
def receiver() -> Iterator[tuple[str, "Queue[tuple[dict[str, str], str]]"]]:
    """A URL on this machine, and what was posted to it."""
    got: Queue[tuple[dict[str, str], str]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            got.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hooks", got
    server.shutdown()
    server.server_close()


async def test_live_and_die(sdk: Sdk) -> None:
    company_id = sdk.hallpass.company_id
    made = await settle(sdk.owner.webhooks.create(url="https://a.example.com/", resource_id=company_id))
    assert made.webhook_secret.startswith("ws_")
    assert sorted(made.events) == ["chat.message.created", "chat.reaction.created"]
    shown = await settle(sdk.owner.webhooks.retrieve(made.id))
    assert (shown.id, shown.url, shown.resource_id) == (made.id, made.url, company_id)
    changed = await settle(
        sdk.owner.webhooks.update(
            made.id, url="https://b.example.com/", enabled=False, events=["payment.succeeded"], api_version="v5"
        )
    )
    assert (changed.url, changed.enabled, changed.events) == ("https://b.example.com/", False, ["payment.succeeded"])
    assert made.id in [each.id for each in await collect(sdk.owner.webhooks.list(company_id=company_id, first=2))]
    assert await settle(sdk.owner.webhooks.delete(made.id)) is True
    with pytest.raises(NotFoundError):
        await settle(sdk.owner.webhooks.retrieve(made.id))


async def test_a_message_is_told_as_unwrap_wants_it(sdk: Sdk, receiver: Any) -> None:
    url, got = receiver
    made = await settle(sdk.owner.webhooks.create(url=url, events=["chat.message.created"]))
    channel = await sdk.channel()
    sent = await settle(sdk.owner.messages.create(channel_id=channel.id, content="hello"))
    headers, body = got.get(timeout=5)
    key = base64.b64encode(made.webhook_secret.encode()).decode()
    event = sdk.owner.webhooks.unwrap(body, headers=headers, key=key)
    assert event.type == "chat.message.created"
    assert (event.data.message.id, event.data.message.content) == (sent.id, "hello")
    assert event.data.channel.id == channel.id
    with pytest.raises(Exception, match="(?i)signature"):
        sdk.owner.webhooks.unwrap(body.replace("hello", "hullo"), headers=headers, key=key)
    await settle(sdk.owner.webhooks.delete(made.id))


async def test_need_their_scope_and_stay_behind_the_wall(sdk: Sdk) -> None:
    made = await settle(sdk.owner.webhooks.create(url="https://a.example.com/"))
    with pytest.raises(PermissionDeniedError):
        await collect((await sdk.ann()).webhooks.list(company_id=sdk.hallpass.company_id))
    with pytest.raises(NotFoundError):
        await settle(sdk.stranger.webhooks.retrieve(made.id))
    await settle(sdk.owner.webhooks.delete(made.id))
