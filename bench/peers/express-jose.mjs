// Express 5 and jose: an ES256 token with the claims that Hallpass writes.
import { randomUUID } from 'node:crypto';
import express from 'express';
import { SignJWT, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { apiKey, keyOf, listen } from './key.mjs';

const { privateKey, publicKey } = await generateKeyPair('ES256');
const header = { alg: 'ES256', typ: 'at+jwt', kid: await calculateJwkThumbprint(await exportJWK(publicKey)) };
const issuer = 'http://127.0.0.1:3000';

const app = express();
app.use(express.json());
app.post('/mint', async (request, response) => {
  const clientId = keyOf(request);
  if (!clientId) return response.status(401).json({ error: 'unauthorized' });
  const { company_id, user_id, scoped_actions } = request.body;
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = await new SignJWT({
    kind: 'minted',
    company_id,
    client_id: clientId,
    scope: scoped_actions.join(' '),
    rev: 1,
  })
    .setProtectedHeader(header)
    .setIssuer(issuer)
    .setAudience(issuer)
    .setSubject(user_id)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime(exp)
    .sign(privateKey);
  response.json({ token, expires_at: new Date(exp * 1000).toISOString() });
});
listen(app, { api_key: apiKey });
