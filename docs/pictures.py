"""Make the pictures of the README from the running UI of the demo: `make pictures`.

Starts the UI on what `make demo ARGS=--game` left, clicks as a user would, and saves what a browser
shows.
"""

import os
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from ds_assets.demo.logs import SimulatedLogs
from ds_assets.ui import start_ui

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
HOME = ROOT / ".demo" / SimulatedLogs.folder
PORT = 3417
ADDRESS = f"http://127.0.0.1:{PORT}"
QUIET_BROWSER = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
SETTLE_MS = 3_000
GRAPH_SIZE, GRAPH_SCALE = ViewportSize(width=3400, height=1720), 0.6
"""So large that the graph shows kinds and days of each asset; the picture is smaller."""
PAGE_SIZE = ViewportSize(width=1500, height=1300)


def main() -> None:
    """Make all pictures."""
    if not (HOME / "dagster").exists():
        sys.exit(f'there is no demo in {HOME}; run `make demo ARGS="--game --no-serve"` first')
    os.environ["DAGSTER_HOME"] = str(HOME / "dagster")
    os.environ["DS_ASSETS_HOME"] = str(HOME)
    ui = start_ui(PORT)
    try:
        _wait_for_ui()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=QUIET_BROWSER
            )
            _lineage(browser.new_page(viewport=GRAPH_SIZE, device_scale_factor=GRAPH_SCALE))
            page = browser.new_page(viewport=PAGE_SIZE)
            _metadata(page, "cluster_profiles", "profiles", "profiles.png")
            _metadata(page, "cluster_profiles", "flows", "flows.png")
            _metadata(page, "churn_model", "about", "model_card.png")
            browser.close()
    finally:
        ui.terminate()
        ui.wait()


def _wait_for_ui() -> None:
    for _ in range(60):
        try:
            urllib.request.urlopen(f"{ADDRESS}/server_info").close()
        except OSError:
            time.sleep(1)
        else:
            return
    sys.exit(f"the UI did not answer at {ADDRESS}")


def _lineage(page: Page) -> None:
    """Picture the graph, without the panels beside it."""
    page.goto(f"{ADDRESS}/asset-groups")
    page.get_by_text("delivery").first.wait_for()
    page.get_by_text("Hide navigation").click()
    page.get_by_placeholder("Jump to").locator("xpath=following::button[1]").click()
    page.wait_for_timeout(SETTLE_MS)
    page.keyboard.press("Alt+e")  # opens every group
    page.wait_for_timeout(SETTLE_MS)
    page.screenshot(path=PICTURES / "lineage.png")


def _metadata(page: Page, asset: str, entry: str, file: str) -> None:
    """Picture an entry of the metadata of an asset's newest day, which opens in a dialog.

    It is cut below its first picture or table.
    """
    page.goto(f"{ADDRESS}/assets/{asset}?view=events")
    row = page.locator("tr", has=page.get_by_text(entry, exact=True))
    row.get_by_text("[Show Markdown]").click()
    page.wait_for_timeout(SETTLE_MS)
    dialog = page.locator(".bp5-dialog")
    box, content = (it.bounding_box() for it in (dialog, dialog.locator("img, table").first))
    if box is None or content is None:
        sys.exit(f"{entry} of {asset} did not open")
    height = content["y"] + content["height"] - box["y"]
    page.screenshot(path=PICTURES / file, clip={**box, "height": height})


if __name__ == "__main__":
    main()
