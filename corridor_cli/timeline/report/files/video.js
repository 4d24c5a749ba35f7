
const rows = [...document.querySelectorAll("tr.scene")];
const starts = rows.map((row) => Number(row.dataset.start));
const player = byId("player");
const blocks = [...document.querySelectorAll("#strip a rect")];
let current = -1;
let folded = null;

/** The scene at a time in seconds; the last one from its end on. */
function sceneAt(seconds) {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= seconds) low = middle;
    else high = middle - 1;
  }
  return low;
}

function moveCursor(seconds) {
  const cursor = byId("cursor");
  const strip = byId("strip");
  const width = (strip.viewBox.baseVal.width / strip.clientWidth) * 2; // two pixels, however long the video
  cursor.setAttribute("x", seconds - width / 2);
  cursor.setAttribute("width", width);
  cursor.setAttribute("visibility", "visible");
}

/** Make a scene the current one. */
function choose(place) {
  if (place === current) return;
  if (current >= 0) {
    rows[current].removeAttribute("aria-current");
    blocks[current].classList.remove("current");
  }
  current = place;
  rows[place].setAttribute("aria-current", "true");
  blocks[place].classList.add("current");
  if (!player) return;
  const caption = rows[place].querySelector(".words > .caption, .words > .why");
  byId("now").hidden = false;
  byId("now-place").textContent = `Scene ${place + 1} · ${rows[place].querySelector(".seek").textContent}`;
  byId("now-caption").textContent = caption ? caption.textContent : "";
}

function seek(seconds) {
  if (player) player.currentTime = seconds + 0.001; // a time that lies in the frame, not on its edge
  moveCursor(seconds);
}

/** Go to a scene by key: it gets the focus and is to be seen. */
function goTo(place) {
  choose(place);
  moveCursor(starts[place]);
  rows[place].focus({ preventScroll: true });
  rows[place].scrollIntoView({ block: "nearest" });
}

/** Rows are scrolled to a place that the stage, which stands still at the top, does not cover. */
function keepClear() {
  const stage = document.querySelector(".stage");
  const covered = getComputedStyle(stage).position === "sticky" ? stage.offsetHeight : 0;
  document.documentElement.style.scrollPaddingTop = `${covered + 4}px`;
}

function foldAll() {
  folded ??= rows.map((row) => fold(row.querySelector(".words").textContent));
}

function update() {
  const words = wordsOf(byId("search").value);
  const wanted = byId("filter").value;
  foldAll();
  let shown = 0;
  rows.forEach((row, place) => {
    const isGood = row.dataset.mood === "good";
    const isWanted = wanted === "all" || (wanted === "good") === isGood;
    row.hidden = !(isWanted && hasAll(folded[place], words));
    blocks[place].classList.toggle("out", row.hidden);
    shown += row.hidden ? 0 : 1;
  });
  byId("count").textContent = counted(shown, rows.length, "scene");
  byId("none").hidden = shown > 0;
  markWords(rows.filter((row) => !row.hidden).map((row) => row.querySelector(".words")), words);
}

function openHash() {
  const place = rows.findIndex((row) => `#${row.id}` === location.hash);
  if (place < 0) return;
  if (rows[place].hidden) {
    byId("search").value = "";
    byId("filter").value = "all";
    update();
  }
  seek(starts[place]);
  goTo(place);
}

function onKey(event) {
  if (!isForPage(event)) return;
  const steps = { j: 1, ArrowDown: 1, ArrowRight: 1, k: -1, ArrowUp: -1, ArrowLeft: -1 };
  if (event.key in steps && !event.shiftKey) {
    event.preventDefault();
    goTo(nextShown(rows, current, steps[event.key]));
  } else if (event.key === "Enter" && current >= 0 && !event.target.closest("a")) {
    event.preventDefault();
    seek(starts[current]);
    history.replaceState(null, "", `#${rows[current].id}`);
  } else if (event.key === " " && player && !event.shiftKey) {
    event.preventDefault();
    if (player.paused) player.play().catch(() => {});
    else player.pause();
  }
}

function onRowClick(event) {
  const row = event.target.closest("tr.scene");
  if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target.closest("a, summary");
  if (link && !link.matches(".seek")) return;
  if (!link && !getSelection().isCollapsed) return; // somebody marks text
  event.preventDefault();
  const place = rows.indexOf(row);
  choose(place);
  seek(starts[place]);
  row.focus({ preventScroll: true });
  history.replaceState(null, "", `#${row.id}`);
}

function onStripClick(event) {
  event.preventDefault();
  const box = byId("strip").getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  const seconds = share * byId("strip").viewBox.baseVal.width;
  const place = sceneAt(seconds);
  seek(seconds);
  if (rows[place].hidden) choose(place);
  else goTo(place);
  moveCursor(seconds);
}

function startPlayer() {
  player.addEventListener("timeupdate", () => {
    choose(sceneAt(player.currentTime));
    moveCursor(player.currentTime);
  });
  player.addEventListener("error", () => {
    byId("player-note").hidden = false;
    byId("player-note").textContent = "This browser cannot play the video. Times link to it all the same.";
    document.querySelector(".stage").classList.remove("with-video");
    player.hidden = true;
  });
}

if (rows.length) {
  for (const row of rows) row.tabIndex = -1;
  startControls(update);
  byId("count").textContent = counted(rows.length, rows.length, "scene");
  whenIdle(foldAll);
  document.addEventListener("keydown", onKey);
  document.querySelector("table.scenes").addEventListener("click", onRowClick);
  byId("strip").addEventListener("click", onStripClick);
  if (player) startPlayer();
  new ResizeObserver(keepClear).observe(document.querySelector(".stage")); // called once at first, too
  window.addEventListener("hashchange", openHash);
  openHash();
}
