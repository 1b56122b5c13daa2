"""Chromium, headless, driven by WebDriver."""
import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.error
import urllib.request


class Browser:
    """A WebDriver session of Chromium: https://www.w3.org/TR/webdriver2/"""

    keys = {"left": "\ue012", "right": "\ue014", "end": "\ue010", "home": "\ue011", "tab": "\ue004"}

    def __init__(self, profile):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        try:
            for line in self.driver.stdout:
                if found := re.search(r"started successfully on port (\d+)", line):
                    break
            else:
                raise RuntimeError("chromedriver did not start")
            self.base = f"http://127.0.0.1:{found[1]}/session"
            arguments = ["--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                         "--disable-background-networking", "--disable-component-update", "--window-size=1180,820",
                         f"--user-data-dir={profile}"]
            if os.getuid() == 0:
                arguments.append("--no-sandbox")
            options = {"args": arguments}
            if binary := shutil.which("chromium"):
                options["binary"] = binary
            capabilities = {"browserName": "chrome", "goog:chromeOptions": options,
                            "goog:loggingPrefs": {"browser": "ALL"}}
            session = self.call("", {"capabilities": {"alwaysMatch": capabilities}})
            self.base += "/" + session["sessionId"]
        except BaseException:
            self.driver.kill()
            raise

    def call(self, path, body=None, method=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.read().decode()}") from None

    def close(self):
        try:
            self.call("", method="DELETE")
        finally:
            self.driver.kill()
            self.driver.wait()

    def go(self, url):
        self.call("/url", {"url": url})

    def run(self, script, *arguments):
        return self.call("/execute/sync", {"script": script, "args": arguments})

    def find(self, css):
        return next(iter(self.call("/element", {"using": "css selector", "value": css}).values()))

    def click(self, css):
        self.call(f"/element/{self.find(css)}/click", {})

    def press(self, key):
        key = self.keys.get(key, key)
        self.call("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def point(self, x, y, button=0):
        self.call("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [
            {"type": "pointerMove", "x": round(x), "y": round(y)}, {"type": "pointerDown", "button": button},
            {"type": "pointerUp", "button": button}]}]})

    def computed(self, what, css):
        """The role or the label that assistive technology is told."""
        return self.call(f"/element/{self.find(css)}/computed{what}")

    def log(self):
        return self.call("/se/log", {"type": "browser"})

    def devtools(self, command, **parameters):
        return self.call("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def size(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                      mobile=False)

    def scheme(self, name):
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def screenshot(self, path):
        pathlib.Path(path).write_bytes(base64.b64decode(self.call("/screenshot")))
