"use strict";
(() => {
  for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
  const byId = (id) => document.getElementById(id);

  // Sorting: a button in each head; figures by value, those that are missing last, texts as texts.
  const table = byId("results");
  const body = table.tBodies[0];
  const original = [...body.rows];
  const valueOf = (row, index) => {
    const cell = row.cells[index];
    if (cell.dataset.value === undefined) return cell.textContent;
    if (cell.dataset.value === "") return null;
    const number = Number(cell.dataset.value);
    return Number.isNaN(number) ? null : number;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? (a < b ? -1 : a > b ? 1 : 0) : String(a).localeCompare(String(b), "en", { numeric: true });
  [...table.tHead.rows[0].cells].forEach((head, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...original].sort((one, two) => {
        const a = valueOf(one, index);
        const b = valueOf(two, index);
        if (a === null || b === null) return (a === null) - (b === null);
        return descending ? compare(b, a) : compare(a, b);
      });
      body.append(...rows);
    });
  });

  // Filtering: every word must be in the row.
  const filter = () => {
    const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const target = byId("target").value;
    let count = 0;
    for (const row of original) {
      const text = row.textContent.toLowerCase();
      row.hidden = !((!target || row.dataset.target === target) && words.every((word) => text.includes(word)));
      count += !row.hidden;
    }
    byId("count").textContent = `${count} of ${original.length} rows`;
  };
  byId("filter").addEventListener("input", filter);
  byId("target").addEventListener("change", filter);
  for (const form of document.forms) form.addEventListener("submit", (event) => event.preventDefault());
  filter();

  // Records: a link to one opens it and moves the focus there, also in browsers that do not do so themselves.
  const open = () => {
    const place = location.hash.match(/^#r\d+$/) && byId(location.hash.slice(1));
    if (!place) return;
    place.closest("details").open = true;
    place.scrollIntoView({ block: "center" });
    place.focus({ preventScroll: true });
  };
  addEventListener("hashchange", open);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link && link.getAttribute("href") === location.hash) open(); // the hash does not change
  });
  open();

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const pre = button.parentElement.querySelector("pre");
      try {
        await navigator.clipboard.writeText(pre.textContent);
        button.textContent = "Copied";
      } catch {
        // Pages that are opened as files may not write the clipboard: select the text instead.
        getSelection().selectAllChildren(pre);
        button.textContent = "Selected";
      }
      setTimeout(() => (button.textContent = "Copy"), 2000);
    });
  }

  // Choosing.
  const data = byId("choice") && JSON.parse(byId("choice").textContent);
  if (!data) return;
  const number = (text) => (text === undefined || text === "" ? null : Number(text));
  const area = (row) => {
    const found = [number(row.area_um2), number(row.area_luts), number(row.transistors)].find((value) => value !== null);
    return found === undefined ? null : found / (number(row.products) || 1);
  };
  const unit = (row) => (row.area_um2 !== "" ? "µm²" : row.area_luts !== "" ? "LUT" : "transistors");
  const shown = (value, digits, after = "") =>
    value === null ? "–" : !Number.isFinite(value) ? "exact" : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }) + after;
  const least = (rows, of) => rows.filter((row) => of(row) !== null).sort((a, b) => of(a) - of(b))[0];
  const energy = (row) => number(row.energy_pj);
  const cell = (text, kind = "td", number = true) => {
    const made = document.createElement(kind);
    if (kind === "th") made.scope = "row";
    if (number) made.className = "number";
    made.append(text);
    return made;
  };
  const choose = () => {
    const sqnr = byId("choose-sqnr").value;
    const inGroup = data.rows.filter((row) => row.group === byId("choose-group").value && number(row[sqnr]) !== null);
    const finite = inGroup.map((row) => number(row[sqnr])).filter(Number.isFinite);
    byId("choose-least").max = finite.length ? Math.ceil(Math.max(...finite)) : 100;
    const wanted = Number(byId("choose-least").value);
    byId("choose-least-text").textContent = `${wanted.toFixed(1)} dB`;
    const length = byId("choose-length");
    const errorOf = (row) => (length ? number(row[`sum_error_${length.value}`]) : null);
    const most = length ? Number(byId("choose-error").value) : Infinity;
    const rows = inGroup
      .filter((row) => number(row[sqnr]) >= wanted && (most === Infinity || (errorOf(row) !== null && errorOf(row) <= most)))
      .sort((a, b) => (area(a) ?? Infinity) - (area(b) ?? Infinity));
    const small = least(rows, area);
    const frugal = least(rows, energy);
    byId("choose-answer").textContent = rows.length
      ? `${rows.length} of ${inGroup.length} formats remain.` +
        (small ? ` Least area: ${small.label}, ${shown(area(small), 1)} ${unit(small)}.` : " None has an area.") +
        (frugal ? ` Least energy: ${frugal.label}, ${shown(energy(frugal), 3)} pJ.` : " None has an energy.")
      : `None of ${inGroup.length} formats remains.`;
    byId("choose-rows").tBodies[0].replaceChildren(
      ...rows.map((row) => {
        const line = document.createElement("tr");
        const link = document.createElement("a");
        link.href = `#r${row.place}`;
        link.textContent = row.label;
        line.append(cell(link, "th", false), cell(shown(number(row[sqnr]), 1)));
        if (length) line.append(cell(errorOf(row) === null ? "–" : errorOf(row) === 0 ? "0" : errorOf(row).toExponential(1)));
        line.append(
          cell(shown(area(row), 1, ` ${unit(row)}`) + (row === small ? " (least)" : "")),
          cell(shown(energy(row), 3) + (row === frugal ? " (least)" : "")),
        );
        if (row === small || row === frugal) line.className = "best";
        return line;
      }),
    );
  };
  for (const control of byId("choose").querySelectorAll("input, select")) control.addEventListener("input", choose);
  choose();
})();
