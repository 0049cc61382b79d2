const element = (id) => document.getElementById(id);

// All API requests use this function. A refused `fetch` opens no dialog, so the page must show it.
async function api(path, options) {
  const answer = await fetch(path, { headers: { Accept: "application/json" }, ...options });
  if (answer.status === 401 || answer.status === 403) showLoginAgain();
  return answer;
}

// Shows a link to a protected page. Following it is a navigation, which opens the dialog.
function showLoginAgain() {
  element("logged-in").hidden = true;
  element("logged-out").hidden = false;
  element("notes").replaceChildren();
}

async function logOut() {
  const answer = await fetch("/logout", { method: "POST" });
  if (answer.ok) showLoginAgain();
}

async function showUser() {
  const answer = await api("/app/api/me");
  if (answer.ok) element("who").textContent = `Signed in as ${(await answer.json()).user}`;
}

// Polls for notes. The poll also notices a logout in another tab, and a new login there, which may be
// another user's.
async function showNotes() {
  const answer = await api("/app/api/notes");
  if (!answer.ok) return;
  if (element("logged-in").hidden) location.reload();
  const notes = await answer.json();
  const lines = notes.flatMap(({ by, text }) => [line("dt", by), line("dd", text)]);
  element("notes").replaceChildren(...lines);
  element("notes").hidden = notes.length === 0;
}

function line(name, text) {
  const line = document.createElement(name);
  line.textContent = text;
  return line;
}

async function addNote(event) {
  event.preventDefault();
  const form = event.target;
  const answer = await api("/app/api/notes", {
    method: "POST",
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: JSON.stringify({ text: form.elements.text.value }),
  });
  if (!answer.ok) return;
  form.reset();
  await showNotes();
}

element("logout").addEventListener("click", logOut);
element("new").addEventListener("submit", addNote);
showUser();
showNotes();
setInterval(showNotes, 3000);
