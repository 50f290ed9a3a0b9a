import pytest
from conftest import Sdk, collect, settle
from whop_sdk import BadRequestError, NotFoundError

pytestmark = pytest.mark.anyio


async def test_an_app_is_made_with_two_credentials_shown_once(sdk: Sdk) -> None:
    uris = ["http://localhost:3000/cb", "https://myapp.com/cb"]
    app = await settle(sdk.owner.apps.create(company_id=sdk.hallpass.company_id, name="An app", redirect_uris=uris))
    assert app.redirect_uris == uris
    assert app.client_secret.startswith("hpc_")
    by_app = sdk.client(app.api_key.token)
    assert (await settle(by_app.apps.retrieve(app.id))).api_key is None


async def test_an_app_is_updated_and_listed(sdk: Sdk) -> None:
    company_id = sdk.hallpass.company_id
    app = await settle(sdk.owner.apps.create(company_id=company_id, name="Before"))
    changed = await settle(
        sdk.owner.apps.update(
            app.id, name="After", status="live", secrets={"KEY": "value"}, oauth_client_type="public"
        )
    )
    assert (changed.name, changed.status, changed.secrets) == ("After", "live", {"KEY": "value"})
    listed = await collect(sdk.owner.apps.list(company_id=company_id, query="after", first=1))
    assert app.id in [each.id for each in listed]


async def test_walls_and_redirect_uris_hold(sdk: Sdk) -> None:
    company_id = sdk.hallpass.company_id
    app = await settle(sdk.owner.apps.create(company_id=company_id, name="Ours"))
    with pytest.raises(NotFoundError):
        await settle(sdk.stranger.apps.retrieve(app.id))
    with pytest.raises(BadRequestError):
        await settle(
            sdk.owner.apps.create(company_id=company_id, name="Bad", redirect_uris=["https://user@myapp.com/"])
        )
