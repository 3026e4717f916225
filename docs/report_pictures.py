"""Take the README's pictures of a report: the real page, in a real Chromium without a network.

    posture simulate desk-hour --to desk.posture --seed 3 --started 2026-11-20T13:30 --zone Europe/Paris
    posture report desk.posture --out desk.html
    python docs/report_pictures.py desk.html docs

Writes report-light.png, report-dark.png and report-phone.png: the begin of the page, what follows on a dark screen, and
the plot of angles on a telephone.
"""

import argparse
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
DESK = {"viewport": {"width": 1200, "height": 1420}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 1.5}


def main() -> None:
    """Read the arguments, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("directory", type=Path)
    given = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name, dark, said, part in (
            ("light", False, DESK, "header"),
            ("dark", True, DESK, "#angles"),
            ("phone", False, PHONE, "#angles .legend"),
        ):
            context = browser.new_context(offline=True, color_scheme="dark" if dark else "light", **said)
            take(context.new_page(), given.report, part, given.directory / f"report-{name}.png")
            context.close()
        browser.close()


def take(page: Any, report: Path, part: str, picture: Path) -> None:
    """Open the report, scroll a part of it to the top, and write what is seen once all plots are drawn."""
    page.goto(report.resolve().as_uri())
    while page.evaluate("document.documentElement.dataset.plots") != "drawn":
        page.wait_for_timeout(50)
    page.evaluate("(part) => document.querySelector(part).scrollIntoView()", part)
    page.wait_for_timeout(1000)
    page.screenshot(path=picture)


if __name__ == "__main__":
    main()
