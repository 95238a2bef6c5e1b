// What the link carries is in the fragment: no server and no other site is told it. It is taken out of the
// address at once, so that the browser's history does not keep it.
"use strict";

const token = new URLSearchParams(location.hash.slice(1)).get("token");
if (token) history.replaceState(null, "", location.pathname);

const ask = document.getElementById("ask");
const follow = document.getElementById("follow");
const said = document.getElementById("said");

function show(form) {
  ask.hidden = form !== ask;
  follow.hidden = form !== follow;
  const field = form.querySelector("input");
  if (field) field.focus();
}

async function send(form) {
  const body = Object.fromEntries(new FormData(form));
  if (form === follow) body.token = token;
  const answer = await fetch(form.dataset.path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    credentials: "omit",
    body: JSON.stringify(body),
  });
  if (answer.ok) return null;
  return answer.json().catch(() => ({ title: "Something went wrong. Try again in a minute." }));
}

function refused(form, problem) {
  said.textContent = [problem.title, problem.detail].filter(Boolean).join(". ").replace(/\.\. /g, ". ");
  if (problem.code === "link_over") show(ask);
}

function done(form) {
  for (const part of form.children) part.hidden = true;
  said.textContent = form.querySelector("[data-done]").textContent;
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    said.textContent = "";
    try {
      const problem = await send(form);
      if (problem) refused(form, problem);
      else done(form);
    } catch {
      said.textContent = "The marketplace cannot be reached. Try again in a minute.";
    } finally {
      button.disabled = false;
    }
  });
}

// A link that is followed in a tab where this page is open already changes only the fragment.
addEventListener("hashchange", () => location.reload());
show(token ? follow : ask);
