// Express 5 and stream-chat's createToken (HS256): what people do today.
import { randomBytes } from 'node:crypto';
import express from 'express';
import { StreamChat } from 'stream-chat';
import { apiKey, keyOf, listen } from './key.mjs';

const chat = StreamChat.getInstance('bench', randomBytes(32).toString('hex'));

const app = express();
app.use(express.json());
app.post('/mint', (request, response) => {
  if (!keyOf(request)) return response.status(401).json({ error: 'unauthorized' });
  const iat = Math.floor(Date.now() / 1000);
  const exp = iat + 3600;
  const token = chat.createToken(request.body.user_id, exp, iat);
  response.json({ token, expires_at: new Date(exp * 1000).toISOString() });
});
listen(app, { api_key: apiKey });
