// Light or dark, as the system says or the visitor chose. A script of its own, so that it runs before the first paint.

(() => {
  const KEY = "citespan/colours";

  const { dataset } = document.documentElement;
  const show = (choice) => {
    if (["light", "dark"].includes(choice)) dataset.colours = choice;
    else delete dataset.colours;
  };
  // Without storage a choice holds until the page is closed.
  const stored = (act) => {
    try {
      return act(localStorage);
    } catch {
      return null;
    }
  };

  show(stored((storage) => storage.getItem(KEY)));
  addEventListener("DOMContentLoaded", () => {
    for (const radio of document.querySelectorAll("input[name=colours]")) {
      radio.checked = radio.value === (dataset.colours ?? "system");
      radio.addEventListener("change", () => {
        stored((storage) => storage.setItem(KEY, radio.value));
        show(radio.value);
      });
    }
  });
})();
