import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError, PermissionDeniedError

pytestmark = pytest.mark.anyio


async def test_create_retrieve_and_list(sdk: Sdk) -> None:
    one, two = [(await sdk.connected_account()).owner_user.id for _ in range(2)]
    as_one, as_two = await sdk.user(one), await sdk.user(two)
    made = await settle(
        as_one.dm_channels.create(with_user_ids=[two], company_id=sdk.hallpass.company_id, custom_name="Plans")
    )
    assert made.name == "Plans"
    assert made.created_at.isdigit()
    assert await settle(as_two.dm_channels.create(with_user_ids=[one])) == made
    assert await settle(as_two.dm_channels.retrieve(made.id)) == made
    sent = await settle(as_one.messages.create(channel_id=made.id, content="Hello"))
    listed = await collect(as_two.dm_channels.list(company_id=sdk.hallpass.company_id, first=1))
    assert [channel.id for channel in listed] == [made.id]
    assert listed[0].last_message_at == sent.created_at
    assert [message.id for message in await collect(as_two.messages.list(channel_id=made.id))] == [sent.id]


async def test_update_and_delete_are_for_admins(sdk: Sdk) -> None:
    one, two = [(await sdk.connected_account()).owner_user.id for _ in range(2)]
    as_one, as_two = await sdk.user(one), await sdk.user(two)
    channel = await settle(as_one.dm_channels.create(with_user_ids=[two]))
    assert (await settle(as_one.dm_channels.update(channel.id, custom_name="Plans"))).name == "Plans"
    for call in (
        lambda: as_two.dm_channels.update(channel.id, custom_name="Mine"),
        lambda: as_two.dm_channels.delete(channel.id),
    ):
        with pytest.raises(PermissionDeniedError):
            await settle(call())
    assert await settle(as_one.dm_channels.delete(channel.id)) is True
    with pytest.raises(NotFoundError):
        await settle(as_two.dm_channels.retrieve(channel.id))


async def test_stay_between_their_members(sdk: Sdk) -> None:
    one, two = [(await sdk.connected_account()).owner_user.id for _ in range(2)]
    channel = await settle((await sdk.user(one)).dm_channels.create(with_user_ids=[two]))
    for outsider in (sdk.owner, sdk.stranger, await sdk.ann()):
        with pytest.raises(NotFoundError):
            await settle(outsider.dm_channels.retrieve(channel.id))
        with pytest.raises(NotFoundError):
            await settle(outsider.messages.create(channel_id=channel.id, content="Hello"))
