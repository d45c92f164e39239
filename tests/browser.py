"""A browser that tests drive as a person does: headless Chromium, and what a page of a run shows in it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
DESKTOP, PHONE = 1280, 390


class Page:
    """Drive a page in the browser as a person does, and read what it shows."""

    def __init__(self, driver: webdriver.Chrome, file: Path) -> None:
        self.driver = driver
        self.file = file

    def open(self, *, width: int = DESKTOP, dark: bool = False) -> "Page":
        """Load the page on a screen of a width, in light or dark."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
        wishes = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(self.file.as_uri())
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def one(self, selector: str) -> Any:
        """Return the first element that a selector finds."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def column(self, name: str) -> list[str]:
        """Return what a column of the table shows."""
        return list(self.run(f"return [...document.querySelectorAll('#rows .c-{name}')].map(c => c.textContent)"))

    @property
    def keys(self) -> list[str]:
        """Return the keys of the documents shown."""
        return self.column("key")

    @property
    def hits(self) -> str:
        """Return how many documents the page says are found."""
        return str(self.run("return document.getElementById('hits').textContent"))

    def search(self, text: str) -> None:
        """Type into the search box."""
        box = self.one("#search")
        box.clear()
        box.send_keys(text)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    @property
    def focus(self) -> str:
        """Return what has the focus, in a word."""
        script = "const at = document.activeElement; return at.id || at.className || at.tagName"
        return str(self.run(script))

    @property
    def complaints(self) -> list[Any]:
        """Return what the browser complained of since it was asked: errors of the script, breaches of the policy."""
        return list(self.driver.get_log("browser"))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Return a browser without a screen that keeps what the page logs."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield opened
    opened.quit()
