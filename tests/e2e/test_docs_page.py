"""The API page in a real browser: it draws, it works without a network, it sends requests."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from services.gateway.domain.endpoints import ENDPOINTS
from tests.e2e.conftest import Suite

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def page() -> Iterator[Page]:
    """A headless Chromium that reports what goes wrong."""
    program = shutil.which("chromium")
    assert program, "chromium is missing: run `make setup-dev`"
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        yield opened
        browser.close()


def test_the_page_shows_every_operation_and_sends_a_request(suite: Suite, page: Page, tmp_path):
    problems: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda said: problems.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))

    page.goto(f"{suite.url}/api/v1/docs")
    page.wait_for_selector("section.type")
    shown = page.locator("section.operation .path").all_inner_texts()
    assert shown[0] == "/api/v1/videoJobs"
    assert len(shown) == len(ENDPOINTS)

    models = page.locator("#ListVideoModels")
    models.locator("summary").click()
    models.locator("button").click()
    models.locator("pre", has_text="runway_gen3").wait_for()
    assert models.locator("pre").inner_text().startswith("200")
    assert page.screenshot(path=tmp_path / "docs.png", full_page=False)
    assert hosts == {suite.addresses["gateway"]}
    # Chromium also prints hints to developers, as "verbose".
    assert [each for each in problems if not each.startswith("verbose")] == []
