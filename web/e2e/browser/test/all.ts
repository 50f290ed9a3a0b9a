/** The whole suite against one server and one Chromium. */
import "./journeys.test.ts";
import "./apps.test.ts";
import "./passkeys.test.ts";
import "./pages.test.ts";
import "./keyboard.test.ts";
import "./safety.test.ts";
