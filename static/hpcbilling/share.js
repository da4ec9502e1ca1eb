// "Copy the link": the address of this page as it stands now, said in a toast. Without it the address line does the same.
const toast = document.getElementById("toast");
let clearing;
for (const button of document.querySelectorAll("[data-copy-address]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    let words = button.dataset.done;
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      words = button.dataset.failed; // no right to the clipboard, or no https
    }
    toast.textContent = words;
    clearTimeout(clearing);
    clearing = setTimeout(() => toast.replaceChildren(), 5000);
  });
}
