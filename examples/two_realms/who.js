// Each realm has a path of its own, because the browser sends its password only there. Without a login the
// response is a 401 that opens no dialog.
async function ask(card) {
  const answer = await fetch(`${card.dataset.realm}/whoami`);
  card.querySelector("output").textContent = answer.ok
    ? `${(await answer.json()).user} is logged in`
    : "No user is logged in";
  card.querySelector("form").parentElement.hidden = !answer.ok;
}
document.querySelectorAll("[data-realm]").forEach(ask);
