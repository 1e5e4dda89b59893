// A client of the TypeScript SDKs that signs in when it is asked to, and reports as JSON on stdout.
//
//   node oauth.mjs '{"sdk": 2, "mode": "auto", "url": …, "registration": "known", "calls": […]}'
//
// sdk           1: @modelcontextprotocol/sdk, revision 2025-11-25; 2: @modelcontextprotocol/client, both
// mode          version 2's: "legacy" or "auto"
// registration  "known": the client is `assistant`; "document": it is known by the document at
//               `document` (CIMD); "itself": it registers itself (DCR)
// issuer        of the provider, which a known client was registered with
// calls         [name, arguments] of the tools to call, one after the other
//
// The person is a browser that follows redirects: the provider must sign them in without a form.
const plan = JSON.parse(process.argv[2]);
const report = { asked: [], client: null, refused: [], results: [], revision: null };
const REDIRECT = "http://127.0.0.1:7777/callback"; // where the browser stops; nothing listens there

async function loaded() {
  if (plan.sdk === 2) return import("@modelcontextprotocol/client");
  const main = await import("@modelcontextprotocol/sdk/client/index.js");
  const http = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const auth = await import("@modelcontextprotocol/sdk/client/auth.js");
  return { ...main, ...http, ...auth };
}

async function browsed(url) {
  const cookies = new Map();
  for (;;) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (!location) throw new Error(`the provider says: ${await response.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(REDIRECT)) return url.searchParams;
  }
}

let callback, discovered, information, tokens, verifier;
const provider = {
  redirectUrl: REDIRECT,
  clientMetadataUrl: plan.registration === "document" ? plan.document : undefined,
  clientMetadata: {
    client_name: "An assistant",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
    application_type: "native",
  },
  clientInformation: () =>
    plan.registration === "known" ? { client_id: "assistant", issuer: plan.issuer } : information,
  saveClientInformation: (given) => (information = given),
  discoveryState: () => discovered,
  saveDiscoveryState: (given) => (discovered = given),
  tokens: () => tokens,
  saveTokens: (given) => (tokens = given),
  codeVerifier: () => verifier,
  saveCodeVerifier: (given) => (verifier = given),
  redirectToAuthorization: async (url) => {
    report.asked.push(url.searchParams.get("scope"));
    report.client = url.searchParams.get("client_id");
    callback = await browsed(url);
    const error = callback.get("error");
    if (error) {
      report.refused.push(error);
      throw new Error(`the provider refused: ${error}`);
    }
  },
};

const sdk = await loaded();
let client, transport;

async function connected() {
  transport = new sdk.StreamableHTTPClientTransport(new URL(plan.url), { authProvider: provider });
  client = new sdk.Client(
    { name: "interop", version: "1" },
    { versionNegotiation: { mode: plan.mode } },
  );
  transport.setProtocolVersion ??= (revision) => (report.revision = revision);
  await client.connect(transport);
}

// Does it; signs in and does it again if the server asks for that.
async function authorized(act) {
  try {
    return await act();
  } catch (error) {
    if (!callback) throw error;
    const given = callback;
    callback = undefined;
    await transport.finishAuth(plan.sdk === 2 ? given : given.get("code"));
    return act();
  }
}

await authorized(connected);
report.revision ??= client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
for (const [name, given] of plan.calls) {
  try {
    const result = await authorized(() => client.callTool({ name, arguments: given }));
    report.results.push({ isError: result.isError ?? false, text: result.content[0].text });
  } catch (error) {
    report.results.push({ failed: String(error) });
  }
}
await client.close();
process.stdout.write(JSON.stringify(report));
