// Progressive extras. Every page does its work without this file.
(() => {
  "use strict";
  const root = document.documentElement;

  // The theme is a cookie that the server reads, so the page never flashes in the wrong colours.
  const currentTheme = () =>
    root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-theme-form]")) return;
    event.preventDefault();
    const theme = currentTheme() === "dark" ? "light" : "dark";
    root.dataset.theme = theme;
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `theme=${theme}; path=/; max-age=31536000; samesite=lax${secure}`;
  });

  // Keys: "/" to the search box, arrows through the results (links, so Enter opens them), "?" for the list.
  const shown = (element) => element.offsetParent !== null;
  const searchBox = () => [...document.querySelectorAll("input[data-search]")].find(shown);
  const resultLinks = () => [...document.querySelectorAll("main .hit__title a, main .entry-row__title")].filter(shown);
  const showKeys = () => {
    const dialog = document.getElementById("keys");
    if (dialog && !dialog.open) dialog.showModal();
  };
  const goToSearch = () => {
    const box = searchBox();
    if (!box) return false;
    box.focus();
    box.select();
    return true;
  };
  const stepThroughResults = (target, step) => {
    const links = resultLinks();
    const here = links.indexOf(target);
    if (here < 0 && !(step > 0 && target.matches("input[data-search]"))) return false;
    if (here + step < 0) return goToSearch();
    const link = links[here + step];
    if (!link) return here >= 0;
    link.focus();
    link.scrollIntoView({ block: "nearest" });
    return true;
  };
  const typing = (target) => target.closest("input, textarea, select, [contenteditable], dialog");
  const keys = {
    "/": (target) => !typing(target) && goToSearch(),
    "?": (target) => !typing(target) && (showKeys(), true),
    ArrowDown: (target) => stepThroughResults(target, 1),
    ArrowUp: (target) => stepThroughResults(target, -1),
    Escape: (target) => resultLinks().includes(target) && goToSearch(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (Object.hasOwn(keys, event.key) && keys[event.key](event.target)) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-keys]")) showKeys();
  });

  // A search box takes one line. A log that is pasted into it can be sent, whole, to the page that reads logs.
  const PASTED_LINES = 3;
  const field = (name, value) => {
    const area = document.createElement("textarea");
    area.name = name;
    area.value = value;
    area.hidden = true;
    return area;
  };
  const offerLog = (box, text) => {
    const token = document.querySelector("input[name=csrfmiddlewaretoken]");
    if (!token) return;
    document.querySelector(".log-offer")?.remove();
    const form = document.createElement("form");
    const button = document.createElement("button");
    form.className = "log-offer";
    form.method = "post";
    form.enctype = "multipart/form-data";
    form.action = document.body.dataset.logsUrl;
    button.className = "btn btn--primary btn--small";
    button.textContent = document.body.dataset.logsLabel;
    form.append(button, field("text", text), field("csrfmiddlewaretoken", token.value));
    box.form.after(form);
  };
  document.addEventListener("paste", (event) => {
    if (!event.target.matches?.("input[data-search]")) return;
    const text = event.clipboardData?.getData("text") || "";
    if (text.length > event.target.maxLength || text.trim().split("\n").length >= PASTED_LINES) offerLog(event.target, text);
  });

  // <button data-copy="#id"> copies the text of that element, data-copy-text its own value; code blocks get
  // a button of their own. Sites without TLS have no clipboard object, so an older way is tried too.
  const copiedByCommand = (text) => {
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.className = "copy-source";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const copyText = async (button, text) => {
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      done = copiedByCommand(text);
    }
    if (!done || button.dataset.label) return;
    button.dataset.label = button.innerHTML;
    button.textContent = document.body.dataset.copiedLabel;
    setTimeout(() => {
      button.innerHTML = button.dataset.label;
      delete button.dataset.label;
    }, 1500);
  };

  const addCopyButtons = (scope) => {
    const label = document.body.dataset.copyLabel;
    for (const pre of scope.querySelectorAll(".prose pre")) {
      if (pre.parentElement.classList.contains("copyable")) continue;
      const wrap = document.createElement("div");
      const button = document.createElement("button");
      wrap.className = "copyable";
      button.className = "btn btn--small";
      button.type = "button";
      button.dataset.copyBlock = "";
      button.textContent = label;
      pre.replaceWith(wrap);
      wrap.append(pre, button);
    }
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-text], [data-copy-block]");
    if (!button) return;
    const source = button.dataset.copy
      ? document.querySelector(button.dataset.copy)
      : button.parentElement.querySelector("pre");
    if (button.dataset.copyText) copyText(button, button.dataset.copyText);
    // Blanks at the start of a listing are columns.
    else if (source) copyText(button, source.value || source.textContent.replace(/\s+$/, ""));
  });

  // What only works with this file is hidden until it runs.
  const showScripted = (scope) => {
    for (const element of scope.querySelectorAll("[data-needs-script][hidden]")) element.hidden = false;
  };
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) print();
  });

  // <form data-warn-unsaved>: asks before the page is left with typed text in it.
  let unsaved = false;
  document.addEventListener("input", (event) => {
    if (event.target.closest("form[data-warn-unsaved]")) unsaved = true;
  });
  document.addEventListener("submit", () => { unsaved = false; });
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

  // Filters are open beside the results on a wide screen, folded above them on a phone, as long as the person
  // leaves them so. The style sheet hides them until this has run, so that nothing moves.
  let filtersWanted = false;
  const foldFilters = (scope) => {
    const narrow = !matchMedia("(min-width: 64rem)").matches;
    for (const details of scope.querySelectorAll("details.facets")) {
      if (narrow) details.open = filtersWanted;
      details.dataset.folded = "";
    }
  };
  document.addEventListener("click", (event) => {
    const details = event.target.closest("details.facets > summary")?.parentElement;
    if (details) filtersWanted = !details.open;
  });

  document.addEventListener("htmx:load", (event) => {
    addCopyButtons(event.detail.elt);
    showScripted(event.detail.elt);
    foldFilters(event.detail.elt);
  });
  addCopyButtons(document);
  showScripted(document);
  foldFilters(document);
})();
