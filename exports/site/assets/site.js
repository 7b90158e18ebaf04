/* The dashboard in the browser: draws charts and lets readers choose. Every number is a display from the release. */
(function () {
  "use strict";

  var data = window.YTB || {};
  var COLOURS = ["#143d66", "#b4612a", "#3c8a8c", "#8a6fae", "#7a8794", "#a08a2c", "#4f83c2", "#a3434f"];
  var SYMBOLS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond"];
  var FONT = '"Source Han Sans SC","Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif';
  var charts = new Map();
  /* A scroll bar that appears with the tables narrows the page after a chart was drawn. */
  var observer = window.ResizeObserver ? new ResizeObserver(function (entries) {
    entries.forEach(function (entry) { var chart = charts.get(entry.target); if (chart) { chart.resize(); } });
  }) : null;

  function number(display) {
    return /^-?\d+(\.\d+)?$/.test(display) ? Number(display) : null;
  }

  function element(tag, attributes, text) {
    var made = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) { made.setAttribute(name, attributes[name]); });
    if (text !== undefined) { made.textContent = text; }
    return made;
  }

  function figure(display) {
    var cell = element("td", { "class": "v" });
    var found = /^(-?)(\d+)(\.\d+)?$/.exec(display || "");
    if (!found || found[2].length <= 4) { cell.textContent = display || ""; return cell; }
    var first = found[2].length % 3 || 3;
    cell.append(found[1] + found[2].slice(0, first));
    for (var n = first; n < found[2].length; n += 3) { cell.append(element("i"), found[2].slice(n, n + 3)); }
    if (found[3]) { cell.append(found[3]); }
    return cell;
  }

  /* ticks of an axis are no published figures: round counts in 万 and 亿 */
  function tick(value) {
    var size = Math.abs(value);
    if (size >= 1e8) { return +(value / 1e8).toFixed(2) + "亿"; }
    return size >= 1e4 ? +(value / 1e4).toFixed(2) + "万" : String(value);
  }

  function short(text, length) {
    return text.length > length ? text.slice(0, length - 1) + "…" : text;
  }

  /* one chart: kind, title, unit, categories, series [{name, shown}] */
  function option(chart) {
    var lying = chart.kind === "hbar";
    var narrow = window.innerWidth < 640;
    var many = chart.series.length > 1;
    var two = chart.series.some(function (s) { return s.axis === 1; });
    var values = { type: "value", scale: !chart.from_zero, name: lying ? "" : chart.unit, nameTextStyle: { color: "#5a6875" },
      axisLabel: { color: "#5a6875", formatter: tick, hideOverlap: true }, splitLine: { lineStyle: { color: "#e6ebf0" } } };
    var names = { type: "category", data: chart.categories, inverse: lying, axisTick: { show: false },
      axisLine: { lineStyle: { color: "#9fb0c0" } },
      axisLabel: { color: "#1b2733", interval: lying ? 0 : "auto", hideOverlap: !lying,
        formatter: function (text) { return short(text, narrow ? 8 : 16); } } };
    return {
      color: COLOURS, animation: false,
      textStyle: { fontFamily: FONT, fontSize: 13 },
      aria: { enabled: false },
      grid: { left: 12, right: lying ? 70 : 20, top: (many ? 34 : 4) + (lying ? 4 : chart.unit || two ? 34 : 14), bottom: 8, containLabel: true },
      legend: many ? { top: 4, left: 0, type: "scroll", icon: "roundRect", textStyle: { color: "#1b2733" },
        formatter: function (text) { return short(text, narrow ? 9 : 18); } } : undefined,
      tooltip: { trigger: "axis", axisPointer: { type: lying || chart.kind === "bar" ? "shadow" : "line" }, confine: true,
        formatter: function (points) {
          var box = element("div");
          box.append(element("strong", {}, points[0].name));
          points.forEach(function (p) {
            var series = chart.series[p.seriesIndex];
            var line = element("div");
            var unit = series.unit === undefined ? chart.unit : series.unit;
            line.append(series.name + " ", element("b", {}, series.shown[p.dataIndex] || ""), " " + (unit || ""));
            box.append(line);
          });
          return box;
        } },
      xAxis: lying ? values : names,
      yAxis: lying ? names : (two ? [values, { type: "value", name: chart.unit2 || "", scale: true, splitLine: { show: false }, axisLabel: { color: "#5a6875" }, nameTextStyle: { color: "#5a6875" } }] : values),
      series: chart.series.map(function (s, n) {
        var line = s.kind === "line" || (chart.kind === "line" && !s.kind);
        return {
          name: s.name, type: line ? "line" : "bar", yAxisIndex: two && s.axis === 1 ? 1 : 0,
          data: s.shown.map(function (d) { var v = number(d); return v === null && lying && d ? 0 : v; }), symbol: SYMBOLS[n % SYMBOLS.length], symbolSize: 7, barMaxWidth: 26, connectNulls: false,
          lineStyle: { width: 2, color: COLOURS[n % COLOURS.length] }, cursor: "default",
          label: { show: lying && chart.categories.length <= 40, position: "right", color: "#1b2733",
            formatter: function (p) { return s.shown[p.dataIndex]; } },
          itemStyle: { color: COLOURS[n % COLOURS.length] }
        };
      })
    };
  }

  function draw(holder, chart) {
    var canvas = holder.querySelector(".canvas");
    if (!window.echarts || !canvas) { return; }
    if (chart.kind === "hbar") { canvas.style.height = Math.max(140, 34 + chart.categories.length * (chart.series.length > 1 ? 44 : 30)) + "px"; }
    var old = charts.get(canvas);
    if (old) { old.dispose(); }
    var made = window.echarts.init(canvas, null, { renderer: "svg" });
    made.setOption(option(chart));
    charts.set(canvas, made);
    if (observer) { observer.observe(canvas); }
  }

  function caption(holder, title, unit) {
    var place = holder.querySelector("figcaption, caption");
    place.textContent = title;
    if (unit) { place.append(element("small", { "class": "unit" }, "单位:" + unit)); }
  }

  function alt(holder, chart) {
    var said = chart.series.map(function (s) {
      return s.name + ":" + chart.categories.map(function (c, n) { return s.shown[n] ? c + s.shown[n] : ""; }).filter(Boolean).slice(0, 12).join("、");
    });
    holder.querySelector(".canvas").setAttribute("aria-label", chart.title + "。" + said.join("。"));
  }

  function rows(table, heads, lines) {
    var head = element("tr");
    heads.forEach(function (text, n) { head.append(element("th", n ? { scope: "col" } : { scope: "col", "class": "stub" }, text)); });
    table.tHead.replaceChildren(head);
    table.tBodies[0].replaceChildren.apply(table.tBodies[0], lines.map(function (line) {
      var row = element("tr");
      row.append(element("th", { scope: "row" }, line[0]));
      line[1].forEach(function (display) { row.append(figure(display)); });
      return row;
    }));
  }

  function named(pairs, code) {
    var found = pairs.find(function (pair) { return pair[0] === code; });
    return found ? found[1] : code;
  }

  /* measures of one indicator, under the names they have for it */
  function mine(cube, indicator, has) {
    var own = cube.own[indicator] || {};
    return cube.measures.filter(function (m) { return has(m[0]); }).map(function (m) { return [m[0], own[m[0]] || m[1]]; });
  }

  function withUnit(name, unit, common) {
    return unit && unit !== common ? name + "(" + unit + ")" : name;
  }

  function options(select, pairs, wanted) {
    select.replaceChildren.apply(select, pairs.map(function (pair) {
      var made = element("option", { value: pair[0] }, pair[1]);
      if (pair[0] === wanted) { made.selected = true; }
      return made;
    }));
  }

  function parks(form) {
    var cube = data.cube;
    var holder = document.querySelector('[data-chart="parks"]');
    var table = document.getElementById("parks-table");
    function show() {
      var indicator = form.elements.indicator.value;
      var subs = form.elements.subs.checked;
      var units = cube.units[indicator] || {};
      var measures = mine(cube, indicator, function (m) { return m in units; });
      var measure = form.elements.measure.value in units ? form.elements.measure.value : measures[0][0];
      options(form.elements.measure, measures, measure);
      var areas = cube.areas.filter(function (a) { return cube.cells[a[0]][indicator] && (subs || (a[2] !== "sub_park" && a[2] !== "base")); });
      function at(area, m) { return ((cube.cells[area][indicator] || {})[m] || [""])[0]; }
      var drawn = areas.filter(function (a) { return a[2] !== "area"; });
      var title = named(cube.indicators, indicator) + ":" + named(measures, measure);
      var chart = { kind: "hbar", title: title, unit: units[measure], from_zero: true,
        categories: drawn.map(function (a) { return a[1]; }),
        series: [{ name: named(measures, measure), shown: drawn.map(function (a) { return at(a[0], measure); }) }] };
      caption(holder, title, units[measure]);
      draw(holder, chart);
      alt(holder, chart);
      caption(table, named(cube.indicators, indicator), units[measures[0][0]]);
      rows(table, ["区域"].concat(measures.map(function (m) { return withUnit(m[1], units[m[0]], units[measures[0][0]]); })),
        areas.map(function (a) { return [a[1], measures.map(function (m) { return at(a[0], m[0]); })]; }));
    }
    form.addEventListener("change", show);
    show();
  }

  function groups(form) {
    var cube = data.groups;
    var holder = document.querySelector('[data-chart="groups"]');
    var table = document.getElementById("groups-table");
    function show() {
      var kept = { area: form.elements.area.value, indicator: form.elements.indicator.value };
      var breakdown = form.elements.breakdown.value;
      var inside = cube.cells[breakdown];
      options(form.elements.area, cube.areas.filter(function (a) { return inside[a[0]]; }), kept.area);
      var area = form.elements.area.value;
      options(form.elements.indicator, cube.indicators.filter(function (i) { return inside[area][i[0]]; }), kept.indicator);
      var indicator = form.elements.indicator.value;
      var own = inside[area][indicator];
      var units = cube.units[indicator];
      var measures = mine(cube, indicator, function (m) { return m in own; });
      var categories = cube.categories[breakdown].filter(function (c) { return measures.some(function (m) { return c[0] in own[m[0]]; }); });
      var first = measures[0][0];
      var title = named(cube.areas, area) + named(cube.indicators, indicator) + "(" + named(cube.breakdowns, breakdown) + ")";
      var chart = { kind: "hbar", title: title, unit: units[first], from_zero: true, categories: categories.map(function (c) { return c[1]; }),
        series: [{ name: named(measures, first), shown: categories.map(function (c) { return own[first][c[0]] || ""; }) }] };
      caption(holder, title + ":" + named(measures, first), units[first]);
      draw(holder, chart);
      alt(holder, chart);
      caption(table, title, units[first]);
      rows(table, [named(cube.breakdowns, breakdown)].concat(measures.map(function (m) { return withUnit(m[1], units[m[0]], units[first]); })),
        categories.map(function (c) { return [c[1], measures.map(function (m) { return own[m[0]][c[0]] || ""; })]; }));
    }
    form.addEventListener("change", show);
    show();
  }

  function series(form) {
    var cube = data.cube;
    var holder = document.querySelector('[data-chart="series"]');
    var table = document.getElementById("series-table");
    function show() {
      var area = form.elements.area.value;
      var kept = form.elements.indicator.value;
      options(form.elements.indicator, cube.indicators.filter(function (i) { return cube.cells[area][i[0]]; }), kept);
      var indicator = form.elements.indicator.value;
      var own = cube.cells[area][indicator];
      var units = cube.units[indicator];
      var measures = mine(cube, indicator, function (m) { return m in own; });
      var periods = cube.periods.map(function (p) { return p[1]; });
      function drawable(m) { return own[m] && own[m].some(function (d) { return number(d) !== null; }); }
      var bar = data.bars.find(drawable);
      var lines = data.lines.filter(drawable).slice(0, 1);
      var title = named(cube.areas, area) + named(cube.indicators, indicator);
      var chart = { kind: "bar", title: title, unit: units[bar] || "", unit2: lines.length ? units[lines[0]] : "", from_zero: true, categories: periods,
        series: (bar ? [{ name: named(measures, bar), kind: "bar", axis: 0, unit: units[bar], shown: own[bar] }] : []).concat(
          lines.map(function (m) { return { name: named(measures, m), kind: "line", axis: 1, unit: units[m], shown: own[m] }; })) };
      caption(holder, title, "");
      if (chart.series.length) { draw(holder, chart); }
      alt(holder, chart);
      caption(table, title, "");
      rows(table, ["报告期"].concat(measures.map(function (m) { return withUnit(m[1], units[m[0]], ""); })),
        periods.map(function (p, n) { return [p, measures.map(function (m) { return own[m[0]][n]; })]; }));
    }
    form.addEventListener("change", show);
    show();
  }

  function development(form) {
    function show() {
      document.querySelectorAll(".of-area").forEach(function (part) { part.hidden = part.dataset.area !== form.elements.area.value; });
      drawAll();
    }
    form.addEventListener("change", show);
    show();
  }

  function filter(form) {
    var all = Array.prototype.slice.call(document.querySelectorAll("main tbody tr"));
    function show() {
      var text = form.elements.text.value.trim();
      var shown = 0;
      var groups = [];
      all.forEach(function (row) {
        if (row.classList.contains("group")) {
          var depth = Number(/g(\d)/.exec(row.className)[1]);
          groups = groups.filter(function (g) { return g.depth < depth; });
          groups.push({ depth: depth, row: row });
          row.hidden = text !== "";
          return;
        }
        var hit = !text || row.textContent.indexOf(text) >= 0 || groups.some(function (g) { return g.row.textContent.indexOf(text) >= 0; });
        row.hidden = !hit;
        if (hit) { shown += 1; groups.forEach(function (g) { g.row.hidden = false; }); }
      });
      form.querySelector(".count").textContent = text ? "找到 " + shown + " 行" : "";
    }
    form.addEventListener("input", show);
    form.addEventListener("submit", function (event) { event.preventDefault(); });
  }

  function drawAll() {
    Object.keys(data.charts || {}).forEach(function (id) {
      document.querySelectorAll('[data-chart="' + id + '"]').forEach(function (holder) {
        if (holder.offsetParent !== null) { draw(holder, data.charts[id]); }
      });
    });
  }

  function start() {
    if (!window.echarts) { document.documentElement.classList.add("no-chart"); }
    var known = { parks: parks, groups: groups, series: series, development: development, filter: filter };
    document.querySelectorAll("form.controls").forEach(function (form) { known[form.dataset.page](form); });
    drawAll();
    document.querySelectorAll("details").forEach(function (part) { part.addEventListener("toggle", drawAll); });
    var waiting = 0;
    window.addEventListener("resize", function () {
      window.clearTimeout(waiting);
      waiting = window.setTimeout(function () { charts.forEach(function (chart) { chart.resize(); }); }, 120);
    });
    window.addEventListener("beforeprint", function () { charts.forEach(function (chart) { chart.resize(); }); });
  }

  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", start); } else { start(); }
}());
