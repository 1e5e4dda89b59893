// An identity provider on loopback with made-up people: sign-in, access tokens, userinfo.
//
//   node server.mjs '{"port": 0, "host": "127.0.0.1", "issuer": null, "redirects": [], "resources": []}'
//
// Prints {"issuer": "http://127.0.0.1:PORT"} as its first line; log lines follow on stderr. Everything
// in the argument may be left out:
//
// port, host  where it listens; port 0 takes a free one
// issuer      its public address, where that is another
// redirects   more redirect URIs of the client `pages`; http://127.0.0.1:ANY/sign-in/callback is one
// resources   more resources (RFC 8707) than http://127.0.0.1:ANY/mcp and http://localhost:ANY/mcp
// documents   {URL: metadata} of clients that are known by their document (CIMD); nothing is fetched
//
// Clients: `assistant` (public, PKCE, http://127.0.0.1:ANY/callback), `pages` (a web application, with
// a secret), `robot` (client credentials), `introspector` (asks about tokens); others register
// themselves. People: alice, bob, carol, dave, erin; no password.
//
// PUT /control with JSON changes how it behaves from then on, and answers with all of it:
//
// people      {"bob": {"groups": ["approvers"]}}: changes these of their claims; null removes one
// signed_in   "alice": signs this person in without a form; null: shows the form again
// format      "jwt" or "opaque": of the access tokens
// lifetime    seconds that an access token lasts
// refresh     "asked": refresh tokens for clients that ask for offline_access; "always": for all
//
// The form: GET /interaction/ID shows it, POST /interaction/ID with `person=bob` signs in, with
// `person=` refuses. A `login_hint` in the authorization request picks the person without a form.
import { generateKeyPairSync } from "node:crypto";
import http from "node:http";

import Provider, { errors } from "oidc-provider";

const given = JSON.parse(process.argv[2] ?? "{}");
const host = given.host ?? "127.0.0.1";
const SCOPES = "telnyx:read telnyx:propose";
const LOOPBACK_RESOURCE = /^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?\/mcp$/;
const documents = given.documents ?? {};

const person = (name, ...groups) => ({
  name,
  email: `${name.split(" ")[0].toLowerCase()}@example.com`,
  groups,
});
const state = {
  people: {
    alice: person("Alice Adams", "finance", "approvers"),
    bob: person("Bob Brown", "approvers"),
    carol: person("Carol Clark", "readers"),
    dave: person("Dave Davis"),
    erin: person("Erin Evans", "approvers"),
  },
  signed_in: null,
  format: "jwt",
  lifetime: 600,
  refresh: "asked",
};

function changed({ people = {}, ...others }) {
  for (const [subject, claims] of Object.entries(people)) {
    if (claims === null) delete state.people[subject];
    else state.people[subject] = { ...person(subject), ...state.people[subject], ...claims };
  }
  return Object.assign(state, others);
}

function resourceServer(resource) {
  if (!LOOPBACK_RESOURCE.test(resource) && !given.resources?.includes(resource)) {
    throw new errors.InvalidTarget();
  }
  return {
    scope: SCOPES,
    audience: resource,
    accessTokenTTL: state.lifetime,
    accessTokenFormat: state.format,
    jwt: { sign: { alg: "RS256" } },
  };
}

// Whoever signs in has agreed to what was asked for: nobody here tests a page of consent.
async function grantOf({ oidc }) {
  const grant = new oidc.provider.Grant({
    clientId: oidc.client.clientId,
    accountId: oidc.session.accountId,
  });
  grant.addOIDCScope([...oidc.requestParamScopes].join(" "));
  for (const [resource, server] of Object.entries(oidc.resourceServers ?? {})) {
    grant.addResourceScope(resource, [...server.scopes].join(" "));
  }
  await grant.save();
  return grant;
}

const key = (type, options, more) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }),
  use: "sig",
  ...more,
});

const configuration = {
  // So that a port on loopback is a client's own affair (RFC 8252), and http elsewhere is refused.
  clientDefaults: { application_type: "native" },
  clients: [
    {
      client_id: "assistant",
      client_name: "An assistant",
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback"],
    },
    {
      client_id: "pages",
      client_secret: "the-secret-of-pages-in-tests",
      grant_types: ["authorization_code"],
      redirect_uris: ["http://127.0.0.1/sign-in/callback", ...(given.redirects ?? [])],
      post_logout_redirect_uris: ["http://127.0.0.1/"],
    },
    {
      client_id: "robot",
      client_secret: "the-secret-of-robot-in-tests",
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
    },
    {
      client_id: "introspector",
      client_secret: "the-secret-of-introspector-in-tests",
      grant_types: [],
      response_types: [],
      redirect_uris: [],
    },
  ],
  jwks: {
    keys: [
      key("rsa", { modulusLength: 2048 }, { kid: "rsa-1", alg: "RS256" }),
      key("ec", { namedCurve: "P-256" }, { kid: "ec-1", alg: "ES256" }),
    ],
  },
  cookies: { keys: ["cookies-of-tests"] },
  scopes: ["openid", "offline_access", ...SCOPES.split(" ")],
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username", "groups"],
    email: ["email"],
    groups: ["groups"],
  },
  conformIdTokenClaims: false, // the ID token carries them too, not only userinfo
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    clientIdMetadataDocument: { enabled: true, ack: "draft-02" },
    introspection: {
      enabled: true,
      allowedPolicy: (_, client) => client.clientId === "introspector",
    },
    registration: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => resourceServer(resource),
      useGrantedResource: () => true,
    },
  },
  fetch: async (url, options) =>
    url in documents
      ? Response.json(documents[url], { headers: { "cache-control": "max-age=60" } })
      : fetch(url, options),
  findAccount: (_, subject) => {
    const claims = state.people[subject];
    return (
      claims && {
        accountId: subject,
        claims: () => ({ sub: subject, preferred_username: subject, ...claims }),
      }
    );
  },
  extraTokenClaims: (_, token) => state.people[token.accountId],
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: (_, client, source) =>
    client.grantTypeAllowed("refresh_token") &&
    (state.refresh === "always" || source.scopes.has("offline_access")),
  loadExistingGrant: grantOf,
  pkce: { required: () => true },
  renderError: (ctx, out) => {
    ctx.type = "json";
    ctx.body = out;
  },
  ttl: {
    AccessToken: (_, token) => token.resourceServer?.accessTokenTTL ?? state.lifetime,
    ClientCredentials: (_, token) => token.resourceServer?.accessTokenTTL ?? state.lifetime,
    Grant: 86400,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 86400,
    Session: 86400,
  },
};

async function bodyOf(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

function form() {
  const names = Object.entries(state.people).map(
    ([subject, { name }]) =>
      `<button name="person" value="${subject}" id="${subject}">${name}</button>`,
  );
  return `<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in</h1>
<form method="post">${names.join("\n")}<button name="person" value="" id="refuse">Refuse</button></form>`;
}

async function interact(provider, request, response) {
  const { prompt, params } = await provider.interactionDetails(request, response);
  let chosen = state.signed_in ?? params.login_hint;
  if (request.method === "POST") {
    chosen = new URLSearchParams(await bodyOf(request)).get("person");
  } else if (!(chosen in state.people)) {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(form());
    return;
  }
  const result =
    chosen in state.people
      ? { login: { accountId: chosen }, consent: {} }
      : { error: "access_denied", error_description: `refused at ${prompt.name}` };
  await provider.interactionFinished(request, response, result);
}

async function control(request, response) {
  if (request.method === "PUT") changed(JSON.parse(await bodyOf(request)));
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(state));
}

const server = http.createServer();
server.listen(given.port ?? 0, host, () => {
  const issuer = given.issuer ?? `http://${host}:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  provider.proxy = Boolean(given.issuer);
  provider.on("server_error", (_, error) => console.error(error));
  const callback = provider.callback();
  server.on("request", async (request, response) => {
    try {
      const { pathname } = new URL(request.url, issuer);
      if (pathname === "/control") await control(request, response);
      else if (pathname.startsWith("/interaction/")) await interact(provider, request, response);
      else await callback(request, response);
    } catch (error) {
      response.writeHead(400, { "content-type": "text/plain" }).end(String(error));
    }
  });
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});
