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

  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    const boxes = [...document.querySelectorAll("input[data-search]")];
    const box = boxes.find((input) => input.offsetParent !== null);
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  });

  // <button data-copy="#id"> copies the text of that element; code blocks get a button of their own.
  const copyText = async (button, text) => {
    await navigator.clipboard.writeText(text);
    const label = button.textContent;
    button.textContent = button.dataset.copied || "✓";
    setTimeout(() => { button.textContent = label; }, 1500);
  };

  const addCopyButtons = (scope) => {
    if (!navigator.clipboard) return;
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
    const button = event.target.closest("[data-copy], [data-copy-block]");
    if (!button) return;
    const source = button.dataset.copy
      ? document.querySelector(button.dataset.copy)
      : button.parentElement.querySelector("pre");
    if (source) copyText(button, source.value || source.textContent.trim());
  });

  // <form data-warn-unsaved>: asks before the page is left with typed text in it.
  let unsaved = false;
  document.addEventListener("input", (event) => {
    if (event.target.closest("form[data-warn-unsaved]")) unsaved = true;
  });
  document.addEventListener("submit", () => { unsaved = false; });
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

  // Filters are open beside the results on a wide screen, folded above them on a phone.
  const foldFilters = (scope) => {
    if (matchMedia("(min-width: 64rem)").matches) return;
    for (const details of scope.querySelectorAll("details.facets:not([data-keep])")) details.open = false;
  };

  document.addEventListener("htmx:load", (event) => addCopyButtons(event.detail.elt));
  addCopyButtons(document);
  foldFilters(document);
})();
