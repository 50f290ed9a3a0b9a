import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError

pytestmark = pytest.mark.anyio


async def test_create_enrols_a_user_and_retrieve_gives_the_same(sdk: Sdk) -> None:
    made = await sdk.connected_account(metadata={"internal_user_id": "user_12345"})
    assert made.owner_user.id.startswith("user_")
    assert made.metadata == {"internal_user_id": "user_12345"}
    assert await settle(sdk.owner.companies.retrieve(made.id)) == made


async def test_update_changes_what_is_given(sdk: Sdk) -> None:
    made = await sdk.connected_account()
    links = [{"url": "https://example.com/", "website": "website"}]
    changed = await settle(
        sdk.owner.companies.update(made.id, title="Another title", description="What it does", social_links=links)
    )
    assert (changed.title, changed.description) == ("Another title", "What it does")
    assert [(link.url, link.website) for link in changed.social_links] == [("https://example.com/", "website")]
    assert changed.owner_user == made.owner_user


async def test_list_walks_the_connected_accounts(sdk: Sdk) -> None:
    made = [(await sdk.connected_account()).id for _ in range(3)]
    query = {"parent_company_id": sdk.hallpass.company_id, "first": 2}
    ascending = [company.id for company in await collect(sdk.owner.companies.list(**query, direction="asc"))]
    assert ascending[-3:] == made
    descending = [company.id for company in await collect(sdk.owner.companies.list(**query, direction="desc"))]
    assert descending == ascending[::-1]


async def test_create_api_key_makes_a_key_for_the_child_alone(sdk: Sdk) -> None:
    child = await sdk.connected_account()
    key = await settle(
        sdk.owner.companies.create_api_key(sdk.hallpass.company_id, child_company_id=child.id, role="admin")
    )
    keyed = sdk.client(key.secret_key)
    assert (await settle(keyed.companies.retrieve(child.id))).id == child.id
    with pytest.raises(NotFoundError):
        await settle(keyed.companies.retrieve(sdk.hallpass.company_id))


async def test_stay_behind_their_tenants_wall(sdk: Sdk) -> None:
    with pytest.raises(NotFoundError):
        await settle(sdk.stranger.companies.retrieve(sdk.hallpass.company_id))
