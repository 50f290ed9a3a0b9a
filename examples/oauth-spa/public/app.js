/** What is on the page; how one signs in is in `sign-in.js`, and how tokens stay fresh in `tokens.js`. */
import { beginSignIn, finishSignIn, profile, signOut } from "/sign-in.js";
import { begin, othersTokens } from "/tokens.js";

const [who, signInButton, signOutButton] = ["who", "sign-in", "sign-out"].map((id) => document.getElementById(id));

signInButton.addEventListener("click", beginSignIn);
signOutButton.addEventListener("click", signOut);

async function show() {
  if (location.pathname === "/callback") {
    const answer = new URL(location.href);
    // The code leaves the address bar and the history before anything else happens.
    history.replaceState(null, "", "/");
    begin(await finishSignIn(answer));
  } else if (!(await othersTokens())) {
    signInButton.hidden = false;
    return;
  }
  const { name, sub } = await profile();
  who.textContent = `Signed in as ${name ?? sub}.`;
  signOutButton.hidden = false;
}

show().catch((error) => {
  who.textContent = `Not signed in: ${error.error_description ?? error.message}`;
  signInButton.hidden = false;
});
