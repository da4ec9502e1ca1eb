// Select2 names neither the box that it puts in a choice's place nor the field to search in: both get the choice's label.
django.jQuery(($) => {
  const name = (select) => {
    const label = document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
    const box = $(select).data("select2")?.$container[0].querySelector(".select2-selection");
    if (!label || !box) return;
    label.id ||= `${select.id}-label`;
    const shown = box.querySelector(".select2-selection__rendered");
    box.setAttribute("aria-labelledby", `${label.id} ${shown.id}`);
    shown.setAttribute("aria-labelledby", label.id);
  };
  const all = (within) => within.querySelectorAll("select.admin-autocomplete").forEach(name);
  all(document);
  document.addEventListener("formset:added", (event) => all(event.target));
  $(document).on("select2:open", (event) => {
    const label = document.getElementById(`${event.target.id}-label`);
    document.querySelector(".select2-container--open .select2-search__field")?.setAttribute("aria-labelledby", label?.id);
  });
});
