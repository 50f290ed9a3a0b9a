import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError, PermissionDeniedError

pytestmark = pytest.mark.anyio


async def test_list_walks_the_company_and_filters(sdk: Sdk) -> None:
    company_id = sdk.hallpass.company_id
    people = {sdk.hallpass.user(name) for name in ("ann", "ben", "cleo")}
    listed = [member.user.id for member in await collect(sdk.owner.members.list(company_id=company_id, first=2))]
    assert len(set(listed)) == len(listed)
    assert people <= set(listed)
    some = sorted(people)[:2]
    filtered = await collect(
        sdk.owner.members.list(company_id=company_id, user_ids=some, statuses=["joined"], order="created_at")
    )
    assert sorted(member.user.id for member in filtered) == some


async def test_retrieve_gives_the_member_with_its_company(sdk: Sdk) -> None:
    company_id, ann = sdk.hallpass.company_id, sdk.hallpass.user("ann")
    [listed] = await collect(sdk.owner.members.list(company_id=company_id, user_ids=[ann]))
    member = await settle(sdk.owner.members.retrieve(listed.id))
    assert (member.company.id, member.user.id, member.status) == (company_id, ann, "joined")


async def test_need_the_member_scopes_and_stay_behind_the_wall(sdk: Sdk) -> None:
    with pytest.raises(PermissionDeniedError):
        await collect((await sdk.ann()).members.list(company_id=sdk.hallpass.company_id))
    with pytest.raises(NotFoundError):
        await collect(sdk.stranger.members.list(company_id=sdk.hallpass.company_id))
