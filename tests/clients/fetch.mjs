// Requests each URL in turn with the fetch of Node.js.
const [user, password, ...urls] = process.argv.slice(2);
const authorization = `Basic ${btoa(`${user}:${password}`)}`;
for (const url of urls) {
    await (await fetch(url, { headers: { authorization } })).text();
}
