"""Make the pictures of the README from the running UI of the demo: `make pictures`.

Starts the UI on what `make demo` left, clicks as a user would, and saves what a browser shows.
"""

import json
import os
import sys
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from ds_assets.ui import start_ui

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
HOME = ROOT / ".demo"
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
RUN_SECONDS = 180


def main() -> None:
    """Make all pictures."""
    if not (HOME / "dagster").exists():
        sys.exit(f"there is no demo in {HOME}; run `make demo ARGS=--no-serve` first")
    os.environ["DAGSTER_HOME"] = str(HOME / "dagster")
    os.environ["DS_ASSETS_HOME"] = str(HOME)
    ui = start_ui(PORT)
    try:
        _wait_for_ui()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=QUIET_BROWSER
            )
            page = browser.new_page(viewport={"width": 1800, "height": 760})
            _lineage(page)
            _materialize_a_day(page)
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


def _open_lineage(page: Page) -> None:
    page.goto(f"{ADDRESS}/asset-groups")
    page.get_by_text("delivery").first.wait_for()
    page.wait_for_timeout(SETTLE_MS)
    page.keyboard.press("Alt+e")  # opens every group
    page.wait_for_timeout(SETTLE_MS)


def _lineage(page: Page) -> None:
    _open_lineage(page)
    page.screenshot(path=PICTURES / "lineage.png")


def _materialize_a_day(page: Page) -> None:
    """Click a day through the whole graph, and picture its run when it has succeeded."""
    _open_lineage(page)
    page.get_by_role("button", name="Materialize all").first.click()
    page.get_by_role("button", name="Latest", exact=True).click()
    page.get_by_role("button", name="Launch 1 run").click()
    page.wait_for_timeout(SETTLE_MS)
    page.goto(f"{ADDRESS}/runs/{_succeeded_run()}")
    page.wait_for_timeout(2 * SETTLE_MS)
    page.screenshot(path=PICTURES / "run.png")


def _succeeded_run() -> str:
    """Id of the latest run, once it has succeeded."""
    for _ in range(RUN_SECONDS):
        run = _latest_run()
        if run["status"] == "SUCCESS":
            return run["runId"]
        if run["status"] in ("FAILURE", "CANCELED"):
            sys.exit(f"run {run['runId']} ended as {run['status']}")
        time.sleep(1)
    sys.exit(f"the run did not end in {RUN_SECONDS} s")


def _latest_run() -> dict[str, str]:
    query = "{runsOrError(limit: 1) {... on Runs {results {runId status}}}}"
    request = urllib.request.Request(
        f"{ADDRESS}/graphql",
        json.dumps({"query": query}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        latest: dict[str, str] = json.load(answer)["data"]["runsOrError"]["results"][0]
    return latest


if __name__ == "__main__":
    main()
