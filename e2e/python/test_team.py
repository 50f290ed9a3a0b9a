import pytest
from conftest import Sdk, collect, settle
from whop_sdk import BadRequestError, ConflictError, NotFoundError, PermissionDeniedError

pytestmark = pytest.mark.anyio


async def newcomer(sdk: Sdk) -> str:
    """A user of the demo company, on no team of it."""
    return (await sdk.connected_account()).owner_user.id


async def test_authorized_users_come_are_seen_and_go(sdk: Sdk) -> None:
    company_id, user_id = sdk.hallpass.company_id, await newcomer(sdk)
    team = sdk.owner.authorized_users
    made = await settle(team.create(company_id=company_id, user_id=user_id, role="moderator", send_emails=False))
    assert (made.role, made.company.id, made.user.id) == ("moderator", company_id, user_id)
    assert await settle(team.retrieve(made.id)) == made
    [listed] = await collect(team.list(company_id=company_id, user_id=user_id, role="moderator", first=1))
    assert listed.id == made.id
    assert await settle(team.delete(made.id, company_id=company_id)) is True
    with pytest.raises(NotFoundError):
        await settle(team.retrieve(made.id))


async def test_the_owner_stays_and_walls_hold(sdk: Sdk) -> None:
    company_id = sdk.hallpass.company_id
    owners = await collect(sdk.owner.authorized_users.list(company_id=company_id, role="owner"))
    with pytest.raises(ConflictError):
        await settle(sdk.owner.authorized_users.delete(owners[-1].id))
    with pytest.raises(NotFoundError):
        await collect(sdk.stranger.authorized_users.list(company_id=company_id))
    with pytest.raises(PermissionDeniedError):
        await collect((await sdk.ann()).authorized_users.list(company_id=company_id))
    with pytest.raises(BadRequestError):
        await settle(
            sdk.owner.authorized_users.create(company_id=company_id, user_id="ann@example.com", role="moderator")
        )


async def test_check_access(sdk: Sdk) -> None:
    for resource in (sdk.hallpass.company_id, sdk.hallpass.experience_id):
        access = await settle(sdk.owner.users.check_access(resource, id=sdk.hallpass.user("ann")))
        assert (access.has_access, access.access_level) == (True, "customer")
    with pytest.raises(NotFoundError):
        await settle(sdk.stranger.users.check_access(sdk.hallpass.company_id, id=sdk.hallpass.user("ann")))
