import uuid

import pytest
from conftest import Sdk, collect, settle
from whop_sdk import BadRequestError, NotFoundError

pytestmark = pytest.mark.anyio


async def test_an_account_is_made_changed_and_listed(sdk: Sdk) -> None:
    accounts = sdk.owner.accounts
    made = await settle(accounts.create(email=f"{uuid.uuid4()}@example.com", metadata={"external_id": "u1"}))
    assert (made.title, made.parent_account_id) == ("u1", sdk.hallpass.company_id)
    assert (await settle(accounts.retrieve(made.id))).id == made.id
    changed = await settle(accounts.update(made.id, title="After", require_2fa=True))
    assert (changed.title, changed.require_2fa) == ("After", False)
    assert made.id in [each.id for each in await collect(accounts.list(first=50))]
    assert (await settle(accounts.me())).id == sdk.hallpass.company_id


async def test_an_address_is_required_and_walls_hold(sdk: Sdk) -> None:
    with pytest.raises(BadRequestError):
        await settle(sdk.owner.accounts.create(title="Nobody's"))
    with pytest.raises(NotFoundError):
        await settle(sdk.stranger.accounts.retrieve(sdk.hallpass.company_id))
