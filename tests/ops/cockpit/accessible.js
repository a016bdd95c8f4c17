// What a page must have so that everybody can use it; gives what is missing, in words.
(() => {
  const found = [];
  const shown = (node) => node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && node.getClientRects().length > 0;
  const called = (node) => {
    const by = node.getAttribute("aria-labelledby");
    if (by) return by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    return (node.getAttribute("aria-label") ?? [...(node.labels ?? [])].map((label) => label.textContent).join(" ") ?? "").trim() || node.textContent.trim() || node.title;
  };
  const name = (node) => `<${node.localName}${node.id ? `#${node.id}` : ""}${node.className?.baseVal ?? node.className ? `.${node.className?.baseVal ?? node.className}` : ""}> "${node.textContent.trim().slice(0, 30)}"`;

  if (!document.documentElement.lang) found.push("the page has no language");
  if (!document.title.trim()) found.push("the page has no title");
  for (const landmark of ["header", "main", "nav", "footer"]) {
    if (document.querySelectorAll(`body > ${landmark}, main > nav`).length === 0) found.push(`there is no ${landmark}`);
  }
  if (document.querySelectorAll("h1").length !== 1) found.push("there is not one h1");
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`the id ${id} is there twice`);

  let depth = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
    if (!shown(heading)) continue;
    const level = Number(heading.localName[1]);
    if (level > depth + 1) found.push(`${name(heading)} skips a level`);
    if (!heading.textContent.trim()) found.push(`${name(heading)} is empty`);
    depth = level;
  }
  for (const control of document.querySelectorAll("button, input, select, textarea, a[href], summary, [role=region], [role=log], dialog, nav, section, fieldset")) {
    if (!called(control)) found.push(`${name(control)} has no name`);
  }
  for (const control of document.querySelectorAll("button, input:not([type=radio]), select")) {
    const box = control.getBoundingClientRect();
    if (shown(control) && (box.width < 24 || box.height < 24)) found.push(`${name(control)} is too small to be hit: ${Math.round(box.width)}x${Math.round(box.height)}`);
  }
  for (const [attribute, separator] of [["aria-labelledby", " "], ["aria-describedby", " "], ["for", " "]]) {
    for (const node of document.querySelectorAll(`[${attribute}]`)) {
      for (const id of node.getAttribute(attribute).split(separator)) if (!document.getElementById(id)) found.push(`${name(node)} points to ${id}, which is not there`);
    }
  }
  for (const svg of document.querySelectorAll("svg")) {
    if (svg.getAttribute("aria-hidden") !== "true") found.push(`${name(svg)} is neither hidden nor named`);
  }
  for (const table of document.querySelectorAll("table")) {
    if (!shown(table)) continue;
    for (const head of table.querySelectorAll("th")) if (!head.scope) found.push(`${name(head)} is the head of nothing`);
  }
  for (const box of document.querySelectorAll("*")) {
    if (!shown(box) || box.tabIndex >= 0 || ["html", "body", "dialog"].includes(box.localName)) continue;
    const style = getComputedStyle(box);
    if (/auto|scroll/.test(style.overflow) && (box.scrollHeight > box.clientHeight + 1 || box.scrollWidth > box.clientWidth + 1) && !box.querySelector("a, button")) found.push(`${name(box)} scrolls, but not by keyboard`);
  }
  for (const node of document.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) found.push(`${name(node)} has its own place in the order`);
  for (const list of document.querySelectorAll("ul, ol")) {
    for (const child of list.children) if (child.localName !== "li") found.push(`${name(list)} holds a ${child.localName}`);
  }
  const live = [...document.querySelectorAll("[aria-live], [role=alert], [role=status], output")].filter((node) => node.getAttribute("aria-live") !== "off");
  if (live.length > 6) found.push(`${live.length} parts of the page speak by themselves`);

  // Contrast, as in WCAG 2.2: 4.5 to 1, for large texts 3 to 1.
  const colour = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({ r: top.r * top.a + below.r * (1 - top.a), g: top.g * top.a + below.g * (1 - top.a), b: top.b * top.a + below.b * (1 - top.a), a: 1 });
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) {
      const layer = colour(getComputedStyle(at).backgroundColor);
      layers.push(layer);
      if (layer.a === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), { r: 255, g: 255, b: 255, a: 1 });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.nodeValue.trim() || seen.has(node) || !shown(node) || node.closest("noscript, option, [disabled]")) continue;
    seen.add(node);
    const style = getComputedStyle(node);
    const behind = ground(node);
    const [a, b] = [light(over(colour(style.color), behind)), light(behind)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5)) found.push(`${name(node)} has a contrast of ${contrast.toFixed(2)}`);
  }
  return { found: [...new Set(found)], texts: seen.size };
})()
