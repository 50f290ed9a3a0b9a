import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError, PermissionDeniedError

pytestmark = pytest.mark.anyio


async def test_create_retrieve_list_and_write(sdk: Sdk) -> None:
    company_id = sdk.hallpass.company_id
    user_id = (await sdk.connected_account()).owner_user.id
    customer = await sdk.user(user_id)
    made = await settle(sdk.owner.support_channels.create(company_id=company_id, user_id=user_id, custom_name="Help"))
    assert (made.company_id, made.custom_name, made.resolved_at) == (company_id, "Help", None)
    assert made.customer_user is not None and made.customer_user.id == user_id
    assert await settle(sdk.owner.support_channels.create(company_id=company_id, user_id=user_id)) == made
    assert await settle(customer.support_channels.retrieve(made.id)) == made
    sent = await settle(customer.messages.create(channel_id=made.id, content="How?"))
    answer = await settle(sdk.owner.messages.create(channel_id=made.id, content="So"))
    assert [m.id for m in await collect(customer.messages.list(channel_id=made.id))] == [answer.id, sent.id]
    open_ones = await collect(
        sdk.owner.support_channels.list(company_id=company_id, open=True, order="last_post_sent_at", first=2)
    )
    assert made.id in [channel.id for channel in open_ones]
    resolved_ones = await collect(sdk.owner.support_channels.list(company_id=company_id, open=False, view="admin"))
    assert made.id not in [channel.id for channel in resolved_ones]
    assert [c.id for c in await collect(customer.support_channels.list())] == [made.id]
    assert made.id in [channel.id for channel in await collect(customer.dm_channels.list())]


async def test_only_the_team_opens_them_and_only_the_customer_reads_them(sdk: Sdk) -> None:
    company_id = sdk.hallpass.company_id
    user_id = (await sdk.connected_account()).owner_user.id
    made = await settle(sdk.owner.support_channels.create(company_id=company_id, user_id=user_id))
    ann = await sdk.ann()
    with pytest.raises(PermissionDeniedError):
        await settle(ann.support_channels.create(company_id=company_id, user_id=sdk.hallpass.user("ann")))
    for outsider in (ann, sdk.stranger):
        with pytest.raises(NotFoundError):
            await settle(outsider.support_channels.retrieve(made.id))
