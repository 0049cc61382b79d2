// Asks who is logged in, as pages that keep themselves up to date do.
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
