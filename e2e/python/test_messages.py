import pytest
from conftest import Sdk, collect, settle
from whop_sdk import ConflictError, NotFoundError, PermissionDeniedError, UnprocessableEntityError

pytestmark = pytest.mark.anyio


async def test_create_retrieve_update_delete(sdk: Sdk) -> None:
    channel = await sdk.channel()
    ann = await sdk.ann()
    sent = await settle(ann.messages.create(channel_id=channel.id, content="Frist"))
    assert (sent.content, sent.user.id, sent.is_edited) == ("Frist", sdk.hallpass.user("ann"), False)
    assert await settle(ann.messages.retrieve(sent.id)) == sent
    edited = await settle(ann.messages.update(sent.id, content="First"))
    assert (edited.content, edited.is_edited) == ("First", True)
    assert await settle(ann.messages.delete(sent.id)) is True
    with pytest.raises(NotFoundError):
        await settle(ann.messages.retrieve(sent.id))


async def test_replies_mentions_and_pins(sdk: Sdk) -> None:
    channel = await sdk.channel()
    ann = await sdk.ann()
    question = await settle(ann.messages.create(channel_id=channel.id, content="A question for @ben"))
    assert question.mentions == [sdk.hallpass.user("ben")]
    answer = await settle(
        ann.messages.create(channel_id=channel.id, content="An answer", replying_to_message_id=question.id)
    )
    assert answer.replying_to_message_id == question.id
    moderator = await sdk.user(sdk.hallpass.user_with_role("moderator"))
    assert (await settle(moderator.messages.update(answer.id, is_pinned=True))).is_pinned


async def test_list_walks_every_message_once_in_both_directions(sdk: Sdk) -> None:
    channel = await sdk.channel()
    ann = await sdk.ann()
    contents = [str(n) for n in range(7)]
    for content in contents:
        await settle(ann.messages.create(channel_id=channel.id, content=content))
    ascending = await collect(ann.messages.list(channel_id=channel.id, first=3, direction="asc"))
    assert [message.content for message in ascending] == contents
    descending = await collect(ann.messages.list(channel_id=channel.id, first=3, direction="desc"))
    assert [message.content for message in descending] == contents[::-1]


async def test_pages_step_by_hand(sdk: Sdk) -> None:
    channel = await sdk.channel()
    ann = await sdk.ann()
    for n in range(4):
        await settle(ann.messages.create(channel_id=channel.id, content=str(n)))
    first = await settle(ann.messages.list(channel_id=channel.id, first=2, direction="asc"))
    assert first.has_next_page()
    second = await settle(first.get_next_page())
    assert [message.content for message in second.data] == ["2", "3"]
    assert not second.has_next_page()


async def test_the_same_idempotency_key_posts_once_and_another_body_is_refused_once(sdk: Sdk) -> None:
    channel = await sdk.channel()
    ann = await sdk.ann()
    key = {"Idempotency-Key": channel.id}
    first = await settle(ann.messages.create(channel_id=channel.id, content="One", extra_headers=key))
    assert await settle(ann.messages.create(channel_id=channel.id, content="One", extra_headers=key)) == first
    before = len(sdk.requests)
    with pytest.raises(ConflictError):
        await settle(ann.messages.create(channel_id=channel.id, content="Two", extra_headers=key))
    assert len(sdk.requests) == before + 1


async def test_refuses_a_nul_byte_a_reader_and_a_stranger(sdk: Sdk) -> None:
    channel = await sdk.channel()
    with pytest.raises(UnprocessableEntityError):
        await settle((await sdk.ann()).messages.create(channel_id=channel.id, content="NUL \0 byte"))
    reader = await sdk.user(sdk.hallpass.user("ann"), ("chat:read",))
    with pytest.raises(PermissionDeniedError):
        await settle(reader.messages.create(channel_id=channel.id, content="Hello"))
    with pytest.raises(NotFoundError):
        await collect(sdk.stranger.messages.list(channel_id=channel.id))
