/* A GET form that answers while one types: <form data-live="id of the part to renew">. Without it the button does the same.
   What is too long for an address goes by POST, when the form has a button for that. */
for (const form of document.querySelectorAll("form[data-live]")) {
  const target = document.getElementById(form.dataset.live);
  const long = form.querySelector("button[formmethod=post]");
  const path = () => form.getAttribute("action") || location.pathname;
  const question = () => `${path()}?${new URLSearchParams(new FormData(form))}`;
  const tooLong = (address) => long && address.length > 3800;
  let timer, asked = 0;
  const ask = async () => {
    const turn = ++asked;
    const address = question(), post = tooLong(address);
    const options = { headers: { "X-Requested-With": "fetch" } };
    if (post) {
      options.method = "POST";
      options.body = new FormData(form);
      options.body.append(long.name, long.value);
    }
    const answer = await fetch(post ? path() : address, options);
    if (turn !== asked) return; // a later question is under way
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const renewed = page.getElementById(target.id);
    if (renewed) {
      target.replaceChildren(...renewed.childNodes);
      const short = target.querySelector("a[data-short]"); // the question in fewer words, when it went by POST
      const link = post ? (short ? short.href : path()) : address;
      if (answer.ok) history.replaceState(null, "", link);
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
  form.addEventListener("submit", (event) => {
    if (event.submitter !== long && tooLong(question())) {
      event.preventDefault();
      setTimeout(() => form.requestSubmit(long)); // a form that is being sent hears no second order
    }
  });
}
