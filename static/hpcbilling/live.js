/* A GET form that answers while one types: <form data-live="id of the part to renew">. Without it the button does the same. */
for (const form of document.querySelectorAll("form[data-live]")) {
  const target = document.getElementById(form.dataset.live);
  let timer, asked = 0;
  const ask = async () => {
    const turn = ++asked;
    const address = `${form.getAttribute("action") || location.pathname}?${new URLSearchParams(new FormData(form))}`;
    const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" } });
    if (turn !== asked) return; // a later question is under way
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const renewed = page.getElementById(target.id);
    if (renewed) {
      target.replaceChildren(...renewed.childNodes);
      if (answer.ok) history.replaceState(null, "", address);
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
}
