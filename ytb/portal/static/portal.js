"use strict";
// Every page works without this file. It adds: no second click while a file is on its way, dropping files, printing, choosing all,
// the focus on an error, and looking whether a check is done.
(() => {
  const errors = document.getElementById("errors");
  if (errors) errors.focus();
  for (const button of document.querySelectorAll("[data-print]")) {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  }
  for (const button of document.querySelectorAll("[data-check-all]")) {
    const boxes = () => button.closest("form").querySelectorAll(`input[type=checkbox][name="${button.dataset.checkAll}"]`);
    button.hidden = boxes().length < 2;
    button.addEventListener("click", () => {
      const all = button.getAttribute("aria-pressed") !== "true";
      for (const box of boxes()) box.checked = all;
      button.setAttribute("aria-pressed", String(all));
      button.textContent = all ? "全不选" : "全选";
    });
  }
  for (const form of document.querySelectorAll("form")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) { event.preventDefault(); return; }
      const button = event.submitter;
      if (form.method !== "post") return;
      form.dataset.sent = "1";
      const working = form.querySelector(".working");
      if (working) working.hidden = false;
      if (button && button.dataset.busy) { button.dataset.idle = button.textContent; button.textContent = button.dataset.busy; }
    });
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) {
      delete form.dataset.sent;
      const working = form.querySelector(".working");
      if (working) working.hidden = true;
      for (const button of form.querySelectorAll("[data-idle]")) button.textContent = button.dataset.idle;
    }
  });
  const waiting = document.getElementById("waiting");
  if (waiting) {
    let pause = 2000;
    const look = async () => {
      try {
        const answer = await fetch(waiting.dataset.state, { headers: { Accept: "application/json" } });
        const found = answer.ok ? await answer.json() : null;
        if (found && found.state !== "received") { location.reload(); return; }
        if (found && found.before) waiting.querySelector("[role=status]").textContent = `现在报送的人较多,前面还有 ${found.before} 份。`;
      } catch { /* the network is away; it is asked again */ }
      pause = Math.min(pause * 1.5, 20000);
      setTimeout(look, pause);
    };
    setTimeout(look, pause);
  }
  for (const area of document.querySelectorAll(".upload")) {
    const input = area.querySelector("input[type=file]");
    area.addEventListener("dragover", (event) => { event.preventDefault(); area.classList.add("over"); });
    area.addEventListener("dragleave", () => area.classList.remove("over"));
    area.addEventListener("drop", (event) => {
      event.preventDefault();
      area.classList.remove("over");
      if (event.dataTransfer && event.dataTransfer.files.length) input.files = event.dataTransfer.files;
    });
  }
})();
