// The one script of the site. Without it every page does the same, with one click more.

// "Print" on a receipt leads to the page with every line: open the print dialogue there, once.
if (location.hash === "#print") {
  history.replaceState(null, "", location.pathname + location.search);
  addEventListener("load", () => print());
}

// The playground's price follows the form while it is filled in.
(() => {
  const form = document.getElementById("playground");
  if (!form) return;
  let timer = 0;
  let asked = 0;
  const update = async () => {
    const query = "?" + new URLSearchParams(new FormData(form));
    const mine = ++asked;
    const response = await fetch(query, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!response || !response.ok || mine !== asked) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    document.getElementById("price").replaceChildren(...page.getElementById("price").childNodes);
    history.replaceState(null, "", query);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(update, 250);
  });
})();
