"""A browser for tests: Chromium without a window, spoken to over two pipes by the DevTools protocol.

Nothing has to be installed for that beside the browser itself. `found()` says where it is, if anywhere.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 120.0
"""How long an answer may take before the browser is taken to hang."""
START = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for theirs, wanted in zip(pipes, (3, 4)):
    os.dup2(theirs, wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Starts Chromium, which reads commands from descriptor 3 and writes answers to 4."""


def found():
    """Path of a Chromium or Chrome, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name)) is not None), None)


class Browser:
    """A running Chromium; use it in a `with` statement."""

    def __init__(self, program):
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        options = ["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--no-sandbox",
                   "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
                   f"--user-data-dir={self._folder.name}/profile"]  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, str(theirs_in), str(theirs_out), program, *options],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out, self._held, self._number = ours_in, ours_out, b"", 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError, RuntimeError):
            self.send("Browser.close")
        os.close(self._out)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._in)
        self._folder.cleanup()

    def send(self, method, session=None, **parameters):
        """Send a command, and return the answer to it; what happens meanwhile is kept in `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        answer = self._until(lambda item: item.get("id") == self._number, method)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def wait_for(self, event, session=None, begin=0, **parameters):
        """Wait until something has happened, in a page if one is given; what came before `begin` does not count."""

        def right(item):
            there = item.get("method") == event and item.get("sessionId") == session
            return there and parameters.items() <= item["params"].items()

        for kept in self.events[begin:]:
            if right(kept):
                return kept
        return self._until(right, event)

    def _until(self, right, what):
        end = time.monotonic() + SECONDS
        while True:
            while b"\0" not in self._held:
                ready, _, _ = select.select([self._in], [], [], max(0.0, end - time.monotonic()))
                piece = os.read(self._in, 1 << 20) if ready else b""
                if not piece:
                    raise RuntimeError(f"Chromium did not answer: {what}")
                self._held += piece
            one, self._held = self._held.split(b"\0", 1)
            item = json.loads(one)
            if "id" not in item:
                self.events.append(item)
            if right(item):
                return item

    def open(self, file, *, width=1440, height=900, reduced_motion=False, script=True):
        """Open a file as a page of this width in pixels, without a network."""
        return Page(self, Path(file), width, height, reduced_motion, script)


class Page:
    """A page that was loaded."""

    def __init__(self, browser, file, width, height, reduced_motion, script):
        self._browser = browser
        self._target = browser.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.send("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        motion = [{"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"}]
        self.send("Emulation.setEmulatedMedia", features=motion)
        self.send("Emulation.setScriptExecutionDisabled", value=not script)
        self.resize(width, height)
        self.send("Page.navigate", url=Path(file).resolve().as_uri())
        browser.wait_for("Page.loadEventFired", self._session)

    def send(self, method, **parameters):
        """Send a command to this page."""
        return self._browser.send(method, self._session, **parameters)

    def resize(self, width, height=900):
        """Make the page so wide."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def evaluate(self, expression):
        """What a JavaScript expression is, promises awaited."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(
                answer["exceptionDetails"].get("exception", {}).get("description", "an error in the page")
            )
        return answer["result"].get("value")

    def press(self, key):
        """Press and release a key, such as "Enter" or "Tab"."""
        codes = {"Enter": (13, "\r"), "Tab": (9, ""), " ": (32, " ")}
        code, text = codes[key]
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def errors(self):
        """What the console or the log of this page has as errors, with what the page asked the network for."""
        held = []
        for event in self._browser.events:
            if event.get("sessionId") != self._session:
                continue
            method, about = event["method"], event["params"]
            if method == "Runtime.exceptionThrown":
                held.append(about["exceptionDetails"].get("exception", {}).get("description", "exception"))
            elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
                held.append(f"console: {about['args']}")
            elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
                held.append(about["entry"]["text"])
            elif method == "Network.requestWillBeSent" and not about["request"]["url"].startswith(
                ("file:", "data:", "blob:")
            ):
                held.append(f"asked for {about['request']['url']}")
        return held

    def picture(self, file=None, *, whole=True):
        """PNG of the page, as bytes; written to a file if one is given."""
        drawn = base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=whole)["data"])
        if file is not None:
            Path(file).write_bytes(drawn)
        return drawn

    def pdf(self, file=None):
        """The page on A4 paper, as bytes; written to a file if one is given."""
        drawn = base64.b64decode(
            self.send("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, preferCSSPageSize=True)["data"]
        )
        if file is not None:
            Path(file).write_bytes(drawn)
        return drawn

    def download(self, click, folder):
        """Evaluate what makes the page give a file, and wait until that lies in the folder."""
        options = {"behavior": "allow", "downloadPath": str(folder), "eventsEnabled": True}
        self._browser.send("Browser.setDownloadBehavior", **options)
        begin = len(self._browser.events)
        self.evaluate(click)
        self._browser.wait_for("Browser.downloadProgress", begin=begin, state="completed")

    def close(self):
        """Close the page."""
        self._browser.send("Target.closeTarget", targetId=self._target)
