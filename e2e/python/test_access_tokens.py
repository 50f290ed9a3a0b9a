from datetime import UTC, datetime, timedelta

import pytest
from conftest import Sdk, settle
from whop_sdk import AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError

pytestmark = pytest.mark.anyio


async def test_mints_for_an_hour_by_default(sdk: Sdk) -> None:
    minted = await settle(
        sdk.owner.access_tokens.create(company_id=sdk.hallpass.company_id, user_id=sdk.hallpass.user("ann"))
    )
    assert abs(minted.expires_at - datetime.now(UTC) - timedelta(hours=1)) < timedelta(minutes=1)
    me = await settle(sdk.client(minted.token).users.retrieve("me"))
    assert me.id == sdk.hallpass.user("ann")


async def test_sends_the_version_of_its_dialect(sdk: Sdk) -> None:
    await sdk.ann()
    assert sdk.requests[0].headers["api-version-date"] == "2026-07-08-1"


async def test_refuses_an_unknown_scope_and_a_missing_user(sdk: Sdk) -> None:
    company_id, user_id = sdk.hallpass.company_id, sdk.hallpass.user("ann")
    with pytest.raises(BadRequestError) as unknown:
        await settle(
            sdk.owner.access_tokens.create(company_id=company_id, user_id=user_id, scoped_actions=["chat:everything"])
        )
    assert unknown.value.body["error"]["param"].startswith("scoped_actions")
    with pytest.raises(BadRequestError) as missing:
        await settle(sdk.owner.access_tokens.create(company_id=company_id))
    assert missing.value.body["error"]["param"] == "user_id"


async def test_refuses_a_stranger_and_a_user_token(sdk: Sdk) -> None:
    ask = {"company_id": sdk.hallpass.company_id, "user_id": sdk.hallpass.user("ann")}
    with pytest.raises(NotFoundError):
        await settle(sdk.stranger.access_tokens.create(**ask))
    with pytest.raises(PermissionDeniedError):
        await settle((await sdk.ann()).access_tokens.create(**ask))


async def test_refuses_a_key_that_is_none(sdk: Sdk) -> None:
    with pytest.raises(AuthenticationError):
        await settle(sdk.client("nonsense").access_tokens.create(company_id=sdk.hallpass.company_id))
