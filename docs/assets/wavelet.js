/* The page on which a wavelet is dragged along its lattice angles: wavelet.md. Plain JavaScript, nothing is loaded.

The first part computes, as awd_core does and tested against it; the second draws. */
"use strict";
(() => {
  const QUARTER = Math.PI / 4;
  const PLAIN = {
    haar: [0.7853981633974483],
    db2: [1.832595714594046, -1.0471975511965976],
    db3: [1.4653000296183565, 0.4998412682017888, -1.179743134422697],
    db4: [1.6167640195007196, -0.25370653765007667, 0.6813709449363855, -1.2590302633895802],
    db5: [1.5499643918622843, 0.1324053406748734, -0.4017260353155061, 0.8163694483867655, -1.3116149822109688],
    sym4: [2.7394685779908032, -0.8985753689205302, -1.4283462557598554, 0.3728512100870307],
    sym5: [0.6206191325037576, -1.2975269425745741, -0.692034158044916, 1.3305031421857514, 0.8238369893274295],
    coif1: [-1.782811846540267, 1.2094292028881888, 1.3587808070495262],
  };
  const LEVELS = 4, SAMPLES = 256, REFINEMENTS = 6;

  // ---- What is computed ----

  /** Taps h of the filter with these lattice angles: a product of rotations with delays between them. */
  function tapsFromAngles(angles) {
    let even = [1], odd = [0];
    angles.forEach((angle, k) => {
      if (k) { even = [...even, 0]; odd = [0, ...odd]; }
      const c = Math.cos(angle), s = Math.sin(angle);
      [even, odd] = [even.map((e, i) => e * c - odd[i] * s), even.map((e, i) => e * s + odd[i] * c)];
    });
    return even.flatMap((e, i) => [e, odd[i]]);
  }

  /** High-pass filter g(n) = (−1)ⁿ⁺¹ h(L − 1 − n). */
  const mirror = (h) => h.map((_, n) => (n % 2 ? 1 : -1) * h[h.length - 1 - n]);

  /** Samples of φ or ψ by the cascade from `first`, 2^−level apart on [0, L − 1]. */
  function cascade(first, h, level = REFINEMENTS) {
    const low = [...h].reverse();
    let values = [...first].reverse();
    for (let step = 1; step < level; step++) {
      const next = new Array(2 * values.length - 1 + low.length - 1).fill(0);
      values.forEach((value, n) => low.forEach((tap, j) => { next[2 * n + j] += value * tap; }));
      values = next;
    }
    const all = new Array((h.length - 1) * 2 ** level + 1).fill(0);
    values.forEach((value, n) => { if (n + 1 < all.length) all[n + 1] = value * 2 ** (level / 2); });
    return all;
  }

  /** |H(ω)| at ω from 0 to π, so many steps. */
  function response(h, steps = 128) {
    return Array.from({ length: steps + 1 }, (_, i) => {
      const omega = (Math.PI * i) / steps;
      return Math.hypot(h.reduce((sum, tap, n) => sum + tap * Math.cos(omega * n), 0),
        h.reduce((sum, tap, n) => sum + tap * Math.sin(omega * n), 0));
    });
  }

  function filtered(x, filter) {
    const n = x.length, half = filter.length / 2;
    return Array.from({ length: n / 2 }, (_, k) => {
      let sum = 0;
      for (let j = 0; j < filter.length; j++) sum += filter[j] * x[(((2 * k + half - j) % n) + n) % n];
      return sum;
    });
  }

  /** Coefficients [cA, cD of the coarsest level, …, cD of the finest], the signal taken for periodic. */
  function dwt(x, h, levels = LEVELS) {
    const g = mirror(h), details = [];
    for (let level = 0; level < levels; level++) {
      details.unshift(filtered(x, g));
      x = filtered(x, h);
    }
    return [x, ...details];
  }

  /** The signal that has these coefficients. */
  function inverse(bands, h) {
    const g = mirror(h), half = h.length / 2;
    return bands.slice(1).reduce((low, high) => {
      const n = 2 * low.length, x = new Array(n).fill(0);
      for (let k = 0; k < low.length; k++)
        for (let j = 0; j < h.length; j++) x[(((2 * k + half - j) % n) + n) % n] += h[j] * low[k] + g[j] * high[k];
      return x;
    }, bands[0]);
  }

  /** L1 norm of the coefficients per sample: what distillation makes small, of data and of attributions. */
  const norm = (x, h) => dwt(x, h).flat().reduce((sum, c) => sum + Math.abs(c), 0) / x.length;

  const withFirst = (free) => [QUARTER - free.reduce((a, b) => a + b, 0), ...free];
  const wrapped = (angle) => angle - Math.PI * Math.ceil(angle / Math.PI - 0.5);

  /** The next place downhill: a step against the gradient that lowers the norm, or the same place. */
  function downhill(free, x) {
    const at = norm(x, tapsFromAngles(withFirst(free))), small = 1e-5;
    const slope = free.map((_, k) => {
      const other = free.map((angle, i) => (i === k ? angle + small : angle));
      return (norm(x, tapsFromAngles(withFirst(other))) - at) / small;
    });
    const size = Math.hypot(...slope);
    for (let step = 0.05; step > 1e-5 && size > 1e-9; step /= 2) {
      const next = free.map((angle, k) => wrapped(angle - (step * slope[k]) / size));
      if (norm(x, tapsFromAngles(withFirst(next))) < at - 1e-9) return next;
    }
    return free;
  }

  function noise(seed) {
    let state = seed;
    return () => { state = (1103515245 * state + 12345) % 2147483648; return state / 2147483648 - 0.5; };
  }
  const SIGNALS = {
    "hits that ring": () => {
      const random = noise(7);
      const x = Array.from({ length: SAMPLES }, () => 0.15 * random());
      for (const [place, size] of [[20, 1], [83, 0.6], [130, 0.9], [199, 0.7]])
        for (let t = 0; t < 16; t++) x[place + t] += size * Math.exp(-t / 4) * Math.sin((2 * Math.PI * t) / 5);
      return x;
    },
    steps: () => Array.from({ length: SAMPLES }, (_, n) => [0.1, 0.9, -0.5, 0.3, 0.3, -0.8, 0.6][Math.floor(n / 37)]),
    "a smooth wave": () => Array.from({ length: SAMPLES }, (_, n) =>
      0.6 * Math.sin((2 * Math.PI * 3 * n) / SAMPLES) + 0.4 * Math.cos((2 * Math.PI * 5 * n) / SAMPLES)),
    "a chirp": () => Array.from({ length: SAMPLES }, (_, n) => Math.sin((0.9 * Math.PI * n * n) / (2 * SAMPLES))),
  };

  // ---- What is drawn ----

  const LOW = "#0072B2", HIGH = "#D55E00";
  const make = (name, attributes = {}, text = "") => {
    const svg = ["svg", "path", "line", "circle", "text", "rect"].includes(name);
    const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text) node.textContent = text;
    return node;
  };

  /** A panel with a title and an SVG whose axes run over the given ranges. */
  class Panel {
    constructor(parent, title, wide = false) {
      this.w = wide && innerWidth > 700 ? 720 : 340; this.h = wide ? 300 : 190;
      const figure = make("figure", { class: wide ? "lab-wide" : "" });
      figure.append(make("figcaption", {}, title));
      this.svg = make("svg", { viewBox: `0 0 ${this.w} ${this.h}`, role: "img", "aria-label": title });
      figure.append(this.svg);
      parent.append(figure);
    }
    begin(x0, x1, y0, y1) {
      this.svg.replaceChildren();
      this.x = (v) => 34 + ((v - x0) / (x1 - x0)) * (this.w - 42);
      this.y = (v) => this.h - 22 - ((v - y0) / (y1 - y0)) * (this.h - 30);
    }
    tick(x, y, text, anchor = "middle") {
      this.svg.append(make("text", { x, y, "text-anchor": anchor, class: "lab-tick" }, text));
    }
    ticks(xs, ys, yAt = 0) {
      this.line([[xs[0][0], yAt], [xs.at(-1)[0], yAt]], "currentColor", 0.6);
      xs.forEach(([v, text]) => this.tick(this.x(v), this.h - 6, text));
      ys.forEach(([v, text]) => this.tick(30, this.y(v) + 4, text, "end"));
    }
    line(points, stroke, width = 1.8, dash = "") {
      const d = points.map(([x, y], i) => `${i ? "L" : "M"}${this.x(x).toFixed(1)},${this.y(y).toFixed(1)}`).join("");
      this.svg.append(make("path", { d, stroke, fill: "none", "stroke-width": width, "stroke-dasharray": dash }));
    }
    stem(x, value, colour, radius = 3) {
      this.line([[x, 0], [x, value]], colour, 1.4);
      this.svg.append(make("circle", { cx: this.x(x), cy: this.y(value), r: radius, fill: colour }));
    }
  }

  function start(place) {
    place.replaceChildren();
    const controls = make("div", { class: "lab-controls" }), panels = make("div", { class: "lab-panels" });
    place.append(controls, panels);
    const choice = (words, options) => {
      const label = make("label", {}, words), select = make("select");
      options.forEach((option) => select.append(make("option", { value: option }, option)));
      label.append(select);
      controls.append(label);
      return select;
    };
    const wavelet = choice("Start from ", Object.keys(PLAIN));
    const taps = choice("Taps ", ["2", "4", "6", "8", "10"]);
    const signal = choice("Signal ", Object.keys(SIGNALS));
    const sliders = make("div", { class: "lab-sliders" });
    const pad = make("canvas", { width: 61, height: 61, class: "lab-pad", "aria-hidden": "true" });
    const padBox = make("div", { class: "lab-pad-box" }), handle = make("span", { class: "lab-handle" });
    padBox.append(pad, handle);
    const walk = make("button", { type: "button", class: "md-button" }, "Go downhill");
    const words = make("p", { class: "lab-words", "aria-live": "polite" }), python = make("code");
    controls.append(sliders, padBox, walk, words, python);
    const draw = {
      taps: new Panel(panels, "Taps h (blue) and g (orange)"), response: new Panel(panels, "Frequency response |H|, |G|"),
      phi: new Panel(panels, "Scaling function φ"), psi: new Panel(panels, "Wavelet function ψ"),
      bands: new Panel(panels, "The signal, and its coefficients by level", true),
    };
    let free = [], x = SIGNALS["hits that ring"](), walking = 0;

    function chosen(name) {
      free = PLAIN[name].slice(1).map(wrapped);
      taps.value = String(2 * PLAIN[name].length);
      wavelet.value = name;
      rebuild();
    }
    function rebuild() {
      sliders.replaceChildren();
      free.forEach((_, k) => {
        const label = make("label", {}, `θ${k + 2} `), input = make("input", { type: "range", min: -90, max: 90, step: 0.5 });
        const shown = make("output");
        input.addEventListener("input", () => { stop(); free[k] = (Number(input.value) * Math.PI) / 180; show(k > 1); });
        label.append(input, shown);
        sliders.append(label);
      });
      padBox.hidden = free.length < 2;
      walk.disabled = !free.length;
      show(true);
    }
    function landscape() {
      if (free.length < 2) return;
      const context = pad.getContext("2d"), picture = context.createImageData(61, 61), values = [];
      for (let row = 0; row < 61; row++)
        for (let column = 0; column < 61; column++) {
          const [a, b] = [column, 60 - row].map((i) => ((i - 30) / 60) * Math.PI);
          values.push(norm(x, tapsFromAngles(withFirst([a, b, ...free.slice(2)]))));
        }
      const least = Math.min(...values), most = Math.max(...values);
      values.forEach((value, i) => {
        const u = (value - least) / (most - least || 1);
        picture.data.set([40 + 215 * u, 70 + 165 * u, 130 + 90 * u, 255], 4 * i);
      });
      context.putImageData(picture, 0, 0);
    }
    function show(anew) {
      const angles = withFirst(free), h = tapsFromAngles(angles), g = mirror(h), L = h.length;
      const bands = dwt(x, h), back = inverse(bands, h);
      const error = Math.max(...back.map((value, n) => Math.abs(value - x[n])));
      if (anew) landscape();
      [...sliders.children].forEach((label, k) => {
        label.querySelector("input").value = (free[k] * 180) / Math.PI;
        label.querySelector("output").textContent = `${((free[k] * 180) / Math.PI).toFixed(1)}°`;
      });
      if (free.length > 1) {
        handle.style.left = `${(free[0] / Math.PI + 0.5) * 100}%`;
        handle.style.top = `${(0.5 - free[1] / Math.PI) * 100}%`;
      }
      words.textContent = `Coefficients: L1 norm ${norm(x, h).toFixed(4)} per sample. `
        + `Sum of taps ${h.reduce((a, b) => a + b, 0).toFixed(6)}; reconstruction error ${error.toExponential(0)}.`;
      python.textContent = `Wavelet.from_angles([${angles.map((angle) => angle.toFixed(6)).join(", ")}])`;
      const t = h.map((_, n) => [n, String(n)]);
      draw.taps.begin(-0.5, L - 0.5, -1.1, 1.1);
      draw.taps.ticks(t, [[-1, "−1"], [0, "0"], [1, "1"]]);
      h.forEach((tap, n) => { draw.taps.stem(n - 0.1, tap, LOW); draw.taps.stem(n + 0.1, g[n], HIGH); });
      draw.response.begin(0, Math.PI, 0, 1.5);
      draw.response.ticks([[0, "0"], [Math.PI / 2, "π/2"], [Math.PI, "π"]], [[0, "0"], [1, "1"], [Math.SQRT2, "√2"]]);
      for (const [filter, colour, dash] of [[h, LOW, ""], [g, HIGH, "6 3"]])
        draw.response.line(response(filter).map((value, i) => [(Math.PI * i) / 128, value]), colour, 1.8, dash);
      for (const [panel, first, colour] of [[draw.phi, h, LOW], [draw.psi, g, HIGH]]) {
        const values = cascade(first, h), size = Math.max(1.5, ...values.map(Math.abs)) * 1.05;
        panel.begin(0, L - 1, -size, size);
        panel.ticks(t, [[-size / 1.05, `−${(size / 1.05).toFixed(1)}`], [0, "0"], [size / 1.05, (size / 1.05).toFixed(1)]]);
        panel.line(values.map((value, n) => [n / 2 ** REFINEMENTS, value]), colour);
      }
      const rows = [["x", x], ...bands.slice(1).reverse().map((band, i) => [`D${i + 1}`, band]), [`A${LEVELS}`, bands[0]]];
      const largest = Math.max(...rows.slice(1).flatMap(([, band]) => band.map(Math.abs)));
      draw.bands.begin(0, SAMPLES, 0, rows.length);
      rows.forEach(([name, band], row) => {
        const zero = rows.length - row - 0.5, each = SAMPLES / band.length, size = row ? largest : Math.max(...x.map(Math.abs));
        draw.bands.tick(30, draw.bands.y(zero) + 4, name, "end");
        draw.bands.line([[0, zero], [SAMPLES, zero]], "currentColor", 0.4);
        const top = (value) => zero + (0.46 * value) / size;
        if (!row) draw.bands.line(band.map((value, n) => [n + 0.5, top(value)]), "currentColor", 1.2);
        else band.forEach((value, k) => draw.bands.line([[(k + 0.5) * each, zero], [(k + 0.5) * each, top(value)]],
          row === rows.length - 1 ? LOW : HIGH, 1.6));
      });
    }
    function stop() { cancelAnimationFrame(walking); walking = 0; walk.textContent = "Go downhill"; }
    function step() {
      const next = downhill(free, x), there = next === free;
      free = next;
      show(there);
      if (there) stop();
      else walking = requestAnimationFrame(step);
    }
    wavelet.addEventListener("change", () => { stop(); chosen(wavelet.value); });
    taps.addEventListener("change", () => {
      stop();
      const wanted = Number(taps.value) / 2 - 1;
      free = Array.from({ length: wanted }, (_, k) => free[k] ?? 0);
      rebuild();
    });
    signal.addEventListener("change", () => { stop(); x = SIGNALS[signal.value](); show(true); });
    walk.addEventListener("click", () => {
      if (walking) { stop(); show(true); return; }
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
        for (let i = 0, next; i < 500 && (next = downhill(free, x)) !== free; i++) free = next;
        show(true);
      } else { walk.textContent = "Stop"; walking = requestAnimationFrame(step); }
    });
    const drag = (event) => {
      const box = pad.getBoundingClientRect();
      free[0] = wrapped(((event.clientX - box.left) / box.width - 0.5) * Math.PI);
      free[1] = wrapped((0.5 - (event.clientY - box.top) / box.height) * Math.PI);
      show(false);
    };
    padBox.addEventListener("pointerdown", (event) => { stop(); padBox.setPointerCapture(event.pointerId); drag(event); });
    padBox.addEventListener("pointermove", (event) => { if (padBox.hasPointerCapture(event.pointerId)) drag(event); });
    chosen("db3");
  }

  window.awdWavelet = { PLAIN, SIGNALS, tapsFromAngles, mirror, cascade, response, dwt, inverse, norm, downhill };
  const place = document.getElementById("wavelet-lab");
  if (place) start(place);
})();
