// Comfort only: pages work without it.
"use strict";

// A button that copies, beside every `data-copy` and in every code block.
if (navigator.clipboard) {
  const status = document.createElement("p");
  status.className = "unseen";
  status.setAttribute("role", "status");
  document.body.append(status);

  const button = (source, what) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "copy";
    made.textContent = "Copy";
    made.setAttribute("aria-label", `Copy ${what}`);
    let back;
    made.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source.textContent);
        made.textContent = "Copied";
        status.textContent = `Copied ${what}`;
      } catch {
        made.textContent = "Select and copy";
        getSelection().selectAllChildren(source);
      }
      clearTimeout(back);
      back = setTimeout(() => {
        made.textContent = "Copy";
        status.textContent = "";
      }, 2000);
    });
    return made;
  };

  for (const pre of document.querySelectorAll("pre")) {
    const frame = document.createElement("div");
    frame.className = "code";
    pre.replaceWith(frame);
    frame.append(pre, button(pre.querySelector("code"), pre.getAttribute("aria-label") ?? "this code"));
  }
  for (const code of document.querySelectorAll("[data-copy]")) {
    const frame = document.createElement("span");
    frame.className = "copyable";
    code.replaceWith(frame);
    frame.append(code, button(code, code.textContent));
  }
}

// The reference: find operations by what is typed, and mark the one in view.
const find = document.querySelector("#find");
if (find) {
  find.closest("[hidden]").hidden = false;
  const groups = [...document.querySelectorAll("nav.index li.group")];
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const group of groups) {
      let any = false;
      for (const item of group.querySelectorAll("li")) {
        const text = `${item.textContent} ${item.dataset.find}`.toLowerCase();
        item.hidden = !words.every((word) => text.includes(word));
        any ||= !item.hidden;
      }
      group.hidden = !any;
    }
  });

  const wide = matchMedia("(min-width: 64rem)");
  const drawer = document.querySelector("details.drawer");
  const fit = () => {
    drawer.open = wide.matches;
  };
  fit();
  wide.addEventListener("change", fit);
  drawer.addEventListener("click", (event) => {
    if (event.target.closest("a") && !wide.matches) drawer.open = false;
  });

  const links = new Map([...document.querySelectorAll("nav.index a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(entry.target.id)?.setAttribute("aria-current", "true");
      }
    },
    { rootMargin: "-10% 0px -80% 0px" },
  );
  for (const article of document.querySelectorAll("article[id]")) seen.observe(article);
}
