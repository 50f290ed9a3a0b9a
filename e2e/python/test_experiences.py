import pytest
from conftest import Sdk, collect, settle
from whop_sdk import NotFoundError, PermissionDeniedError

pytestmark = pytest.mark.anyio


async def create(sdk: Sdk, company_id: str | None = None, name: str = "General"):
    return await settle(
        sdk.owner.experiences.create(
            app_id=sdk.hallpass.app_id, company_id=company_id or sdk.hallpass.company_id, is_public=True, name=name
        )
    )


async def test_create_retrieve_and_update(sdk: Sdk) -> None:
    made = await create(sdk)
    assert (made.name, made.is_public, made.products) == ("General", True, [])
    assert await settle(sdk.owner.experiences.retrieve(made.id)) == made
    changed = await settle(sdk.owner.experiences.update(made.id, name="Renamed", access_level="private", order="1.5"))
    assert (changed.name, changed.is_public, changed.order) == ("Renamed", False, "1.5")


async def test_attach_detach_and_duplicate(sdk: Sdk) -> None:
    made = await create(sdk)
    product_id = f"prod_{made.id.removeprefix('exp_')}"
    attached = await settle(sdk.owner.experiences.attach(made.id, product_id=product_id))
    assert [(product.id, product.title) for product in attached.products] == [(product_id, product_id)]
    copy = await settle(sdk.owner.experiences.duplicate(made.id, name="A copy"))
    assert (copy.name, [product.id for product in copy.products]) == ("A copy", [product_id])
    assert (await settle(sdk.owner.experiences.detach(made.id, product_id=product_id))).products == []


async def test_list_walks_the_companys(sdk: Sdk) -> None:
    company = await sdk.connected_account()
    made = {(await create(sdk, company.id, f"Number {n}")).id for n in range(3)}
    listed = await collect(sdk.owner.experiences.list(company_id=company.id, first=2))
    assert len(listed) == 3
    assert {experience.id for experience in listed} == made


async def test_delete_answers_true_once(sdk: Sdk) -> None:
    made = await create(sdk)
    assert await settle(sdk.owner.experiences.delete(made.id)) is True
    with pytest.raises(NotFoundError):
        await settle(sdk.owner.experiences.delete(made.id))


async def test_need_their_scopes(sdk: Sdk) -> None:
    ann = await sdk.ann()
    with pytest.raises(PermissionDeniedError):
        await settle(ann.experiences.create(app_id=sdk.hallpass.app_id, company_id=sdk.hallpass.company_id))
