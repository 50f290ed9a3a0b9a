"""The official Python SDK, sync and async, with strict validation of every answer, against one server."""

import inspect
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hallpass_dev import Hallpass, hallpass_dev
from whop_sdk import AsyncWhop, DefaultAsyncHttpxClient, DefaultHttpxClient, Whop


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def hallpass() -> Iterator[Hallpass]:
    with hallpass_dev() as running:
        yield running


async def settle(result: Any) -> Any:
    """The value of a call, whichever of the two clients made it."""
    return await result if inspect.isawaitable(result) else result


async def collect(pages: Any) -> list[Any]:
    """Every item of a list call, page after page, as the SDK walks them."""
    if hasattr(pages, "__aiter__"):
        return [item async for item in pages]
    return list(pages)


@dataclass
class Sdk:
    """Clients of one kind, and the fixtures tests build with them."""

    kind: str
    hallpass: Hallpass
    requests: list[httpx.Request] = field(default_factory=list)
    open_clients: AsyncExitStack = field(default_factory=AsyncExitStack)

    def client(self, api_key: str) -> Any:
        """The official client, with nothing changed but the host, and strict about what it is told."""
        options: dict[str, Any] = {
            "api_key": api_key,
            "base_url": self.hallpass.base_url,
            "_strict_response_validation": True,
        }
        if self.kind == "sync":
            http = DefaultHttpxClient(event_hooks={"request": [self.requests.append]})
            client = Whop(http_client=http, **options)
            self.open_clients.callback(client.close)
            return client

        async def record(request: httpx.Request) -> None:
            self.requests.append(request)

        http = DefaultAsyncHttpxClient(event_hooks={"request": [record]})
        client = AsyncWhop(http_client=http, **options)
        self.open_clients.push_async_callback(client.close)
        return client

    @property
    def owner(self) -> Any:
        """With the demo company's owner key."""
        return self.client(self.hallpass.api_key)

    @property
    def stranger(self) -> Any:
        """With the key of the other company, from behind the wall."""
        return self.client(self.hallpass.other["api_key"])

    async def user(self, user_id: str, scoped_actions: tuple[str, ...] = ()) -> Any:
        """As this user of the demo company, with all that the role allows or only `scoped_actions`."""
        minted = await settle(
            self.owner.access_tokens.create(
                company_id=self.hallpass.company_id, user_id=user_id, scoped_actions=list(scoped_actions)
            )
        )
        return self.client(minted.token)

    async def ann(self) -> Any:
        return await self.user(self.hallpass.user("ann"))

    async def connected_account(self, **more: Any) -> Any:
        return await settle(
            self.owner.companies.create(
                email=f"{uuid.uuid4()}@example.com",
                parent_company_id=self.hallpass.company_id,
                title="A connected account",
                **more,
            )
        )

    async def channel(self) -> Any:
        """A public chat channel of its own."""
        experience = await settle(
            self.owner.experiences.create(
                app_id=self.hallpass.app_id, company_id=self.hallpass.company_id, is_public=True, name="A channel"
            )
        )
        return await settle(self.owner.chat_channels.retrieve(experience.id))


@pytest.fixture(params=["sync", "async"])
async def sdk(request: pytest.FixtureRequest, hallpass: Hallpass) -> AsyncIterator[Sdk]:
    sdk = Sdk(request.param, hallpass)
    async with sdk.open_clients:
        yield sdk
