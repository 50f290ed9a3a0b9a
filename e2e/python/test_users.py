import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError

pytestmark = pytest.mark.anyio


async def test_retrieve_by_id_by_username_and_as_me(sdk: Sdk) -> None:
    ann = sdk.hallpass.user("ann")
    by_id = await settle(sdk.owner.users.retrieve(ann, account_id=sdk.hallpass.company_id))
    assert by_id.username == "ann"
    assert await settle(sdk.owner.users.retrieve("ann", account_id=sdk.hallpass.company_id)) == by_id
    assert (await settle((await sdk.ann()).users.retrieve("me"))).id == ann


async def test_update_sets_what_the_company_shows(sdk: Sdk) -> None:
    user_id = (await sdk.connected_account()).owner_user.id
    company_id = sdk.hallpass.company_id
    before = await settle(sdk.owner.users.retrieve(user_id))
    assert (
        await settle(sdk.owner.users.update(user_id, account_id=company_id, name="Shown here"))
    ).name == "Shown here"
    assert (await settle(sdk.owner.users.retrieve(user_id, account_id=company_id))).name == "Shown here"
    assert await settle(sdk.owner.users.retrieve(user_id)) == before


async def test_update_takes_company_id_in_the_body_as_older_clients_send_it(sdk: Sdk) -> None:
    user_id = (await sdk.connected_account()).owner_user.id
    company_id = sdk.hallpass.company_id
    before = await settle(sdk.owner.users.retrieve(user_id))
    older = {"company_id": company_id}
    assert (await settle(sdk.owner.users.update(user_id, name="Shown here", extra_body=older))).name == "Shown here"
    assert await settle(sdk.owner.users.retrieve(user_id)) == before


async def test_update_me_changes_the_own_profile(sdk: Sdk) -> None:
    user_id = (await sdk.connected_account()).owner_user.id
    own = await sdk.user(user_id)
    assert (await settle(own.users.update_me(name="Mine", bio="About me"))).name == "Mine"
    company_id = sdk.hallpass.company_id
    assert (await settle(own.users.update_me(account_id=company_id, name="Mine, here"))).name == "Mine, here"
    assert (await settle(own.users.retrieve("me"))).name == "Mine"


async def test_list_walks_the_keys_users(sdk: Sdk) -> None:
    listed = [user.id for user in await collect(sdk.owner.users.list(first=2))]
    assert len(set(listed)) == len(listed)
    assert {sdk.hallpass.user(name) for name in ("ann", "ben", "cleo")} <= set(listed)
    assert sdk.hallpass.other["user_id"] not in listed


async def test_stay_behind_their_tenants_wall(sdk: Sdk) -> None:
    with pytest.raises(NotFoundError):
        await settle(sdk.owner.users.retrieve(sdk.hallpass.other["user_id"]))
