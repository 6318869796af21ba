"use strict";
(() => {
  const known = JSON.parse(document.getElementById("states").textContent);
  const time = document.getElementById("time");
  const nodes = [...document.querySelectorAll("[data-node]")];

  const showEntry = (number) => {
    const state = known.states[number - 1];
    for (const node of nodes) {
      const now = state[Number(node.dataset.node)];
      node.setAttribute("class", now.look);
      node.querySelector("title").textContent = now.title;
      node.querySelector(".said").textContent = now.text;
    }
    const said = known.steps[number - 1];
    document.getElementById("time-said").textContent = said;
    time.setAttribute("aria-valuetext", `after entry ${said}`);
    document.getElementById("graph-said").textContent =
      `After entry ${said}. The table below says the same.`;
  };
  time.addEventListener("input", () => showEntry(Number(time.value)));
  showEntry(Number(time.value));

  const sweep = document.getElementById("sweep");
  const gallery = document.getElementById("gallery");
  const showPart = (share) => {
    gallery.style.setProperty("--at", `${share}%`);
    for (const stage of gallery.querySelectorAll(".stage")) stage.style.removeProperty("--at");
    const said =
      share <= 0 ? "all after" : share >= 100 ? "all before" : `left ${share} % before, right ${100 - share} % after`;
    document.getElementById("sweep-said").textContent = said;
    sweep.setAttribute("aria-valuetext", said);
  };
  if (sweep) {
    sweep.addEventListener("input", () => showPart(Number(sweep.value)));
    showPart(Number(sweep.value));
    gallery.addEventListener("pointermove", (event) => {
      const stage = event.target.closest(".stage");
      if (!stage) return;
      const box = stage.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      stage.style.setProperty("--at", `${(100 * share).toFixed(1)}%`);
    });
    gallery.addEventListener("pointerout", (event) => {
      const stage = event.target.closest(".stage");
      if (stage && !stage.contains(event.relatedTarget)) stage.style.removeProperty("--at");
    });
  }

  // On paper everything is open, and the graph shows the last entry.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const each of closed) each.open = true;
    showEntry(known.steps.length);
  });
  window.addEventListener("afterprint", () => {
    for (const each of closed) each.open = false;
    showEntry(Number(time.value));
  });
})();
