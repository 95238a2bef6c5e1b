// Signing in on this page puts the session into a cookie; what changes something also needs the session's
// CSRF token in a header. Fill it in as soon as a sign-in answered it, so that every route can be tried.
"use strict";

const page = document.querySelector("rapi-doc");

page.addEventListener("after-try", (event) => {
  const { request, responseStatus, responseBody } = event.detail;
  if (request && request.url.endsWith("/v1/sessions") && responseStatus && responseBody.csrf_token) {
    page.setApiKey("csrf", responseBody.csrf_token);
  }
});
