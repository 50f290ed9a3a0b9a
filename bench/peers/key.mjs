// What the Express peers share: one API key, known by its SHA-256, and the ready line.
import { createHash, randomBytes } from 'node:crypto';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

export const apiKey = `hpd_${randomBytes(32).toString('base64url')}`;
const keys = new Map([[sha256(apiKey), 'apik_01JD0000000000000000000000']]);

/** The id of the API key that a request carries, or undefined. */
export function keyOf(request) {
  const [scheme, key] = (request.headers.authorization ?? '').split(' ');
  return scheme === 'Bearer' && key ? keys.get(sha256(key)) : undefined;
}

/** Listens on a free port of this machine and says so, as `hallpass dev` does. */
export function listen(handler, ready) {
  const server = handler.listen(0, '127.0.0.1', () => {
    const url = `http://127.0.0.1:${server.address().port}`;
    console.log(JSON.stringify({ event: 'ready', url, ...ready }));
  });
}
