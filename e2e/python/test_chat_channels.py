import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError, PermissionDeniedError, UnprocessableEntityError

pytestmark = pytest.mark.anyio


async def test_list_holds_the_demo_channel_once(sdk: Sdk) -> None:
    listed = await collect(sdk.owner.chat_channels.list(company_id=sdk.hallpass.company_id, first=2))
    assert [channel.id for channel in listed].count(sdk.hallpass.channel_id) == 1


async def test_retrieve_takes_either_id(sdk: Sdk) -> None:
    by_feed = await settle(sdk.owner.chat_channels.retrieve(sdk.hallpass.channel_id))
    assert by_feed.experience.id == sdk.hallpass.experience_id
    assert await settle(sdk.owner.chat_channels.retrieve(sdk.hallpass.experience_id)) == by_feed


async def test_update_changes_the_rules_and_they_hold(sdk: Sdk) -> None:
    channel = await sdk.channel()
    changed = await settle(
        sdk.owner.chat_channels.update(
            channel.id,
            ban_media=True,
            ban_urls=True,
            banned_words=["forbidden"],
            user_posts_cooldown_seconds=30,
            who_can_post="everyone",
            who_can_react="no_one",
        )
    )
    assert (changed.ban_media, changed.ban_urls, changed.banned_words) == (True, True, ["forbidden"])
    assert (changed.user_posts_cooldown_seconds, changed.who_can_react) == (30, "no_one")
    ann = await sdk.ann()
    with pytest.raises(UnprocessableEntityError) as refused:
        await settle(ann.messages.create(channel_id=channel.id, content="forbidden"))
    assert refused.value.body["error"]["code"]
    relaxed = await settle(sdk.owner.chat_channels.update(channel.id, user_posts_cooldown_seconds=None))
    assert relaxed.user_posts_cooldown_seconds is None


async def test_need_their_scopes_and_stay_behind_the_wall(sdk: Sdk) -> None:
    with pytest.raises(PermissionDeniedError):
        await settle((await sdk.ann()).chat_channels.update(sdk.hallpass.channel_id, ban_urls=True))
    with pytest.raises(NotFoundError):
        await settle(sdk.stranger.chat_channels.retrieve(sdk.hallpass.channel_id))
