"use strict";
// Speaks with the host (ext-apps 2026-01-26). A page defines show(content, result) and calls start().
const waiting = new Map();
let last = 0, given = {}, can = {};
const post = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
const tell = (method, params = {}) => post({ method, params });
const ask = (method, params) => new Promise((resolve, reject) => {
  waiting.set(++last, { resolve, reject });
  post({ id: last, method, params });
});
const $ = (id) => document.getElementById(id);
const say = (text) => { $("status").textContent = text; };
const textOf = (result) => (result.content ?? []).map((each) => each.text ?? "").join("\n");
function dress({ theme, styles }) {
  const { dataset, style } = document.documentElement;
  if (theme) dataset.theme = style.colorScheme = theme === "dark" ? "dark" : "light";
  for (const [name, value] of Object.entries(styles?.variables ?? {}))
    if (name.startsWith("--") && value) style.setProperty(name, value);
}
function arrived(result) {
  if (result.isError || !result.structuredContent) return failed(textOf(result));
  say("");
  show(result.structuredContent, result);
  const { sandbox, account, note } = result.structuredContent;
  $("note").textContent = [sandbox && "Sandbox: no figure is real.", account && `Account ${account}.`, note].filter(Boolean).join(" ");
}
const failed = (text) => say(text || "There is no answer.");
const events = {
  "ui/notifications/tool-input": (params) => { given = params.arguments ?? {}; },
  "ui/notifications/tool-result": arrived,
  "ui/notifications/tool-cancelled": () => say("Cancelled."),
  "ui/notifications/host-context-changed": dress,
};
addEventListener("message", ({ source, data }) => {
  if (source !== parent || data?.jsonrpc !== "2.0") return;
  const { id, method, params, result, error } = data;
  if (method) {
    if (Object.hasOwn(events, method)) events[method](params ?? {});
    if (id !== undefined) post({ id, result: {} });
    return;
  }
  const one = waiting.get(id);
  waiting.delete(id);
  if (error) one?.reject(Error(error.message)); else one?.resolve(result);
});
async function start() {
  const told = await ask("ui/initialize", {
    appInfo: { name: "telnyx-account-mcp", version: "1" },
    appCapabilities: { availableDisplayModes: ["inline"] },
    protocolVersion: "2026-01-26",
  });
  can = told.hostCapabilities ?? {};
  dress(told.hostContext ?? {});
  tell("ui/notifications/initialized");
  new ResizeObserver(() => {
    const { width, height } = document.body.getBoundingClientRect();
    tell("ui/notifications/size-changed", { width: Math.ceil(width), height: Math.ceil(height) });
  }).observe(document.body);
}
// Strings only ever become text nodes.
function make(tag, attributes = {}, ...children) {
  const space = ["svg", "rect", "title"].includes(tag) ? "2000/svg" : "1999/xhtml";
  const made = document.createElementNS(`http://www.w3.org/${space}`, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.flat().filter((each) => (each ?? null) !== null));
  return made;
}
