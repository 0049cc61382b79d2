// Polls the server for the current user, as a page with live data does.
async function ask() {
  const output = document.getElementById("whoami");
  try {
    const response = await fetch("/admin/api/whoami");
    output.textContent = response.ok
      ? `${(await response.json()).user}, at ${new Date().toLocaleTimeString()}`
      : `nobody (${response.status}): reload the page to log in`;
  } catch {
    output.textContent = "no answer";
  }
}
ask();
setInterval(ask, 5000);
