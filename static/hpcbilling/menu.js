/* Menus (<details data-menu>) close on Escape, on a click elsewhere, and when the keyboard has left them. Escape gives the
   focus back to their button. Without this script the button alone opens and closes them. */
const menus = [...document.querySelectorAll("details[data-menu]")];
const button = (menu) => menu.querySelector("summary");
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus.filter((each) => each.open)) {
    menu.open = false;
    button(menu).focus();
  }
});
document.addEventListener("pointerdown", (event) => {
  for (const menu of menus) if (menu.open && !menu.contains(event.target)) {
    const inside = menu.contains(document.activeElement);
    menu.open = false;
    if (inside) button(menu).focus();
  }
});
for (const menu of menus) menu.addEventListener("focusout", (event) => {
  if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
});
