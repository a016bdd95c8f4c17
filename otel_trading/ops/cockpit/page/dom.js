// Elements, made and changed without ever parsing text as markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(tag, { className = "", text = "", ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function write(node, text) {
  const value = String(text ?? "");
  if (node.textContent !== value) node.textContent = value;
}

export function mark(node, className) {
  if (node.className !== className) node.className = className;
}

export function give(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

const known = new WeakMap();

// Children by key: those that stay are changed where they are, so that neither focus nor selection is lost.
export function keyed(parent, rows, make, change) {
  const before = known.get(parent) ?? new Map();
  const now = new Map();
  let place = parent.firstChild;
  for (const [key, row] of rows) {
    let node = before.get(key);
    if (node === undefined) node = make(key, row);
    change(node, row, key);
    now.set(key, node);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  for (const [key, node] of before) if (!now.has(key)) node.remove();
  known.set(parent, now);
}

// A table whose columns are functions of a row: [title, (row, key) => text, or {text, className, node(cell, row)}, class].
export class Table {
  constructor(id, columns) {
    this.table = byId(id);
    this.columns = columns;
    this.none = byId(`${id}-none`);
    this.part = byId(`${id}-part`);
    const titles = columns.map(([title, , kind = ""]) => element("th", { scope: "col", className: kind, text: title }));
    this.body = element("tbody");
    this.table.append(element("thead", {}, element("tr", {}, ...titles)), this.body);
    this.show([]);
  }

  show(rows) {
    show(this.table, rows.length > 0);
    show(this.table.parentElement, rows.length > 0);
    if (this.none) show(this.none, rows.length === 0);
    if (this.part) show(this.part, rows.length > 0);
    keyed(this.body, rows, () => this.make(), (node, row, key) => this.change(node, row, key));
  }

  make() {
    return element("tr", {}, ...this.columns.map((_, at) => (at ? element("td") : element("th", { scope: "row" }))));
  }

  change(node, row, key) {
    this.columns.forEach(([, value, kind = ""], at) => {
      const cell = node.children[at];
      const shown = value(row, key);
      if (shown !== null && typeof shown === "object") {
        mark(cell, `${kind} ${shown.className ?? ""}`.trim());
        if (shown.node) shown.node(cell, row, key);
        else write(cell, shown.text);
      } else {
        mark(cell, kind);
        write(cell, shown);
      }
    });
  }
}

// Facts as a list of terms and descriptions.
export function facts(list, rows) {
  keyed(
    list,
    rows.filter(([, value]) => value !== undefined && value !== "").flatMap(([name, value]) => [
      [`${name} term`, name],
      [`${name} description`, value],
    ]),
    (key) => element(key.endsWith(" term") ? "dt" : "dd"),
    (node, value) => {
      mark(node, value.className ?? "");
      write(node, value.text ?? value);
    },
  );
}
