"""The page of examples/live in headless Chromium:  test.py PAGE [--screenshot FILE]"""
import argparse
import contextlib
import functools
import http.server
import pathlib
import re
import shutil
import tempfile
import threading
import time

from browser import Browser

PUSHED = 0.035  # rad: the pole leans by more after a push, and by less without


class Server:
    """Static files, and how many bytes of them were sent."""

    def __init__(self, directory):
        server = self
        self.sent = 0

        class Handler(http.server.SimpleHTTPRequestHandler):
            def copyfile(self, source, output):
                data = source.read()
                server.sent += len(data)
                output.write(data)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=directory))
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/"


def check(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


def wait(what, condition, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise SystemExit(f"FAILED: {what} was waited for, {seconds} s")


class Page:
    def __init__(self, browser):
        self.browser = browser

    def started(self):
        runs = "return Boolean(window.live)"
        wait("the page", lambda: self.browser.run(runs) or self.text("#status"), 30)
        check(self.browser.run(runs), f"the page starts {self.text('#status')}".strip())

    def state(self):
        return self.browser.run("return live.state()")

    def text(self, css):
        return self.browser.run("return document.querySelector(arguments[0]).textContent", css)

    def step(self, count):
        return self.browser.run("return live.step(arguments[0])", count)

    def lean(self, push=lambda: None):
        """The angle furthest from upright in the 0.6 s after a push, of all frames."""
        self.browser.run("""
            const watch = (window.watch = { furthest: 0 });
            requestAnimationFrame(function look() {
              const { angle } = live.state();
              if (Math.abs(angle) > Math.abs(watch.furthest)) watch.furthest = angle;
              if (watch === window.watch) requestAnimationFrame(look);
            });""")
        push()
        time.sleep(0.6)
        return self.browser.run("const { furthest } = window.watch; window.watch = null; return furthest")


def check_balance(page):
    sums, shown = [], []

    def late():
        state = page.state()
        sums.extend([sum(state["attention"]), sum(state["probabilities"])])
        bars = page.browser.run("""
            return [...document.querySelectorAll('#bars b')].map((number) => parseFloat(number.textContent))""")
        shown.append((len(bars), sum(bars)))
        return state if state["steps"] >= 500 or state["falls"] else None

    start = time.monotonic()
    state = wait("500 steps", late, 90)
    seconds = time.monotonic() - start
    check(state["up"] and state["falls"] == 0, f"the pole is up after {state['steps']} steps, {seconds:.1f} s")
    worst = max(abs(total - 1) for total in sums)
    check(worst < 1e-5, f"attention and probabilities sum to 1 at {len(shown)} looks, at worst off by {worst:.0e}")
    check(all(count == 8 and abs(total - 100) <= 4 for count, total in shown),
          "the 8 bars say 100 %, rounded one by one")
    check(state["steps"] <= int(page.text("#steps")) <= page.state()["steps"], "the steps are shown")
    state = page.step(10000)
    check(state["up"] and state["steps"] >= 10500, f"and after {state['steps']}")


def check_pushes(page):
    browser = page.browser
    browser.run("document.getElementById('strength').focus()")
    for _ in range(2):
        browser.press("right")
    check(page.text("#impulse") == "0.8 N s", "arrow keys set the strength where that has the focus")
    browser.run("document.activeElement.blur()")
    still = abs(page.lean())
    check(still < PUSHED, f"nobody pushes: the pole leans by {still:.3f} rad at most")
    box = browser.run("""
        const { left, top, width, height } = document.getElementById('world').getBoundingClientRect();
        return [left, top, width, height];""")
    middle = box[1] + box[3] / 2
    ways = {
        "right arrow": (1, lambda: browser.press("right")),
        "left arrow": (-1, lambda: browser.press("left")),
        "right button": (1, lambda: browser.click("#right")),
        "left button": (-1, lambda: browser.click("#left")),
        "a press left of the cart": (1, lambda: browser.point(box[0] + 5, middle)),
        "a press right of the cart": (-1, lambda: browser.point(box[0] + box[2] - 5, middle)),
    }
    for name, (side, push) in ways.items():
        lean = page.lean(push)
        check(-side * lean > PUSHED, f"{name}: the pole leans by {lean:.3f} rad")
        state = page.step(500)
        check(state["up"] and state["falls"] == 0, "and is up 500 steps later")
    lean = page.lean(lambda: browser.point(box[0] + 5, middle, button=2))
    check(abs(lean) < PUSHED, f"the right mouse button does not push: {lean:.3f} rad")


def check_controls(page):
    browser = page.browser
    browser.run("document.getElementById('right').focus()")
    lean = page.lean(lambda: browser.press(" "))
    check(lean < -PUSHED and not page.state()["paused"], f"space presses a button with the focus: {lean:.3f} rad")
    check(browser.run("return document.activeElement.id") == "right", "which keeps the focus")
    page.step(500)
    browser.click("#right")
    browser.press(" ")
    paused = page.state()
    time.sleep(0.3)
    check(paused["paused"] and page.state()["steps"] == paused["steps"], "space pauses, after a click on a button, too")
    browser.press("right")
    browser.click("#pause")
    check(not page.state()["paused"] and page.text("#pause") == "Pause", "a button goes on")
    wait("a step", lambda: page.state()["steps"] > paused["steps"], 10)
    browser.press("r")
    check(page.state()["steps"] < paused["steps"], "R starts anew")
    page.step(300)
    browser.click("#reset")
    check(page.state()["steps"] < 300, "a button starts anew")

    browser.run("document.getElementById('strength').focus()")
    browser.press("end")
    check(page.text("#impulse") == "1.5 N s", "the strength ends at 1.5 N s")
    best = page.state()["best"]
    for _ in range(3):
        browser.click("#right")
    said = wait("a fall", lambda: page.text("#status"), 10)
    check(re.fullmatch(r"Fell after \d+ steps", said), f"too much of it: {said}")
    again = wait("a new episode", lambda: (state := page.state())["up"] and state, 10)
    check(again["falls"] == 1 and again["best"] == best and page.text("#status") == "",
          "and a new episode begins by itself")


def check_input(page):
    before, after = page.browser.run("""
        const all = () => JSON.stringify([live.policy.position(), live.policy.angle(), live.policy.steps()]);
        const before = all();
        for (const x of [NaN, Infinity, -Infinity]) if (live.policy.push(x)) return ["pushed by", x];
        return [before, all()];""")
    check(before == after, "a push that is not finite is none")
    check(page.browser.run("return [-1, 8, 1e9].map(live.policy.attention)") == [0, 0, 0],
          "no attention outside the window")


def check_names(page):
    browser = page.browser
    check(browser.run("return document.getElementById('strength').labels.length") == 1, "the slider has a label")
    label = browser.computed("label", "#strength")
    check(label.startswith("strength"), f"the slider is called {label!r}")
    check(browser.computed("role", "#bars") == "group", "the numbers on the bars can be read")


def check_layouts(page):
    for width in (360, 700, 1180):
        page.browser.size(width, 820)
        check(page.browser.run("return document.documentElement.scrollWidth") <= width, f"fits into {width} pixels")
    for scheme in ("light", "dark"):
        page.browser.scheme(scheme)
        colour = page.browser.run("return getComputedStyle(document.body).backgroundColor")
        check((int(re.findall(r"\d+", colour)[0]) > 128) == (scheme == "light"), f"{scheme}: {colour}")


def picture(page, path, scheme="light", width=960):
    """The page a moment after a push."""
    browser = page.browser
    browser.scheme(scheme)
    browser.size(width, 500)
    browser.size(width, browser.run("return document.documentElement.scrollHeight"))
    browser.point(0, 0)
    browser.call("/refresh", {})
    page.started()
    page.step(700)
    browser.run("document.getElementById('left').click(); live.step(3)")
    browser.screenshot(path)


def check_broken(browser, directory):
    """With weights that are not those of its policy the page says what is wrong, in heed's words if heed finds it."""
    with tempfile.TemporaryDirectory() as broken:
        shutil.copytree(directory, broken, dirs_exist_ok=True)
        file = pathlib.Path(broken, "policy.safetensors")
        whole = file.read_bytes()
        weights = len(whole) - 8 - int.from_bytes(whole[:8], "little")
        for data, message in {
            whole[:-4]: f"policy.safetensors: {weights - 4} bytes of weights, but the policy has {weights}",
            b"": f"policy.safetensors: -8 bytes of weights, but the policy has {weights}",
            None: "policy.safetensors: 404 File not found",
            whole[:-weights] + b"\xff" * weights: "Categorical: the logit of action 0 in column 0 is nan",
        }.items():
            file.unlink() if data is None else file.write_bytes(data)
            browser.go(Server(broken).url)
            said = wait("a message", lambda: Page(browser).text("#status"), 20)
            check(said == f"This page could not start: {message}", said)


def check_stop(page):
    """An error after the start is said and stays said."""
    page.browser.run("""
        const { policy } = live;
        new Float32Array(policy.memory.buffer, policy.parameters(), policy.parameter_count()).fill(NaN);""")
    said = wait("a message", lambda: page.text("#status"), 10)
    check(said == "This page stopped: Categorical: the logit of action 0 in column 0 is nan", said)
    steps = page.text("#steps")
    page.browser.press(" ")
    time.sleep(0.3)
    check(page.text("#status") == said and page.text("#steps") == steps, "and stays, and nothing moves")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("page")
    parser.add_argument("--screenshot")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        with contextlib.closing(browser):
            server, page = Server(options.page), Page(browser)
            browser.go(server.url)
            page.started()
            check_balance(page)
            check_pushes(page)
            check_controls(page)
            check_input(page)
            check_names(page)
            check_layouts(page)
            log = browser.log()
            check(log == [], f"the console is empty: {log}")
            check(0 < server.sent < 1_000_000, f"{server.sent} bytes were served")
            if options.screenshot:
                picture(page, options.screenshot)
            check_stop(page)
            check_broken(browser, options.page)


main()
