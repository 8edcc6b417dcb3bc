// What the page can do beyond being read: a choice of theme, tables in another order, links to copy. It works without.

(() => {
  "use strict";

  const root = document.documentElement;
  const THEMES = ["system", "light", "dark"];
  const KEPT_AS = "stpp-theme";

  // Storage is refused to files in some browsers; a choice then lasts as long as the page.
  const remembered = () => {
    try {
      return localStorage.getItem(KEPT_AS);
    } catch {
      return null;
    }
  };
  const remember = theme => {
    try {
      localStorage.setItem(KEPT_AS, theme);
    } catch {
      // Nothing depends on it.
    }
  };

  let theme = "system";
  const dress = wanted => {
    theme = THEMES.includes(wanted) ? wanted : "system";
    if (theme === "system") {
      root.removeAttribute("data-theme");
    } else {
      root.setAttribute("data-theme", theme);
    }
  };
  // Before anything is drawn, so that no page flashes.
  dress(remembered());

  const offerThemes = () => {
    const button = document.getElementById("theme");
    const word = button.querySelector("span");
    word.setAttribute("aria-live", "polite");
    word.textContent = theme;
    button.addEventListener("click", () => {
      dress(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
      word.textContent = theme;
      remember(theme);
    });
    button.hidden = false;
  };

  const words = cell => cell.textContent.trim();
  // The first number of a cell: a mean before its deviation, the lower end of an interval.
  const number = text => {
    const found = /[+\u2212-]?\d[\d,]*(?:\.\d+)?/.exec(text);
    return found ? Number(found[0].replaceAll(",", "").replace("\u2212", "-")) : NaN;
  };
  const byWords = new Intl.Collator("en", { numeric: true });

  // What a cell is ordered by, or null where it has nothing, which comes last in either direction.
  const sortKey = (cell, numeric) => {
    const text = words(cell);
    if (text === "" || text === "\u2013") return null;
    if (!numeric) return text;
    const value = number(text);
    return Number.isNaN(value) ? null : value;
  };

  const inOrder = (rows, column, numeric, direction) => {
    const keyed = rows.map(row => ({ row, key: sortKey(row.cells[column], numeric) }));
    const compare = (a, b) => {
      if (a.key === null || b.key === null) return Number(a.key === null) - Number(b.key === null);
      return direction * (numeric ? a.key - b.key : byWords.compare(a.key, b.key));
    };
    return keyed.sort(compare).map(entry => entry.row);
  };

  const makeSortable = table => {
    const body = table.tBodies[0];
    const original = [...body.rows];
    if (original.length < 2) return;
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      if (header.tagName !== "TH") return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: null }[header.getAttribute("aria-sort")];
        const order = next === undefined ? "ascending" : next;
        headers.forEach(other => other.removeAttribute("aria-sort"));
        if (order === null) {
          body.append(...original);
          return;
        }
        header.setAttribute("aria-sort", order);
        const numeric = header.classList.contains("number");
        body.append(...inOrder(original, column, numeric, order === "ascending" ? 1 : -1));
      });
    });
  };

  const offerLink = anchor => {
    anchor.title = "Copy a link to this section";
    anchor.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(anchor.href);
      } catch {
        return;
      }
      anchor.dataset.copied = "";
      setTimeout(() => delete anchor.dataset.copied, 1500);
    });
  };

  // A folded list is on paper all the same.
  const unfoldOnPaper = () => {
    const opened = [];
    addEventListener("beforeprint", () => {
      opened.push(...document.querySelectorAll("main details:not([open])"));
      opened.forEach(fold => { fold.open = true; });
    });
    addEventListener("afterprint", () => {
      opened.splice(0).forEach(fold => { fold.open = false; });
    });
  };

  const start = () => {
    offerThemes();
    document.querySelectorAll("main table").forEach(makeSortable);
    document.querySelectorAll(".anchor").forEach(offerLink);
    unfoldOnPaper();
    const contents = document.querySelector("nav details");
    if (contents && matchMedia("(max-width: 63.99rem)").matches) contents.open = false;
  };
  document.addEventListener("DOMContentLoaded", start);
})();
