
const MAX_HITS = 100;
const rows = [...document.querySelectorAll("tr.video")];
const body = document.querySelector("table.videos tbody");
const byRow = [...rows]; // as they were, whatever they are sorted by
let current = -1;
let folded = null;

/** `videos` are names, a row each; a scene is [its row, its number, timecode, caption]. */
const library = JSON.parse(byId("captions").textContent);

function foldAll() {
  folded ??= {
    scenes: library.scenes.map(([, , , caption]) => fold(caption)),
    names: library.videos.map(fold),
  };
}

function passes(row, wanted) {
  if (wanted === "all") return true;
  return wanted === "warned" ? row.dataset.warnings !== "0" : row.dataset.status === wanted;
}

function update() {
  const words = wordsOf(byId("search").value);
  const wanted = byId("filter").value;
  foldAll();
  const isShown = byRow.map((row) => passes(row, wanted));
  const isFound = isShown.map((shown, video) => shown && hasAll(folded.names[video], words));
  const hits = [];
  if (words.length) {
    library.scenes.forEach((scene, place) => {
      if (isShown[scene[0]] && hasAll(folded.scenes[place], words)) {
        hits.push(scene);
        isFound[scene[0]] = true;
      }
    });
  }
  let shown = 0;
  byRow.forEach((row, video) => {
    row.hidden = !isFound[video];
    shown += isFound[video] ? 1 : 0;
  });
  byId("count").textContent = counted(shown, rows.length, "video");
  byId("none").hidden = shown > 0;
  showHits(hits, words);
}

function showHits(hits, words) {
  byId("hits").hidden = !words.length || !library.scenes.length;
  const more = hits.length > MAX_HITS ? `, the first ${MAX_HITS} are shown` : "";
  byId("hits-count").textContent = `${counted(hits.length, hits.length, "scene")} found${more}`;
  const items = hits.slice(0, MAX_HITS).map(hitItem);
  byId("hits-list").replaceChildren(...items);
  markWords(items.map((item) => item.querySelector(".caption")), words);
}

function hitItem([video, number, start, caption]) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `${byRow[video].querySelector(".name a").getAttribute("href")}#s${String(number).padStart(4, "0")}`;
  link.dir = "auto";
  link.textContent = library.videos[video];
  const place = document.createElement("span");
  place.className = "soft";
  place.textContent = ` scene ${number}, ${start}`;
  const text = document.createElement("p");
  text.className = "caption";
  text.lang = "";
  text.dir = "auto";
  text.textContent = caption;
  item.append(link, place, text);
  return item;
}

/** A button in each heading that can be sorted by; another click turns the order. */
function startSorting() {
  for (const heading of document.querySelectorAll("th[data-sort]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => sortBy(heading));
  }
}

function sortBy(heading) {
  const isDown = heading.getAttribute("aria-sort") === "ascending";
  for (const each of document.querySelectorAll("th[aria-sort]")) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", isDown ? "descending" : "ascending");
  const column = heading.cellIndex;
  const valueOf = (row) => {
    const cell = row.cells[column];
    return heading.dataset.sort === "number" ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const order = new Intl.Collator(undefined, { numeric: true });
  const compare = heading.dataset.sort === "number" ? (a, b) => a - b : order.compare;
  const sign = isDown ? -1 : 1;
  const keyed = rows.map((row) => [valueOf(row), row]);
  keyed.sort(([a], [b]) => sign * compare(a, b)); // stable: equal ones stay as they were
  rows.splice(0, rows.length, ...keyed.map(([, row]) => row));
  body.append(...rows);
  current = -1;
}

function onKey(event) {
  if (!isForPage(event)) return;
  const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
  if (event.key in steps && !event.shiftKey) {
    event.preventDefault();
    const focused = rows.findIndex((row) => row.contains(document.activeElement));
    current = nextShown(rows, focused >= 0 ? focused : current, steps[event.key]);
    rows[current]?.querySelector("a").focus();
  }
}

startSorting();
startControls(update);
byId("count").textContent = counted(rows.length, rows.length, "video");
whenIdle(foldAll);
document.addEventListener("keydown", onKey);
