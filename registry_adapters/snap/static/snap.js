/* Two conveniences over pages that work without them: what changed appears by itself, and the search box says
   what it recognises. Nothing is kept here, and only this server is asked. */
(() => {
  "use strict";
  const PATIENCE = 5; // failures in a row before the plain link is offered again
  const TYPING_MS = 150;

  // Personal numbers go into the body of a request, never into an address.
  const parsed = async (url, form) => {
    const sent = form ? { method: "POST", body: new URLSearchParams(new FormData(form)) } : {};
    const answer = await fetch(url, { redirect: "error", headers: { Accept: "text/html" }, ...sent });
    if (!answer.ok) throw new Error(String(answer.status));
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };

  const isTypedIn = (field) => field === document.activeElement || field.value !== field.defaultValue;

  // What the clerk opened stays open, what they type in stays, and the focus stays where it was.
  const replace = (old, fresh) => {
    if ([...old.querySelectorAll("input:not([type=hidden]), textarea")].some(isTypedIn)) return;
    const focused = old.contains(document.activeElement) ? document.activeElement : null;
    for (const opened of old.querySelectorAll("details[open][id]")) {
      const same = fresh.querySelector(`#${CSS.escape(opened.id)}`);
      if (same) same.open = true;
    }
    old.replaceWith(fresh);
    if (!focused) return;
    const again = focused.id ? document.getElementById(focused.id) : null;
    if (!again) fresh.tabIndex = -1;
    (again || fresh).focus({ preventScroll: true });
  };

  const watch = (region) => {
    let failures = 0;
    const link = () => document.getElementById("refresh");
    const renew = async () => {
      let wait = Number(region.dataset.every);
      try {
        const page = await parsed(region.dataset.live);
        for (const fresh of page.querySelectorAll("[data-part]")) {
          const old = document.getElementById(fresh.id);
          if (old && old.dataset.part !== fresh.dataset.part) replace(old, fresh);
        }
        failures = 0;
        wait = Number(page.querySelector("[data-every]").dataset.every);
      } catch (error) {
        failures += 1;
      }
      if (link()) link().hidden = failures < PATIENCE;
      if (wait && failures < PATIENCE) setTimeout(renew, wait * (1 + failures));
    };
    if (Number(region.dataset.every)) {
      if (link()) link().hidden = true;
      setTimeout(renew, Number(region.dataset.every));
    }
  };

  const recognise = (box) => {
    const place = document.getElementById(box.dataset.says);
    let timer = 0;
    box.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const asked = box.value;
        try {
          const page = await parsed(box.dataset.recognise, box.form);
          if (box.value === asked) place.textContent = page.body.textContent.trim();
        } catch (error) {
          place.textContent = "";
        }
      }, TYPING_MS);
    });
  };

  document.querySelectorAll("[data-live]").forEach(watch);
  document.querySelectorAll("[data-recognise]").forEach(recognise);
})();
