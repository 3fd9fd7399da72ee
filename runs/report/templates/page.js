"use strict";
(() => {
  const PAGE = 25;
  const collator = new Intl.Collator("en", { numeric: true });
  const compare = (a, b) => {
    const noA = a === null || a === "", noB = b === null || b === "";
    if (noA || noB) return noA - noB;
    return typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
  };
  // Missing values stay last in both directions.
  const directed = (sign) => (a, b) => {
    const none = (v) => v === null || v === "";
    return none(a) || none(b) ? compare(a, b) : sign * compare(a, b);
  };
  const format = (v) => {
    if (v === null) return "–";
    if (typeof v !== "number") return v;
    if (Number.isInteger(v) && Math.abs(v) < 1e9) return String(v);
    return String(Number(v.toPrecision(8)));
  };

  function sortableHead(table, onSort) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.classList.contains("fixed")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        onSort(column, directed(up ? 1 : -1));
      });
    });
  }

  function sortStatic(table) {
    const key = (row, column) => {
      const cell = row.cells[column];
      const text = cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent.trim();
      return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
    };
    sortableHead(table, (column, order) => {
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort((a, b) => order(a[0], b[0]));
      body.append(...rows.map((pair) => pair[1]));
    });
  }

  function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  }

  function drawTable(place) {
    const data = JSON.parse(document.getElementById(place.dataset.table).textContent);
    let rows = data.rows, page = 0;
    const filter = element("input", { type: "search", placeholder: "Filter rows" });
    filter.setAttribute("aria-label", "Filter rows: " + data.caption);
    const back = element("button", { type: "button", textContent: "Previous" });
    const on = element("button", { type: "button", textContent: "Next" });
    const where = element("span", { className: "quiet" });
    where.setAttribute("aria-live", "polite");
    const heads = data.columns.map((c) => element("th", { scope: "col", className: c.numeric ? "n" : "", textContent: c.name }));
    const body = element("tbody");
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body);
    const scroll = element("div", { className: "scroll", tabIndex: 0 }, table);
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", data.caption);

    const draw = () => {
      const pages = Math.max(1, Math.ceil(rows.length / PAGE));
      page = Math.min(Math.max(page, 0), pages - 1);
      const shown = rows.slice(page * PAGE, (page + 1) * PAGE);
      body.replaceChildren(...shown.map((row) => element("tr", {}, ...row.map((value, i) =>
        element("td", { className: data.columns[i].numeric ? "n" : "", textContent: format(value) })))));
      const first = rows.length ? page * PAGE + 1 : 0;
      where.textContent = `${first}–${page * PAGE + shown.length} of ${rows.length}`;
      back.disabled = page === 0;
      on.disabled = page >= pages - 1;
    };
    back.addEventListener("click", () => { page -= 1; draw(); });
    on.addEventListener("click", () => { page += 1; draw(); });
    filter.addEventListener("input", () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      rows = data.rows.filter((row) => {
        const text = row.map((v) => (typeof v === "string" ? v.toLowerCase() : String(v))).join(" ");
        return words.every((word) => text.includes(word));
      });
      page = 0;
      draw();
    });
    sortableHead(table, (column, order) => {
      data.rows.sort((a, b) => order(a[column], b[column]));
      if (rows !== data.rows) rows.sort((a, b) => order(a[column], b[column]));
      page = 0;
      draw();
    });
    place.replaceChildren(element("div", { className: "controls" }, filter, back, on, where), scroll);
    draw();
  }

  document.querySelectorAll("table.sortable").forEach(sortStatic);
  document.querySelectorAll("[data-table]").forEach(drawTable);
})();
