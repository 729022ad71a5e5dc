// A page that is opened as a file may not fetch others, not even for the excerpts in the results of a search.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
// On a phone, a row of a table is shown as a card (site.css): each cell then needs the name of its column.
for (const table of document.querySelectorAll("article table.docutils")) {
  const names = [...table.querySelectorAll("thead th")].map((head) => head.textContent);
  if (names.length < 3) continue;
  table.classList.add("cards");
  for (const row of table.querySelectorAll("tbody tr")) {
    [...row.cells].forEach((cell, number) => {
      cell.dataset.column = names[number] ?? "";
      cell.classList.toggle("blank", !cell.textContent.trim());
    });
  }
}
// Code that scrolls can be scrolled from the keyboard.
for (const block of document.querySelectorAll("div.highlight pre")) block.tabIndex = 0;
// Sphinx sets the lines of a long signature as a list of definitions without terms, which it is not.
for (const list of document.querySelectorAll("dt.sig > dl")) {
  for (const each of [list, ...list.children]) each.setAttribute("role", "presentation");
}
