// What HTML cannot do by itself: copy buttons, and a form that follows the chosen country. No eval, no inline handlers.
(function () {
  "use strict";
  document.addEventListener("click", function (event) {
    var button = event.target.closest("[data-copy]");
    if (!button) { return; }
    var field = document.getElementById(button.getAttribute("data-copy"));
    var done = function () {
      var before = button.textContent;
      button.textContent = button.getAttribute("data-done");
      setTimeout(function () { button.textContent = before; }, 2000);
    };
    field.select();
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(field.value).then(done, function () {});
    } else if (document.execCommand("copy")) {
      done();
    }
  });
  // Only what belongs to the chosen country is shown; without a script everything is, and the server decides.
  var country = document.querySelector("[data-country]");
  if (country) {
    var follow = function () {
      document.querySelectorAll("[data-for-country]").forEach(function (part) {
        var mine = part.getAttribute("data-for-country") === country.value;
        part.hidden = !mine;
        part.querySelectorAll("select, input").forEach(function (one) { one.disabled = !mine; });
      });
    };
    country.addEventListener("change", follow);
    follow();
  }
}());
