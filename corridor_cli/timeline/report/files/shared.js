"use strict";

const byId = (id) => document.getElementById(id);

/** The text as it is compared: no case, no accents, one form of each character. */
function fold(text) {
  return text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase();
}

/** What was asked for, as words that all must be there. */
function wordsOf(question) {
  return fold(question).split(/\s+/).filter(Boolean);
}

function hasAll(folded, words) {
  return words.every((word) => folded.includes(word));
}

/** Mark the words that were asked for where they stand, without touching the page's text. */
function markWords(elements, words) {
  if (!CSS.highlights) return;
  CSS.highlights.delete("found");
  const ranges = [];
  for (const element of words.length ? elements : []) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const folded = fold(node.data);
      if (folded.length !== node.data.length) continue; // places in the one are not those in the other
      for (const word of words) {
        for (let at = folded.indexOf(word); at >= 0; at = folded.indexOf(word, at + word.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + word.length);
          ranges.push(range);
        }
      }
    }
  }
  if (ranges.length) CSS.highlights.set("found", new Highlight(...ranges));
}

/** `1 scene`, `2 scenes`, `2 of 7 scenes`. */
function counted(shown, all, noun) {
  const nouns = all === 1 ? noun : `${noun}s`;
  return shown === all ? `${all} ${nouns}` : `${shown} of ${all} ${nouns}`;
}

/** Later, when the page is there and nothing else is to be done. */
function whenIdle(work) {
  if (window.requestIdleCallback) requestIdleCallback(work);
  else setTimeout(work, 200);
}

/** Keys that are not meant for what has the focus. */
function isForPage(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
  return !event.target.closest("input, select, textarea, button, video, summary");
}

/** Search box, filter and the keys that belong to them; `update` shows what is left. */
function startControls(update) {
  const search = byId("search");
  byId("controls").hidden = false;
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", update);
  byId("filter").addEventListener("change", update);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      search.value = "";
      update();
      search.blur();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && isForPage(event)) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  });
}

/** The next row that is shown, `step` rows on from `place` (-1: none yet). */
function nextShown(rows, place, step) {
  for (let at = place + step; at >= 0 && at < rows.length; at += step) {
    if (!rows[at].hidden) return at;
  }
  return place;
}

/** On paper nothing can be opened. */
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll(".problems details")) details.open = true;
});
