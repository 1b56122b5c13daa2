// Draws what the WebAssembly of page.cpp says, 50 steps a second, and hands it what the user does.

const tau = 0.02;  // seconds a step
const history = 200;  // steps
const element = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(0)} %`;

let policy;  // what page.cpp exports
let seed = 0, best = 0, falls = 0, paused = false, up = true, broken = false;
let owed = 0, last = 0, anew = 0;  // seconds of steps not yet done, when a frame was drawn, when an episode is to start
let before = { position: 0, angle: 0 };
let blow = { impulse: 0, time: -Infinity };
const bars = [];
let past, dirty = true;  // the weights of the last steps, a row each

async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}

async function load() {
  const [program, weights] = await Promise.all([fetched("live.wasm"), fetched("policy.safetensors")]);
  const text = (at) => {
    const bytes = new Uint8Array(policy.memory.buffer, at);
    return new TextDecoder().decode(bytes.slice(0, bytes.indexOf(0)));
  };
  const nothing = () => 0;  // what the C library could ask of an operating system
  const { instance } = await WebAssembly.instantiate(program, {
    page: { fail: (message) => { throw new Error(text(message)); } },
    wasi_snapshot_preview1: { proc_exit: nothing, fd_write: nothing, fd_close: nothing, fd_seek: nothing },
  });
  policy = instance.exports;
  policy._initialize();
  take(weights);
}

/// A safetensors file as heed writes it: the length of a header, the header, the weights in the order of the policy.
function take(file) {
  const bytes = 4 * policy.parameter_count();
  const header = file.byteLength < 8 ? 0 : Number(new DataView(file).getBigUint64(0, true));
  const body = file.byteLength - 8 - header;
  if (body !== bytes) throw new Error(`policy.safetensors: ${body} bytes of weights, but the policy has ${bytes}`);
  new Uint8Array(policy.memory.buffer, policy.parameters(), bytes).set(new Uint8Array(file, 8 + header));
}

const place = () => ({ position: policy.position(), angle: policy.angle() });
const attention = () => bars.map((_, i) => policy.attention(bars.length - 1 - i));  // oldest first

function say(text) {
  if (!broken && element("status").textContent !== text) element("status").textContent = text;
}

/// The end: nothing moves any more, and nothing else is said.
function fail(what, error) {
  say(`This page ${what}: ${error.message}`);
  broken = true;
  throw error;
}

function remember() {
  past.copyWithin(0, bars.length);
  past.set(attention(), past.length - bars.length);
  dirty = true;
}

function reset() {
  policy.reset(++seed);
  up = true;
  owed = 0;
  before = place();
  blow.time = -Infinity;
  say(paused ? "Paused" : "");
  remember();
}

function step() {
  before = place();
  up = Boolean(policy.step());
  best = Math.max(best, policy.steps());
  if (up) return remember();
  ++falls;
  anew = performance.now() + 1500;
  say(`Fell after ${policy.steps()} steps`);
}

function push(direction) {
  const impulse = direction * element("strength").valueAsNumber;
  if (paused || !policy.push(impulse)) return;
  blow = { impulse, time: performance.now() };
}

function pause() {
  paused = !paused;
  element("pause").textContent = paused ? "Go on" : "Pause";
  say(paused ? "Paused" : "");
}

/// Its own pixels, as many as the screen has; answers the context and the size in CSS pixels.
function sharp(canvas) {
  const { width, height } = canvas.getBoundingClientRect(), ratio = devicePixelRatio;
  const w = Math.round(width * ratio), h = Math.round(height * ratio);
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  return { c, width, height };
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const names = ["ink", "soft", "line", "cart", "pole"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`)]));
}

function line(c, colour, width, dashes, ...points) {
  c.strokeStyle = colour;
  c.lineWidth = width;
  c.setLineDash(dashes);
  c.beginPath();
  for (const [x, y] of points) c.lineTo(x, y);
  c.stroke();
}

function drawWorld(now) {
  const { c, width, height } = sharp(element("world")), colour = colours();
  const metre = width / 5.4, middle = width / 2, ground = height - 0.55 * metre;
  const share = Math.min(owed / tau, 1), at = place();  // between the last two steps
  const position = before.position + share * (at.position - before.position);
  const angle = before.angle + share * (at.angle - before.angle);
  const x = middle + position * metre, axle = ground - 0.3 * metre;

  line(c, colour.line, 2, [], [middle - 2.4 * metre, ground], [middle + 2.4 * metre, ground]);
  c.fillStyle = colour.soft;
  c.textAlign = "center";
  c.font = `${Math.max(10, 0.13 * metre)}px system-ui, sans-serif`;
  for (const mark of [-2, -1, 0, 1, 2]) {
    const there = middle + mark * metre;
    line(c, colour.line, 1, [], [there, ground], [there, ground + 0.1 * metre]);
    c.fillText(`${mark} m`.replace("-", "−"), there, ground + 0.3 * metre);
  }
  for (const end of [-2.4, 2.4]) {
    const there = middle + end * metre;
    line(c, colour.pole, 4, [], [there, ground - 0.3 * metre], [there, ground + 0.05 * metre]);
  }
  const tip = (length, lean) => [x + length * metre * Math.sin(lean), axle - length * metre * Math.cos(lean)];
  for (const limit of [-12, 12]) line(c, colour.soft, 1.5, [4, 4], [x, axle], tip(1.15, limit * Math.PI / 180));

  c.fillStyle = colour.cart;
  c.beginPath();
  c.roundRect(x - 0.3 * metre, axle, 0.6 * metre, 0.24 * metre, 0.05 * metre);
  c.fill();
  c.fillStyle = colour.ink;
  for (const wheel of [-0.17, 0.17]) {
    c.beginPath();
    c.arc(x + wheel * metre, ground - 0.06 * metre, 0.06 * metre, 0, 7);
    c.fill();
  }
  c.lineCap = "round";
  line(c, colour.pole, 0.09 * metre, [], [x, axle], tip(1, angle));
  c.lineCap = "butt";
  c.fillStyle = colour.ink;
  c.beginPath();
  c.arc(x, axle, 0.05 * metre, 0, 7);
  c.fill();

  const fade = 1 - (now - blow.time) / 600;
  if (fade > 0) drawBlow(c, colour.ink, fade, x, axle + 0.12 * metre, metre);
}

/// An arrow that ends at the cart, as long as the blow was strong.
function drawBlow(c, colour, fade, x, y, metre) {
  const side = Math.sign(blow.impulse), tip = x - side * 0.36 * metre;
  const tail = tip - side * (0.2 + 0.6 * Math.abs(blow.impulse)) * metre, head = tip - side * 0.14 * metre;
  c.globalAlpha = fade;
  line(c, colour, 0.06 * metre, [], [tail, y], [head, y]);
  c.fillStyle = colour;
  c.beginPath();
  for (const [px, py] of [[tip, y], [head, y - 0.1 * metre], [head, y + 0.1 * metre]]) c.lineTo(px, py);
  c.fill();
  c.globalAlpha = 1;
}

function drawPast() {
  if (!dirty) return;
  dirty = false;
  const canvas = element("past"), rows = bars.length;
  Object.assign(canvas, { width: history, height: rows });
  const c = canvas.getContext("2d");
  c.fillStyle = colours().cart;
  for (let t = 0; t < history; ++t)
    for (let i = 0; i < rows; ++i) {
      c.globalAlpha = Math.min(1, Math.max(0, (past[t * rows + i] - 0.04) / 0.24));
      c.fillRect(t, rows - 1 - i, 1, 1);
    }
}

function drawNumbers() {
  const weights = attention();
  bars.forEach(({ bar, number }, i) => {
    bar.style.height = `${Math.min(100, 200 * weights[i])}%`;  // full at a half
    number.textContent = percent(weights[i]);
  });
  for (const [action, side] of ["left", "right"].entries()) {
    element(`to-${side}`).style.width = `${100 * policy.probability(action)}%`;
    element(`p-${side}`).textContent = percent(policy.probability(action));
  }
  const signed = (x, digits) => x.toFixed(digits).replace("-", "−");
  element("steps").textContent = policy.steps();
  element("best").textContent = best;
  element("falls").textContent = falls;
  element("cart").textContent = `${signed(policy.position(), 2)} m`;
  element("pole").textContent = `${signed(policy.angle() * 180 / Math.PI, 1)}°`;
}

function frame(now) {
  if (!paused && up) {
    owed += Math.min((now - last) / 1000, 0.1);  // a page that was out of sight does not catch up
    for (; up && owed >= tau; owed -= tau) step();
  }
  last = now;
  if (!paused && !up && now >= anew) reset();
  drawWorld(now);
  drawPast();
  drawNumbers();
}

function run(now) {
  try {
    frame(now);
  } catch (error) {
    fail("stopped", error);
  }
  requestAnimationFrame(run);
}

function listen() {
  const strength = element("strength");
  const show = () => { element("impulse").textContent = `${strength.valueAsNumber.toFixed(1)} N s`; };
  strength.addEventListener("input", show);
  show();
  element("left").addEventListener("click", () => push(-1));
  element("right").addEventListener("click", () => push(1));
  element("pause").addEventListener("click", pause);
  element("reset").addEventListener("click", reset);
  for (const button of document.querySelectorAll("button"))  // a pointer's clicks count: space is to pause after them
    button.addEventListener("click", ({ detail }) => { if (detail) button.blur(); });
  element("world").addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const { left, width } = element("world").getBoundingClientRect();
    push(event.clientX < left + width / 2 + policy.position() * width / 5.4 ? 1 : -1);
  });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const does = { ArrowLeft: () => push(-1), ArrowRight: () => push(1), " ": pause, r: reset, R: reset }[event.key];
    const own = { INPUT: ["ArrowLeft", "ArrowRight"], BUTTON: [" "] }[event.target.tagName];  // the control's own keys
    if (!does || own?.includes(event.key)) return;
    event.preventDefault();
    does();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { dirty = true; });
}

function makeBars(count) {
  element("window").textContent = count;
  for (let ago = count - 1; ago >= 0; --ago) {
    const column = element("bars").appendChild(document.createElement("div"));
    const number = column.appendChild(document.createElement("b"));
    const bar = column.appendChild(document.createElement("i"));
    column.appendChild(document.createElement("small")).textContent = ago ? `−${ago}` : "now";
    bars.push({ bar, number });
  }
  past = new Float32Array(history * count);
}

try {
  await load();
  makeBars(policy.window());
  listen();
  reset();
  last = performance.now();
  frame(last);
  requestAnimationFrame(run);
  // For the console and for tests: as many steps at once, and what the page shows.
  window.live = {
    policy,
    step(n) {
      for (let i = 0; i < n && up; ++i) step();
      return this.state();
    },
    state: () => ({
      ...place(), up, paused, best, falls,
      steps: policy.steps(), attention: attention(), probabilities: [0, 1].map(policy.probability),
    }),
  };
} catch (error) {
  fail("could not start", error);
}
