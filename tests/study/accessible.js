// What WCAG 2 asks of a page and a script can see: names, labels, contrast, sizes, width. Gives the faults.
() => {
  const found = [], seen = (one) => one.offsetParent !== null && getComputedStyle(one).visibility !== "hidden";
  const name = (one) => one.tagName.toLowerCase() + (one.id ? "#" + one.id : "") + " " + (one.textContent || "").trim().slice(0, 30);
  for (const field of document.querySelectorAll("input:not([type=hidden]), textarea, select")) {
    if (!field.labels?.length && !field.getAttribute("aria-label")) found.push("no label: " + name(field));
  }
  for (const one of document.querySelectorAll("button, a[href], canvas, progress, [role=toolbar], [role=region], svg[role=img]")) {
    const text = one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") || one.textContent.trim() || one.title;
    if (!text) found.push("no name: " + name(one));
  }
  for (const one of document.querySelectorAll("fieldset")) if (!one.querySelector("legend")) found.push("no legend: " + name(one));
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (!document.documentElement.lang) found.push("no language");
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) found.push("twice: " + id);
  for (const one of document.querySelectorAll("[aria-labelledby], [aria-describedby], label[for]")) {
    for (const id of (one.getAttribute("aria-labelledby") || one.getAttribute("aria-describedby") || one.htmlFor).split(" ")) {
      if (!document.getElementById(id)) found.push("points nowhere: " + id);
    }
  }
  // Contrast as WCAG 2 has it, of all text that is seen.
  const channels = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const [r, g, b, a = 1] = channels(getComputedStyle(at).backgroundColor);
      if (a > 0.99) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const one = node.parentElement;
    if (!node.textContent.trim() || !seen(one) || one.closest("script, .unseen, .skip, svg, :disabled")) continue;
    const style = getComputedStyle(one), [a, b] = [light(channels(style.color)), light(ground(one))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && parseInt(style.fontWeight) >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push("contrast " + ratio.toFixed(2) + ": " + name(one));
  }
  for (const one of document.querySelectorAll("button, .button, .choice, summary")) {
    const box = one.getBoundingClientRect();
    if (seen(one) && (box.height < 24 || box.width < 24)) found.push("too small: " + name(one));
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window: " + document.documentElement.scrollWidth);
  return found;
}
