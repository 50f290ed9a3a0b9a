// oidc-provider with its in-memory adapter: client_credentials and the authorization code flow with JWT access
// tokens (RFC 9068, RFC 8707), rotating refresh tokens, opaque access tokens for introspection.
import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';
import { listen } from './key.mjs';

const { privateKey } = await generateKeyPair('ES256', { extractable: true });
const resource = 'http://127.0.0.1:3000';
const redirectUri = 'http://127.0.0.1:3001/callback';
const resourceScope = 'chat:read chat:message:create';

const newClient = (clientId, more) => ({
  client_id: clientId,
  client_secret: randomBytes(32).toString('base64url'),
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: 'ES256',
  ...more,
});
const code = {
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: [redirectUri],
  response_types: ['code'],
};
const machine = newClient('bench', { grant_types: ['client_credentials'] });
const app = newClient('bench-app', code);
// It refuses to introspect JWTs, so this client's access tokens are opaque.
const opaque = newClient('bench-opaque', code);

const provider = new Provider('http://127.0.0.1:3000', {
  clients: [machine, app, opaque],
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, name: 'Ann', preferred_username: 'ann', email: 'ann@example.com', email_verified: true,
    }),
  }),
  // Or it rotates only tokens that have lived 70 % of their time.
  rotateRefreshToken: true,
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: () => false,
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (_ctx, client) => (client.clientId === opaque.client_id ? undefined : resource),
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: resourceScope,
        audience: resource,
        accessTokenTTL: 3600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

// Signing in and consenting without a question: what a person does once, before anything is measured.
provider.use(async (ctx, next) => {
  if (!ctx.path.startsWith('/interaction/')) return next();
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const grant = new provider.Grant({ accountId: 'user_01JD0000000000000000000000', clientId: params.client_id });
  grant.addOIDCScope('openid profile email offline_access');
  grant.addResourceScope(resource, resourceScope);
  await provider.interactionFinished(ctx.req, ctx.res, {
    login: { accountId: grant.accountId },
    consent: { grantId: await grant.save() },
  });
  ctx.respond = false;
});

const basic = ({ client_id, client_secret }) =>
  `Basic ${Buffer.from(`${client_id}:${client_secret}`).toString('base64')}`;
const credentials = ({ client_id, client_secret }) => ({ client_id, client_secret, redirect_uri: redirectUri });
listen(provider, {
  authorization: basic(machine),
  app: credentials(app),
  opaque: credentials(opaque),
});
