// A host with the AppBridge of ext-apps, bundled for the browser.
//
//   node apps_host.mjs TARGET   writes TARGET, a script that sets window.show(html, plan)
//
// plan    {theme, variables, input, result, answers: the results of tools/call, one after the other}
// seen    what the page did: initialized, sizes, calls, links
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const HOST = `
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";
window.show = async (html, plan) => {
  document.querySelector("iframe")?.remove();
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.cssText = "border:0;display:block;width:100%;height:100px";
  document.body.append(frame);
  const seen = (window.seen = { initialized: 0, sizes: [], calls: [], links: [], errors: [] });
  const can = { openLinks: {}, serverTools: {} };
  const options = { hostContext: { theme: plan.theme, styles: { variables: plan.variables ?? {} } } };
  const bridge = (window.bridge = new AppBridge(null, { name: "host", version: "1" }, can, options));
  bridge.onerror = (error) => seen.errors.push(String(error));
  bridge.onsizechange = (size) => { seen.sizes.push(size); frame.style.height = size.height + "px"; };
  bridge.oncalltool = async (params) => {
    seen.calls.push(params);
    return plan.answers?.shift() ?? plan.result;
  };
  bridge.onopenlink = async ({ url }) => { seen.links.push(url); return {}; };
  bridge.oninitialized = async () => {
    seen.initialized += 1;
    await bridge.sendToolInput({ arguments: plan.input ?? {} });
    await bridge.sendToolResult(plan.result);
  };
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.srcdoc = html;
};
`;

const here = fileURLToPath(import.meta.url);
const bundle = await rolldown({
  input: "host",
  platform: "browser",
  logLevel: "silent",
  plugins: [
    {
      name: "host",
      resolveId: (id) => (id === "host" ? `${here}.host.js` : null),
      load: (id) => (id === `${here}.host.js` ? HOST : null),
    },
  ],
});
const { output } = await bundle.generate({ format: "iife" });
writeFileSync(process.argv[2], output[0].code);
