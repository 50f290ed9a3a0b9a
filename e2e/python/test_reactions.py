import pytest
from conftest import Sdk, collect, settle
from whop_sdk import BadRequestError, NotFoundError, PermissionDeniedError, UnprocessableEntityError

pytestmark = pytest.mark.anyio


async def test_create_retrieve_list_delete(sdk: Sdk) -> None:
    channel = await sdk.channel()
    ann = await sdk.ann()
    message = await settle(ann.messages.create(channel_id=channel.id, content="Hello"))
    heart = await settle(ann.reactions.create(resource_id=message.id, emoji="\u2764\ufe0f"))
    assert (heart.emoji, heart.resource_id, heart.user.id) == (":heart:", message.id, sdk.hallpass.user("ann"))
    assert await settle(ann.reactions.create(resource_id=message.id, emoji=":heart:")) == heart
    assert await settle(ann.reactions.retrieve(heart.id)) == heart
    thumb = await settle(ann.reactions.create(resource_id=message.id, emoji="\U0001f44d\U0001f3fd"))
    assert thumb.emoji == ":+1:"
    listed = await collect(ann.reactions.list(resource_id=message.id, first=1))
    assert {reaction.id for reaction in listed} == {heart.id, thumb.id} and len(listed) == 2
    seen = await settle(ann.messages.retrieve(message.id))
    assert {count.emoji: count.count for count in seen.reaction_counts} == {":heart:": 1, ":+1:": 1}
    assert await settle(ann.reactions.delete(heart.id)) is True
    assert await settle(ann.reactions.delete(message.id, emoji=":+1:")) is True
    assert (await settle(ann.messages.retrieve(message.id))).reaction_counts == []
    with pytest.raises(NotFoundError):
        await settle(ann.reactions.retrieve(heart.id))


async def test_one_vote_that_moves(sdk: Sdk) -> None:
    channel = await sdk.channel()
    ann = await sdk.ann()
    options = [{"id": "1", "text": "Tea"}, {"id": "2", "text": "Coffee"}]
    asked = await settle(
        ann.messages.create(channel_id=channel.id, content="Which?", poll={"options": options})
    )
    vote = await settle(ann.reactions.create(resource_id=asked.id, poll_option_id="1"))
    assert vote.emoji is None
    moved = await settle(ann.reactions.create(resource_id=asked.id, poll_option_id="2"))
    assert moved.id == vote.id
    votes = (await settle(ann.messages.retrieve(asked.id))).poll_votes
    assert [(option.option_id, option.count) for option in votes] == [("1", 0), ("2", 1)]
    assert await settle(ann.reactions.delete(vote.id)) is True
    votes = (await settle(ann.messages.retrieve(asked.id))).poll_votes
    assert [option.count for option in votes] == [0, 0]


async def test_refuses_no_emoji_a_writer_a_stranger_and_a_closed_channel(sdk: Sdk) -> None:
    channel = await sdk.channel()
    ann = await sdk.ann()
    message = await settle(ann.messages.create(channel_id=channel.id, content="Hello"))
    for emoji in ("heart", ":no_such_emoji:"):
        with pytest.raises(UnprocessableEntityError):
            await settle(ann.reactions.create(resource_id=message.id, emoji=emoji))
    with pytest.raises(BadRequestError):
        await settle(ann.reactions.create(resource_id=message.id))
    writer = await sdk.user(sdk.hallpass.user("ann"), ("chat:message:create",))
    with pytest.raises(PermissionDeniedError):
        await settle(writer.reactions.create(resource_id=message.id, emoji=":heart:"))
    with pytest.raises(NotFoundError):
        await settle(sdk.stranger.reactions.create(resource_id=message.id, emoji=":heart:"))
    with pytest.raises(NotFoundError):
        await collect(sdk.stranger.reactions.list(resource_id=message.id))
    await settle(sdk.owner.chat_channels.update(channel.id, who_can_react="no_one"))
    with pytest.raises(PermissionDeniedError):
        await settle(ann.reactions.create(resource_id=message.id, emoji=":heart:"))
