// oidc-provider: the client_credentials grant with JWT access tokens (RFC 6749 §4.4, RFC 9068, RFC 8707).
import { randomBytes } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';
import { listen } from './key.mjs';

const { privateKey } = await generateKeyPair('ES256', { extractable: true });
const secret = randomBytes(32).toString('base64url');
const resource = 'http://127.0.0.1:3000';

const provider = new Provider('http://127.0.0.1:3000', {
  clients: [{
    client_id: 'bench',
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256',
  }],
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: () => ({
        scope: 'chat:read chat:message:create',
        audience: resource,
        accessTokenTTL: 3600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
const basic = Buffer.from(`bench:${secret}`).toString('base64');
listen(provider, { authorization: `Basic ${basic}` });
