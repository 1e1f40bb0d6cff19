"""Debian's Chromium without a window, as a person would have it before the login page; knows what it loaded and what it complained of."""

import json
import os
import tempfile

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"

# WCAG 2.1: relative luminance, contrast ratio.
CONTRAST = """
const parts = text => text.match(/[\\d.]+/g).map(Number);
const linear = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = c => 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
const behind = e => {
	for (; e; e = e.parentElement) {
		const c = parts(getComputedStyle(e).backgroundColor);
		if (c.length < 4 || c[3] > 0) return c;
	}
	return [255, 255, 255];
};
const speaks = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
return [...document.querySelectorAll('body *')].filter(speaks).map(e => {
	const a = light(parts(getComputedStyle(e).color)), b = light(behind(e));
	return {text: e.textContent.trim().slice(0, 60), ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)};
});
"""

# Without the rule the first page waits for 12 s on names that nobody asked for.
WORDS = ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--no-proxy-server", "--disable-sync", "--hide-scrollbars", "--window-size=800,800",
         f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {os.environ.get('FLEET_ADDRESS', 'localhost')}")


class Browser:
    def __init__(self):
        self.home = tempfile.TemporaryDirectory(prefix="fs-chromium-", ignore_cleanup_errors=True)
        options = Options()
        options.binary_location = CHROMIUM
        for word in (*WORDS, f"--user-data-dir={self.home.name}", *(["--no-sandbox"] if os.geteuid() == 0 else [])):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        # Chromium's helpers write below HOME.
        env = {**os.environ, "HOME": self.home.name, "XDG_CONFIG_HOME": self.home.name, "XDG_CACHE_HOME": self.home.name}
        self.driver = webdriver.Chrome(options, Service(DRIVER, env=env))
        self.driver.set_page_load_timeout(30)
        self.told = self.driver.execute_cdp_cmd

    def open(self, url, dark=False, size=(800, 800), scripts=True):
        """Only what happens from now on counts for `requests` and `complaints`."""
        self.told("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        self.told("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})
        self.told("Emulation.setDeviceMetricsOverride", {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False})
        self.requests(), self.complaints()
        self.driver.get(url)
        return self

    def requests(self):
        """URLs that were asked for since the last call, other than those made of nothing."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        return [u for u in urls if not u.startswith(("data:", "about:", "chrome:"))]

    def complaints(self):
        """What stands in the console since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    @property
    def text(self):
        return self.driver.find_element("tag name", "body").text

    def at(self, element):
        """Its text, also while the page is being loaded anew."""
        return WebDriverWait(self.driver, 10, 0.1, [NoSuchElementException, StaleElementReferenceException]).until(
            lambda driver: (driver.find_element("id", element).text,))[0]

    def run(self, script):
        return self.driver.execute_script(script)

    def overflow(self):
        """Pixels by which the page is wider than the window."""
        return self.run("return document.documentElement.scrollWidth - window.innerWidth")

    def contrasts(self):
        """Of each element with text of its own: {text, ratio}."""
        return self.run(CONTRAST)

    def names(self):
        """(role, name) of what assistive technology finds."""
        nodes = self.told("Accessibility.getFullAXTree", {})["nodes"]
        return [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n.get("ignored")]

    def picture(self, path):
        """The whole page as PNG."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return window.innerWidth")
        self.told("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.driver.save_screenshot(str(path))

    def close(self):
        self.driver.quit()
        self.home.cleanup()
