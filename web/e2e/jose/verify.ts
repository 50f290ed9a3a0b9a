import { createRemoteJWKSet, jwtVerify } from "jose";

const hallpass = process.env.HALLPASS_URL!; // the server's public URL

const keys = createRemoteJWKSet(new URL(`${hallpass}/.well-known/jwks.json`));

export async function verifyChatToken(token: string) {
  const { payload } = await jwtVerify(token, keys, {
    issuer: hallpass,
    audience: hallpass,
    typ: "at+jwt",
    algorithms: ["ES256"],
  });
  return payload; // sub is the user, company_id the company, scope what the token may do
}
