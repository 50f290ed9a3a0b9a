/** The whole suite against one server. */
import "./openid-client.test.ts";
import "./oauth4webapi.test.ts";
import "./auth-js.test.ts";
import "./bodies.test.ts";
import "./prompts.test.ts";
import "./refusals.test.ts";
import "./company.test.ts";
import "./account.test.ts";
import "./sdk.test.ts";
import "./guide.test.ts";
