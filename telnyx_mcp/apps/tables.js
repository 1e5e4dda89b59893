// For pages with figures: tables with bars, and buttons that ask the tool again.
const size = (text) => Math.abs(parseFloat(text)) || 0; // how long a bar is; the figure stays as written
const most = (texts) => Math.max(1e-9, ...texts.map(size));
function bar(value, whole, kind = "") {
  const made = make("svg", { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
  made.append(make("rect", { width: Math.min(100, (size(value) / whole) * 100), height: 8, class: kind }));
  return made;
}
// A row is its name, the amounts of its bars (this period's, the other's) and its cells. All bars of a
// table have one scale.
function table(caption, heads, rows) {
  const whole = most(rows.flatMap((row) => row[1]));
  const drawn = (each, i) => each === undefined || each instanceof Node ? each : bar(each, whole, i ? "was" : "");
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, make("table", {}, make("caption", {}, caption),
    make("thead", {}, make("tr", {}, heads.map((each) => make("th", { scope: "col" }, each)))),
    make("tbody", {}, rows.map(([name, bars, ...cells]) => make("tr", {}, make("th", { scope: "row" }, name, bars.map(drawn)),
      cells.map((each) => make("td", {}, each ?? "–")))))));
}
const soft = (text) => make("p", { class: "soft" }, text);
const big = (text) => make("p", { class: "big" }, text);
const warn = (text) => make("p", { class: "warn" }, text);
const list = (all, what = "Incomplete") => Object.entries(all ?? {}).map(([name, why]) => warn(`${what}: ${name}: ${why}`));
async function call(name, sent) {
  const kept = given.account ? { account: given.account } : {};
  const result = await ask("tools/call", { name, arguments: { ...kept, ...sent } });
  if (result.isError || !result.structuredContent) throw Error(textOf(result));
  return result;
}
function buttons(choices) {
  $("choices").replaceChildren(...(can.serverTools ? choices : []).map(([label, run]) => {
    const made = make("button", { type: "button" }, label);
    made.onclick = () => made.ariaDisabled === "true" || busy(run, label);
    return made;
  }));
}
async function busy(work, label) {
  const all = [...$("choices").children];
  for (const each of all) each.setAttribute("aria-disabled", "true");
  say(`${label} …`);
  try { await work(); } catch (error) { failed(error.message); }
  for (const each of all) each.removeAttribute("aria-disabled");
  const now = [...$("choices").children];
  if (!document.activeElement?.matches("button")) (now.find((each) => each.textContent === label) ?? now[0])?.focus();
}
const again = (name, sent) => async () => { const result = await call(name, sent); given = { ...given, ...sent }; arrived(result); };
