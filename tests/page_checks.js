// What is wrong with a page for people with other eyes and hands; see page_checks.py.
() => {
  const found = [];
  const seen = (one) => one.checkVisibility({ opacityProperty: false, visibilityProperty: true }) && one.getClientRects().length;
  const all = (text) => [...document.querySelectorAll(text)].filter(seen);
  const text = (one) => (one.getAttribute("aria-label") || one.textContent || one.title || "").trim();
  const named = (one) => text(one)
    || (one.getAttribute("aria-labelledby") || "").split(" ").some((id) => document.getElementById(id)?.textContent.trim())
    || [...(one.labels || [])].some((label) => label.textContent.trim());
  if (!document.documentElement.lang) found.push("the page has no language");
  if (!document.title.trim()) found.push("the page has no title");
  if (all("h1").length !== 1) found.push("the page has not one h1");
  if (!document.querySelector("main")) found.push("the page has no main");
  for (const one of all("input:not([type=hidden]), select, textarea, button, a[href], summary, canvas, [role=img]"))
    if (!named(one)) found.push(`no name: ${one.outerHTML.slice(0, 90)}`);
  for (const one of all("img")) if (!one.hasAttribute("alt")) found.push(`no alt: ${one.outerHTML.slice(0, 90)}`);
  for (const one of all("table")) if (!one.querySelector("th")) found.push("a table without headings");
  let level = 0;
  for (const one of all("h1, h2, h3, h4")) {
    const now = Number(one.tagName[1]);
    if (now > level + 1 && level) found.push(`heading ${one.textContent.trim()} skips a level`);
    level = now;
  }
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of ids) if (ids.filter((other) => other === id).length > 1) found.push(`the id ${id} is there twice`);
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.9) return colour;
    }
    return [255, 255, 255];
  };
  for (const one of all("body *")) {
    const own = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.textContent).join("").trim();
    if (!own || one.disabled || one.closest("[disabled], .unseen, .skip, option, canvas, figure")) continue;
    const style = getComputedStyle(one), a = light(numbers(style.color)), b = light(behind(one));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${own.slice(0, 50)}`);
    if (size < 11) found.push(`letters of ${size} px: ${own.slice(0, 50)}`);
  }
  for (const one of all("button, select, textarea, a.button, label.button")) {
    const box = one.getBoundingClientRect();
    if (box.height < 24 || box.width < 24) found.push(`too small to hit: ${one.outerHTML.slice(0, 90)}`);
  }
  return found;
}
