// For receipts. Without it the browser's own command prints the same.

// "Print" leads to #print, on this page or from another: open the print dialogue there, once.
function printOnce() {
  if (location.hash !== "#print") return;
  history.replaceState(null, "", location.pathname + location.search);
  print();
}
addEventListener("load", printOnce);
addEventListener("hashchange", printOnce);
