// The forms on the page of the API: sends what stands in them with the key of the page, and shows the answer as it came.
(function () {
  "use strict";
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (!form.hasAttribute("data-try")) { return; }
    event.preventDefault();
    var path = form.getAttribute("data-path"), query = new URLSearchParams(), headers = {}, body;
    form.querySelectorAll("[data-in]").forEach(function (field) {
      var where = field.getAttribute("data-in"), value = field.value.trim();
      if (where === "path") { path = path.replace("{" + field.name + "}", encodeURIComponent(value)); }
      else if (where === "query" && value) { query.set(field.name, value); }
      else if (where === "header" && value) { headers[field.name] = value; }
      else if (where === "body") { body = field.value; headers["Content-Type"] = "application/json"; }
    });
    var key = document.getElementById("api-key").value.trim();
    if (key) { headers.Authorization = "Bearer " + key; }
    headers["Accept-Language"] = document.documentElement.lang;
    var shown = form.querySelector("[data-answer]"), rest = query.toString();
    fetch(path + (rest ? "?" + rest : ""), {
      method: form.getAttribute("data-method"), headers: headers, body: body, credentials: "omit"
    }).then(function (answer) {
      return answer.text().then(function (text) {
        try { text = JSON.stringify(JSON.parse(text), null, 2); } catch (problem) { /* shown as it is */ }
        say(shown, answer.status + " " + answer.statusText + "\n\n" + text);
      });
    }, function (problem) { say(shown, String(problem)); });
  });
  function say(place, text) {
    var block = document.createElement("pre");
    block.textContent = text;
    block.tabIndex = 0;
    place.replaceChildren(block);
  }
}());
