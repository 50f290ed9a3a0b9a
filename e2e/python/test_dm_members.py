import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError, PermissionDeniedError

pytestmark = pytest.mark.anyio


async def test_list_add_update_and_remove(sdk: Sdk) -> None:
    one, two, three = [(await sdk.connected_account()).owner_user.id for _ in range(3)]
    as_one, as_two, as_three = [await sdk.user(user) for user in (one, two, three)]
    channel = await settle(as_one.dm_channels.create(with_user_ids=[two]))
    listed = await collect(as_two.dm_members.list(channel_id=channel.id, first=1))
    assert {member.user_id for member in listed} == {one, two}
    assert {member.status for member in listed} == {"accepted"}
    with pytest.raises(PermissionDeniedError):
        await settle(as_two.dm_members.create(channel_id=channel.id, user_id=three))
    added = await settle(as_one.dm_members.create(channel_id=channel.id, user_id=three))
    assert (added.user_id, added.notification_preference, added.last_viewed_at) == (three, "all", None)
    assert await settle(as_three.dm_members.retrieve(added.id)) == added
    changed = await settle(
        as_three.dm_members.update(added.id, status="archived", notification_preference="mentions")
    )
    assert (changed.status, changed.notification_preference) == ("archived", "mentions")
    await settle(as_three.messages.create(channel_id=channel.id, content="Hello"))
    seen = await settle(as_one.dm_members.retrieve(added.id))
    assert seen.last_viewed_at is not None and seen.last_viewed_at.isdigit()
    assert await settle(as_one.dm_members.delete(added.id)) is True
    with pytest.raises(NotFoundError):
        await settle(as_three.messages.list(channel_id=channel.id))
