// What a client of the TypeScript SDKs sees of the server, as JSON on stdout.
//
//   node typescript.mjs '{"sdk": 2, "mode": "auto", "url": …, "person": {"action": "accept"}, "calls": […]}'
//
// sdk     1: @modelcontextprotocol/sdk, revision 2025-11-25; 2: @modelcontextprotocol/client, both
// mode    version 2's: "legacy", "auto", or {"pin": "2026-07-28"}; version 1 knows none
// url     of a server over HTTP; if null, `server`, {command, args, env}, is started over stdio
// person  who answers: {"action": "accept" | "decline" | "cancel", "typed": instead of the amount},
//         or {"action": "leave"}: closes the client instead; null: the client can't ask
// calls   [name, arguments] of the tools to call, one after the other
import childProcess from "node:child_process";

const plan = JSON.parse(process.argv[2]);
const report = { errors: [], stderr: "", questions: [], results: [], processes: [] };

// Both SDKs start servers through this very object.
const spawn = childProcess.spawn;
childProcess.spawn = (...given) => {
  const child = spawn(...given);
  const seen = { code: null, signal: null };
  report.processes.push(seen);
  child.once("exit", (code, signal) => Object.assign(seen, { code, signal }));
  return child;
};

async function loaded() {
  if (plan.sdk === 2) {
    const main = await import("@modelcontextprotocol/client");
    const stdio = await import("@modelcontextprotocol/client/stdio");
    return { ...main, ...stdio, question: "elicitation/create", declared: { form: {} } };
  }
  const main = await import("@modelcontextprotocol/sdk/client/index.js");
  const stdio = await import("@modelcontextprotocol/sdk/client/stdio.js");
  const http = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const types = await import("@modelcontextprotocol/sdk/types.js");
  // The older way to declare it, before there were kinds of elicitation.
  return { ...main, ...stdio, ...http, question: types.ElicitRequestSchema, declared: {} };
}

// Fills in the form as its only field says: "Type 12.00 to pay".
function filled({ properties, required }) {
  const [[name, field], ...more] = Object.entries(properties);
  if (field.type !== "string" || more.length || required[0] !== name) throw new Error("which one?");
  return { [name]: plan.person.typed ?? /\d+\.\d\d/.exec(field.title)[0] };
}

function answered({ params }) {
  report.questions.push(params.message);
  const { action } = plan.person;
  if (action === "leave") {
    leave();
    return new Promise(() => {});
  }
  return action === "accept" ? { action, content: filled(params.requestedSchema) } : { action };
}

async function close() {
  client.onerror = undefined; // what is cut off by closing is no complaint
  const started = performance.now();
  await client.close();
  report.closing = (performance.now() - started) / 1000;
}

let leave;
// A question of the newer revision is the client's own affair: its call would wait for ever.
const left = new Promise((resolve) => (leave = resolve))
  .then(close)
  .then(() => ({ failed: "the client left" }));
const sdk = await loaded();
const client = new sdk.Client(
  { name: "interop", version: "1" },
  {
    capabilities: plan.person ? { elicitation: sdk.declared } : {},
    versionNegotiation: { mode: plan.mode },
  },
);
client.onerror = (error) => report.errors.push(String(error));
if (plan.person) client.setRequestHandler(sdk.question, async (request) => answered(request));

const transport = plan.url
  ? new sdk.StreamableHTTPClientTransport(new URL(plan.url), {
      requestInit: { headers: plan.headers },
    })
  : new sdk.StdioClientTransport({ ...plan.server, stderr: "pipe" });
// Version 1 tells the revision to its transport alone.
transport.setProtocolVersion ??= (revision) => (report.revision = revision);
transport.stderr?.on("data", (piece) => (report.stderr += piece));

await client.connect(transport);
report.revision ??= client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
report.server = client.getServerVersion();
report.tools = (await client.listTools()).tools;
report.prompts = (await client.listPrompts()).prompts;
report.resources = (await client.listResources()).resources;
report.templates = (await client.listResourceTemplates()).resourceTemplates;
// The tools are listed by now, so each result is held against its tool's outputSchema.
for (const [name, given] of plan.calls) {
  const called = client.callTool({ name, arguments: given });
  const failed = called.catch((error) => ({ failed: String(error) }));
  report.results.push(await Promise.race([failed, left]));
}
await (plan.person?.action === "leave" ? left : close());
process.stdout.write(JSON.stringify(report));
